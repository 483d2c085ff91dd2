package nixl

import (
	"encoding/binary"
	"fmt"
)

// Layout is the format of a BUFFER file. It is not the version that the file tells: two formats say 2, and two say 5.
type Layout int

// Layouts, and the releases that write them.
const (
	V1      Layout = iota + 1 // 0.5.1 to 1.0.1
	V2Named                   // the wheel nixl-cu12 1.1.0, unlike the tag v1.1.0: names as in V1, but no time
	V2                        // the tag v1.1.0, 1.2.0: numbers in the place of names
	V3                        // 1.3.0 to 1.3.2
	V4                        // the tag v1.3.1, 1.4.0 to 1.5.1
	V5                        // proposed in ai-dynamo/nixl#2018: positions on cache lines of their own; no release
	V5Fork                    // the fork fengjica/nixl: the header of V4, other numbers above 19
)

func (l Layout) String() string {
	names := [...]string{"v1", "v2-named", "v2", "v3", "v4", "v5", "v5-fork"}
	if l < V1 || l > V5Fork {
		return fmt.Sprintf("Layout(%d)", int(l))
	}
	return names[l-1]
}

// MarshalText gives what String gives, of a layout that exists.
func (l Layout) MarshalText() ([]byte, error) {
	_, err := l.figures()
	return []byte(l.String()), err
}

// UnmarshalText takes what String gives.
func (l *Layout) UnmarshalText(text []byte) error {
	for known := V1; known <= V5Fork; known++ {
		if known.String() == string(text) {
			*l = known
			return nil
		}
	}
	return fmt.Errorf("layout: want %s to %s, got %q", V1, V5Fork, text)
}

// layout is a Layout in figures. Offsets and sizes are in bytes.
type layout struct {
	version                               int32
	header, event                         int
	writePos, readPos                     int
	versionAt, expectedAt, capacity, mask int

	encode func(dst []byte, e event, pad uint32)

	timed bool // events carry the time at which they were staged
	// bounded staging queues refuse what they have no room for; V1 had no bound.
	bounded bool
	// batched transfers are staged whole or not at all, and what the queue refuses is told in an event of type dropped. Before,
	// the post time was staged alone, the other three together, and refusals went unsaid.
	batched bool
	dropped EventType
}

func (l Layout) figures() (layout, error) {
	f := layout{
		version: 4, header: 40, event: 16,
		writePos: 0, readPos: 8, versionAt: 16, expectedAt: 20, capacity: 24, mask: 32,
		encode: encodeTyped, bounded: true, batched: true, dropped: EventsDropped,
	}
	switch l {
	case V1:
		f.version, f.event, f.encode, f.timed, f.bounded, f.batched = 1, 56, encodeTimed, true, false, false
	case V2Named:
		f.version, f.event, f.encode, f.batched = 2, 48, encodeNamed, false
	case V2:
		f.version, f.encode, f.batched = 2, encodeCategorised, false
	case V3:
		f.version, f.batched = 3, false
	case V4:
	case V5:
		f.version, f.header, f.capacity, f.mask, f.readPos = 5, 512, 8, 24, 256
	case V5Fork:
		f.version, f.dropped = 5, forkEventsDropped
	default:
		return layout{}, fmt.Errorf("layout: want %d to %d, got %d", int(V1), int(V5Fork), int(l))
	}
	return f, nil
}

// size is that of a whole file.
func (f layout) size(capacity uint64) int64 { return int64(f.header) + int64(f.event)*int64(capacity) }

// encodeTimed writes u64 time, then what encodeNamed writes.
func encodeTimed(dst []byte, e event, pad uint32) {
	binary.NativeEndian.PutUint64(dst, uint64(e.at))
	encodeNamed(dst[8:], e, pad)
}

// encodeNamed writes i32 category, char[32] name filled up with NUL, 4 bytes of padding, u64 value.
func encodeNamed(dst []byte, e event, pad uint32) {
	const name, end = 4, 36
	binary.NativeEndian.PutUint32(dst, e.kind.category())
	n := copy(dst[name:end-1], e.kind.text())
	clear(dst[name+n : end])
	binary.NativeEndian.PutUint32(dst[end:], pad)
	binary.NativeEndian.PutUint64(dst[40:], e.value)
}

// encodeCategorised writes i32 category, u32 type, u64 value.
func encodeCategorised(dst []byte, e event, _ uint32) {
	binary.NativeEndian.PutUint32(dst, e.kind.category())
	binary.NativeEndian.PutUint32(dst[4:], uint32(e.kind))
	binary.NativeEndian.PutUint64(dst[8:], e.value)
}

// encodeTyped writes u32 type, 4 bytes of padding, u64 value.
func encodeTyped(dst []byte, e event, pad uint32) {
	binary.NativeEndian.PutUint32(dst, uint32(e.kind))
	binary.NativeEndian.PutUint32(dst[4:], pad)
	binary.NativeEndian.PutUint64(dst[8:], e.value)
}
