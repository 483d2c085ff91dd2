// Package msgpack reads what msgspec writes, from bytes that anybody may have sent: no length is believed before it is held against
// what is left, and nothing is allocated. It is a thin layer over tinylib/msgp for the leniency that consumers of engines' streams
// need: numbers of either sign and kind, structs as maps or arrays.
package msgpack // import "github.com/otelcol-inference/otelcol-inference/internal/msgpack"

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/tinylib/msgp/msgp"
)

// ErrShort says that a length is more than what is left.
var ErrShort = errors.New("a length exceeds the message")

// Array reads the head of an array. Every element needs a byte at least.
func Array(b []byte) (n int, rest []byte, err error) {
	size, rest, err := msgp.ReadArrayHeaderBytes(b)
	if err != nil {
		return 0, b, err
	}
	if uint64(size) > uint64(len(rest)) {
		return 0, b, ErrShort
	}
	return int(size), rest, nil
}

// Map reads the head of a map. Every entry needs two bytes at least.
func Map(b []byte) (n int, rest []byte, err error) {
	size, rest, err := msgp.ReadMapHeaderBytes(b)
	if err != nil {
		return 0, b, err
	}
	if 2*uint64(size) > uint64(len(rest)) {
		return 0, b, ErrShort
	}
	return int(size), rest, nil
}

// Struct reads the head of a struct, which is a map with field names or an array of fields.
func Struct(b []byte) (n int, named bool, rest []byte, err error) {
	if msgp.NextType(b) == msgp.MapType {
		n, rest, err = Map(b)
		return n, true, rest, err
	}
	n, rest, err = Array(b)
	return n, false, rest, err
}

// Key reads the name of a field. It is a part of b.
func Key(b []byte) (key, rest []byte, err error) { return msgp.ReadMapKeyZC(b) }

// Text reads a string, or nothing for nil. It is a part of b.
func Text(b []byte) (text, rest []byte, err error) {
	if msgp.IsNil(b) {
		return nil, b[1:], nil
	}
	return msgp.ReadStringZC(b)
}

// Skip passes over one value of any kind.
func Skip(b []byte) (rest []byte, err error) { return msgp.Skip(b) }

// Float reads a number. Integers are converted.
func Float(b []byte) (f float64, rest []byte, err error) {
	switch msgp.NextType(b) {
	case msgp.Float64Type:
		return msgp.ReadFloat64Bytes(b)
	case msgp.Float32Type:
		f32, rest, err := msgp.ReadFloat32Bytes(b)
		return float64(f32), rest, err
	case msgp.UintType:
		u, rest, err := msgp.ReadUint64Bytes(b)
		return float64(u), rest, err
	}
	i, rest, err := msgp.ReadInt64Bytes(b)
	return float64(i), rest, err
}

// Count reads an integer from 0 to 2^63-1. A float without a fraction is one.
func Count(b []byte) (n int64, rest []byte, err error) {
	switch msgp.NextType(b) {
	case msgp.Float64Type, msgp.Float32Type:
		f, rest, err := Float(b)
		if err == nil && (f != math.Trunc(f) || f < 0 || f >= 1<<63) {
			err = fmt.Errorf("must be a count, got %v", f)
		}
		return int64(f), rest, err
	case msgp.UintType:
		u, rest, err := msgp.ReadUint64Bytes(b)
		if err == nil && u > math.MaxInt64 {
			err = fmt.Errorf("must be less than 2^63, got %d", u)
		}
		return int64(u), rest, err
	}
	n, rest, err = msgp.ReadInt64Bytes(b)
	if err == nil && n < 0 {
		err = fmt.Errorf("must be at least 0, got %d", n)
	}
	return n, rest, err
}

// Hash reads 64 bits: an integer of either sign, or the last eight of at least eight bytes.
func Hash(b []byte) (h uint64, rest []byte, err error) {
	switch msgp.NextType(b) {
	case msgp.UintType:
		return msgp.ReadUint64Bytes(b)
	case msgp.BinType:
		digest, rest, err := msgp.ReadBytesZC(b)
		if err == nil && len(digest) < 8 {
			return 0, b, fmt.Errorf("a hash must have at least 8 bytes, got %d", len(digest))
		}
		if err != nil {
			return 0, b, err
		}
		return binary.BigEndian.Uint64(digest[len(digest)-8:]), rest, nil
	}
	i, rest, err := msgp.ReadInt64Bytes(b)
	return uint64(i), rest, err
}

// SkipArray passes over an array and returns how many elements it has. It is fast for integers.
func SkipArray(b []byte) (n int, rest []byte, err error) {
	n, b, err = Array(b)
	if err != nil {
		return 0, b, err
	}
	for left := n; left > 0; left-- {
		if len(b) == 0 {
			return 0, b, ErrShort
		}
		size := 1
		// 0xcc to 0xcf are the unsigned integers of 1, 2, 4 and 8 bytes, 0xd0 to 0xd3 the signed ones.
		if c := b[0]; c-0xcc < 8 {
			size += 1 << (c & 3)
		} else if c >= 0x80 && c < 0xe0 {
			if b, err = msgp.Skip(b); err != nil {
				return 0, b, err
			}
			continue
		}
		if size > len(b) {
			return 0, b, ErrShort
		}
		b = b[size:]
	}
	return n, b, nil
}
