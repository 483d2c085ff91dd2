package nixl

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestADeadAgentLeavesItsFile(t *testing.T) {
	for _, flushes := range []bool{false, true} {
		for _, kill := range []bool{false, true} {
			r, c := start(t, Options{Capacity: 8, FlushOnClose: flushes})
			r.Register(1)
			c.flush(r)
			r.Register(2)
			end, want := r.Close, 1
			if flushes {
				want = 2
			}
			if kill {
				end, want = r.Kill, 1
			}
			require.NoError(t, end())
			r.Register(3)
			c.flush(r)
			r.SetReadPosition(1)
			assert.Zero(t, r.Consume(1))
			assert.Len(t, kinds(t, r, V4), want, "flushes %v, killed %v", flushes, kill)
			assert.Equal(t, Counts{Offered: 2, Written: uint64(want), Lost: uint64(2 - want)}, r.Counts())
			assert.NoError(t, end(), "twice is once")
		}
	}
}

func TestAStalledExporter(t *testing.T) {
	r, c := start(t, Options{Capacity: 16, Staging: 5})
	r.Stall(true)
	for range 3 {
		r.Transfer(oneMiB)
		c.flush(r)
	}
	assert.Empty(t, kinds(t, r, V4))
	r.Stall(false)
	c.flush(r)
	assert.Equal(t, []uint32{7, 6, 0, 2, 20}, kinds(t, r, V4))
}

func TestAForeignReader(t *testing.T) {
	for _, l := range []Layout{V4, V5} {
		r, c := start(t, Options{Layout: l, Capacity: 8})
		for range 7 {
			r.Register(1)
		}
		c.flush(r)
		assert.Equal(t, uint64(3), r.Consume(3))
		h, _ := decode(t, r.Path(), l)
		assert.Equal(t, uint64(3), h.read)
		r.SetReadPosition(0)
		r.Register(1)
		c.flush(r)
		h, _ = decode(t, r.Path(), l)
		assert.Equal(t, [2]uint64{7, 0}, [2]uint64{h.write, h.read}, "the position went back, and the ring seems full")
		r.SetReadPosition(1 << 40)
		r.Register(1)
		c.flush(r)
		h, _ = decode(t, r.Path(), l)
		assert.Equal(t, uint64(0), h.write, "no position of a reader makes the writer leave its ring")
	}
}

func TestAForeignHeader(t *testing.T) {
	r, c := start(t, Options{Capacity: 8})
	r.SetVersion(99)
	r.SetMask(1<<60 - 1)
	for range 20 {
		r.Register(1)
		c.flush(r)
		r.Consume(1)
	}
	h, _ := decode(t, r.Path(), V4)
	assert.Equal(t, header{write: 4, read: 4, capacity: 8, mask: 1<<60 - 1, version: 99, expected: 99}, h)
}

func TestHalfMadeFiles(t *testing.T) {
	dir := t.TempDir()
	for _, size := range []int64{0, 16, 65576} {
		require.NoError(t, HalfMade(dir, "a", size))
		raw, err := os.ReadFile(filepath.Join(dir, "a"))
		require.NoError(t, err)
		assert.Equal(t, make([]byte, size), raw)
	}
	require.NoError(t, HalfMadeStore(dir, "nixl.1.2.3.mmap"))
	assert.FileExists(t, filepath.Join(dir, "nixl.1.2.3.mmap.staging"))
	assert.Error(t, HalfMade(dir, "no/a", 1))
}

func TestGarbageRepeats(t *testing.T) {
	a, b := Garbage(3), Garbage(3)
	var zero, other int
	for range 100 {
		v := a()
		require.Equal(t, v, b())
		if v == 0 {
			zero++
			continue
		}
		other++
	}
	assert.Positive(t, zero)
	assert.Positive(t, other)
}
