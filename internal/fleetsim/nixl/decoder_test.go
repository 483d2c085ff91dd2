package nixl

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// header and entry are what a reader that knows only the published layout finds in a file.
type header struct {
	write, read, capacity, mask uint64
	version, expected           int32
}

type entry struct {
	time     uint64 // V1
	category int32  // V1, V2Named, V2
	name     string // V1, V2Named
	kind     uint32 // V2 and later
	pad      uint32
	value    uint64
}

// decode reads a whole file of little-endian words by pread. It shares nothing with the writer.
func decode(t testing.TB, path string, l Layout) (header, []entry) {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	u32, u64 := binary.LittleEndian.Uint32, binary.LittleEndian.Uint64
	h := header{
		write: u64(raw), read: u64(raw[8:]), version: int32(u32(raw[16:])), expected: int32(u32(raw[20:])),
		capacity: u64(raw[24:]), mask: u64(raw[32:]),
	}
	body := raw[40:]
	if l == V5 {
		h.capacity, h.mask, h.read, body = u64(raw[8:]), u64(raw[24:]), u64(raw[256:]), raw[512:]
	}
	var entries []entry
	for i := range h.capacity {
		switch l {
		case V1:
			e := named(t, body[56*i+8:][:48])
			e.time = u64(body[56*i:])
			entries = append(entries, e)
		case V2Named:
			entries = append(entries, named(t, body[48*i:][:48]))
		case V2:
			e := body[16*i:][:16]
			entries = append(entries, entry{category: int32(u32(e)), kind: u32(e[4:]), value: u64(e[8:])})
		default:
			e := body[16*i:][:16]
			entries = append(entries, entry{kind: u32(e), pad: u32(e[4:]), value: u64(e[8:])})
		}
	}
	each := map[Layout]int{V1: 56, V2Named: 48}[l]
	if each == 0 {
		each = 16
	}
	require.Zero(t, len(body)%each)
	require.Equal(t, int(h.capacity), len(body)/each, "events that the file has room for")
	return h, entries
}

// named decodes category, name, padding and value.
func named(t testing.TB, b []byte) entry {
	t.Helper()
	name, rest, _ := bytes.Cut(b[4:36], []byte{0})
	require.Empty(t, bytes.Trim(rest, "\x00"), "what follows the name")
	return entry{
		category: int32(binary.LittleEndian.Uint32(b)), name: string(name), pad: binary.LittleEndian.Uint32(b[36:]),
		value: binary.LittleEndian.Uint64(b[40:]),
	}
}

// layoutOf tells what layout a file has; version 2 needs the size of an event.
func layoutOf(t testing.TB, raw []byte) Layout {
	t.Helper()
	each := (len(raw) - 40) / int(binary.LittleEndian.Uint64(raw[24:]))
	switch version := binary.LittleEndian.Uint32(raw[16:]); {
	case version == 1:
		return V1
	case version == 2 && each == 48:
		return V2Named
	case version == 2 && each == 16:
		return V2
	case version == 3:
		return V3
	case version == 4:
		return V4
	}
	require.Fail(t, "no release writes this")
	return 0
}

// unread are the entries between the positions.
func unread(h header, entries []entry) []entry {
	var out []entry
	for at := h.read; at != h.write; at = (at + 1) & h.mask {
		out = append(out, entries[at])
	}
	return out
}

// pairs are type and value of each entry.
func pairs(entries []entry) [][2]uint64 {
	var out [][2]uint64
	for _, e := range entries {
		out = append(out, [2]uint64{uint64(e.kind), e.value})
	}
	return out
}
