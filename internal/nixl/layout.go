package nixl // import "github.com/otelcol-inference/otelcol-inference/internal/nixl"

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unsafe"
)

// Layout is the format of a BUFFER file. It is not the version that the file tells: two formats say 2, and two say 5.
type Layout uint8

// Layouts, and the releases that write them.
const (
	V1      Layout = iota + 1 // 0.5.1 to 1.0.1
	V2Named                   // the wheel nixl-cu12 1.1.0: names as in V1, but no time
	V2                        // the tag v1.1.0, 1.2.0: numbers in the place of names
	V3                        // 1.3.0 to 1.3.2
	V4                        // the tag v1.3.1, 1.4.0 to 1.5.1
	V5                        // proposed in ai-dynamo/nixl#2018: positions on cache lines of their own; no release
	V5Fork                    // the fork fengjica/nixl: the header of V4, other numbers above 19
	Other                     // a version that is not known, with events of 16 bytes
)

func (l Layout) String() string {
	names := [...]string{"v1", "v2-named", "v2", "v3", "v4", "v5", "v5-fork", "other"}
	if l < V1 || l > Other {
		return fmt.Sprintf("Layout(%d)", int(l))
	}
	return names[l-1]
}

// Batched says whether a transfer's events are written together, its post time included. Before, the post time came on its own.
func (l Layout) Batched() bool { return l >= V4 }

// form is a Layout in figures. Offsets and sizes are in bytes.
type form struct {
	header, event           int
	readPos, capacity, mask int
	types                   EventType // the first number without a meaning
	// decode translates len(dst) events.
	decode func(dst []Event, src []byte)
}

// Offsets that all layouts share.
const (
	writePosAt   = 0
	versionAt    = 16
	expectedAt   = 20
	headerSize   = 40
	headerSizeV5 = 512
)

func (l Layout) form() form {
	f := form{header: headerSize, event: 16, readPos: 8, capacity: 24, mask: 32, types: EventsDropped + 1, decode: decodeTyped}
	switch l {
	case V1:
		f.event, f.types, f.decode = 56, EventsDropped, decodeTimed
	case V2Named:
		f.event, f.types, f.decode = 48, EventsDropped, decodeNamed
	case V2:
		f.types, f.decode = EventsDropped, decodeCategorised
	case V3, V5Fork, Other:
		f.types = EventsDropped
	case V5:
		f.header, f.capacity, f.mask, f.readPos = headerSizeV5, 8, 24, 256
	}
	return f
}

// decodeTimed reads u64 time, then what decodeNamed reads.
func decodeTimed(dst []Event, src []byte) {
	for i := range dst {
		e := src[56*i:][:56]
		dst[i] = Event{Type: named(e[12:44]), Value: binary.NativeEndian.Uint64(e[48:])}
	}
}

// decodeNamed reads i32 category, char[32] name ended by NUL, 4 bytes of padding, u64 value.
func decodeNamed(dst []Event, src []byte) {
	for i := range dst {
		e := src[48*i:][:48]
		dst[i] = Event{Type: named(e[4:36]), Value: binary.NativeEndian.Uint64(e[40:])}
	}
}

func named(field []byte) EventType {
	end := bytes.IndexByte(field, 0)
	if end < 0 {
		return unknownType
	}
	return typeOf(field[:end])
}

// decodeCategorised reads i32 category, u32 type, u64 value.
func decodeCategorised(dst []Event, src []byte) {
	for i := range dst {
		e := src[16*i:][:16]
		dst[i] = Event{Type: EventType(binary.NativeEndian.Uint32(e[4:])), Value: binary.NativeEndian.Uint64(e[8:])}
	}
}

// decodeTyped reads u32 type, 4 bytes of padding, u64 value, which is an Event as it stands in memory.
func decodeTyped(dst []Event, src []byte) {
	copy(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(dst))), len(dst)*int(unsafe.Sizeof(Event{}))), src)
}
