package nixl // import "github.com/otelcol-inference/otelcol-inference/internal/nixl"

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// What a file can be instead of a ring. Each is wrapped with what is wrong.
var (
	// ErrInitialising is a file that its writer has not finished, or has given up: look again later.
	ErrInitialising = errors.New("the ring is not made yet")
	// ErrInvalid is a file that contradicts itself. A writer may yet make it anew.
	ErrInvalid = errors.New("not a ring of NIXL")
	// ErrUnsupported is a ring of a version whose events are not known.
	ErrUnsupported = errors.New("the version of the ring is not supported")
)

// maxCapacity bounds a ring, in events; with it a file has at most 940 MB.
const maxCapacity = 1 << 24

// Geometry is the shape of a ring.
type Geometry struct {
	Layout   Layout
	Version  int32 // that the file tells
	Capacity uint64
	Oversize bool // the file goes on behind the ring
}

// ParseHeader tells the shape of a file from its first 512 bytes, or fewer if it is shorter, and its size. allowUnknown takes
// versions that are not known, and the fork's meaning of 5, for a ring of V3 if they have its shape.
func ParseHeader(header []byte, size int64, allowUnknown bool) (Geometry, error) {
	if len(header) < headerSize || size < headerSize {
		return Geometry{}, fmt.Errorf("%w: want %d bytes, got %d", ErrInitialising, headerSize, size)
	}
	version := int32(binary.NativeEndian.Uint32(header[versionAt:]))
	expected := int32(binary.NativeEndian.Uint32(header[expectedAt:]))
	switch {
	case version == 0 || expected == 0:
		return Geometry{}, fmt.Errorf("%w: version 0", ErrInitialising)
	case version != expected:
		return Geometry{}, fmt.Errorf("%w: version %d, but %d expected", ErrInvalid, version, expected)
	}
	switch version {
	case 1:
		return fit(header, size, version, V1)
	case 2:
		return fitSecond(header, size)
	case 3:
		return fit(header, size, version, V3)
	case 4:
		return fit(header, size, version, V4)
	case 5:
		if g, err := fit(header, size, version, V5); err == nil {
			return g, nil
		}
		return fitUnknown(header, size, version, V5Fork, allowUnknown)
	}
	return fitUnknown(header, size, version, Other, allowUnknown)
}

// fitSecond tells the two layouts of version 2 apart, for which there is only the exact size.
func fitSecond(header []byte, size int64) (Geometry, error) {
	for _, l := range []Layout{V2, V2Named} {
		if g, err := fit(header, size, 2, l); err == nil && !g.Oversize {
			return g, nil
		}
	}
	g, err := fit(header, size, 2, V2)
	if err == nil {
		err = fmt.Errorf("%w: %d bytes are a ring of %d events of neither 16 nor 48 bytes", ErrInvalid, size, g.Capacity)
	}
	return Geometry{}, err
}

func fitUnknown(header []byte, size int64, version int32, l Layout, allowed bool) (Geometry, error) {
	g, err := fit(header, size, version, l)
	if err != nil || g.Oversize || !allowed {
		return Geometry{}, fmt.Errorf("%w: version %d", ErrUnsupported, version)
	}
	return g, nil
}

// fit holds the header and the size against a layout.
func fit(header []byte, size int64, version int32, l Layout) (Geometry, error) {
	f := l.form()
	if len(header) < f.header {
		return Geometry{}, fmt.Errorf("%w: want a header of %d bytes, got %d", ErrInvalid, f.header, len(header))
	}
	capacity := binary.NativeEndian.Uint64(header[f.capacity:])
	mask := binary.NativeEndian.Uint64(header[f.mask:])
	switch {
	case capacity == 0 || capacity&(capacity-1) != 0:
		return Geometry{}, fmt.Errorf("%w: capacity must be a power of two (got %d)", ErrInvalid, capacity)
	case capacity > maxCapacity:
		return Geometry{}, fmt.Errorf("%w: capacity must be at most %d (got %d)", ErrInvalid, maxCapacity, capacity)
	case mask != capacity-1:
		return Geometry{}, fmt.Errorf("%w: mask must be %d (got %d)", ErrInvalid, capacity-1, mask)
	}
	want := f.size(capacity)
	if size < want {
		return Geometry{}, fmt.Errorf("%w: a ring of %d events of %s has %d bytes (got %d)", ErrInvalid, capacity, l, want, size)
	}
	return Geometry{Layout: l, Version: version, Capacity: capacity, Oversize: size > want}, nil
}

// size is that of the file of a ring.
func (f form) size(capacity uint64) int64 { return int64(f.header) + int64(f.event)*int64(capacity) }
