package nixl

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// seed adds every recorded file of a kind.
func seed(f *testing.F, pattern string, add func([]byte)) {
	paths, err := filepath.Glob(filepath.Join(recordings, pattern))
	require.NoError(f, err)
	require.NotEmpty(f, paths)
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		require.NoError(f, err)
		add(raw)
	}
}

// FuzzHeader holds that what is taken for a ring fits into the file, whatever the header says.
func FuzzHeader(f *testing.F) {
	seed(f, "*/*/*.ring", func(raw []byte) { f.Add(raw[:min(len(raw), headerSizeV5)], int64(len(raw)), true) })
	f.Fuzz(func(t *testing.T, header []byte, size int64, unknown bool) {
		g, err := ParseHeader(header, size, unknown)
		if err != nil {
			return
		}
		form := g.Layout.form()
		assert.LessOrEqual(t, form.size(g.Capacity), size)
		assert.LessOrEqual(t, g.Capacity, uint64(maxCapacity))
		assert.Zero(t, g.Capacity&(g.Capacity-1))
		if !unknown {
			assert.NotContains(t, []Layout{V5Fork, Other}, g.Layout)
		}
	})
}

// FuzzEvents reads whole files as rings, first as an observer, which must leave them as they are, then as the consumer.
func FuzzEvents(f *testing.F) {
	seed(f, "*/*/*.ring", func(raw []byte) { f.Add(raw) })
	f.Add(exampleRing(f))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, raw []byte) {
		path := filepath.Join(dir, "a")
		require.NoError(t, os.WriteFile(path, raw, 0o600))
		r, err := Open(path, true)
		if err != nil {
			return
		}
		defer func() { assert.NoError(t, r.Close()) }()
		tally := NewTally(r.Geometry().Layout)
		p, err := r.Poll(new(Scratch), tally)
		assert.Equal(t, raw, content(t, path))
		if err != nil {
			return
		}
		assert.Less(t, uint64(p.Read), r.Geometry().Capacity)
		require.NoError(t, r.Claim())
		again, err := r.Poll(new(Scratch), tally)
		require.NoError(t, err)
		assert.Zero(t, again.Read, "each event is read once")
		assert.Zero(t, again.Waiting, "all are taken out")
		after := content(t, path)
		clear(after[r.form.readPos : r.form.readPos+8])
		clear(raw[r.form.readPos : r.form.readPos+8])
		assert.Equal(t, raw, after, "nothing but the read position changes")
	})
}

// FuzzStore holds that a store that is taken has what its fields promise.
func FuzzStore(f *testing.F) {
	seed(f, "*/store/*.mmap", func(raw []byte) { f.Add(raw) })
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := ParseStore(raw)
		if err != nil {
			return
		}
		assert.LessOrEqual(t, len(s.Bounds), maxBuckets)
		assert.Len(t, s.Duration, len(s.Bounds)+1)
		assert.Len(t, s.Post, len(s.Bounds)+1)
		assert.True(t, len(s.Bounds) < 2 || s.Bounds[0] < s.Bounds[1])
	})
}
