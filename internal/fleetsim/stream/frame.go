package stream

import "encoding/binary"

// Flags of a ZMTP 3.0 frame (https://rfc.zeromq.org/spec/23/).
const (
	flagMore = 0x01
	flagLong = 0x02
)

// appendFrame appends one frame of a message. A message of several frames then goes out in a single write, shared by all peers.
func appendFrame(dst, body []byte, more bool) []byte {
	var flags byte
	if more {
		flags = flagMore
	}
	if len(body) > 255 {
		dst = append(dst, flags|flagLong)
		dst = binary.BigEndian.AppendUint64(dst, uint64(len(body)))
	} else {
		dst = append(dst, flags, byte(len(body)))
	}
	return append(dst, body...)
}

// frameSize is the length of a frame on the wire.
func frameSize(body int) int {
	if body > 255 {
		return 9 + body
	}
	return 2 + body
}
