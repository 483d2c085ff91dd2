package kvcache

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestHoldersAreAMap: whatever is added and removed, in growing tables and sampled ones, a map has the same.
func TestHoldersAreAMap(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	h, want := newHolders(), map[uint64]uint16{}
	for range 200_000 {
		key := rng.Uint64N(5000) // zero is a key like others
		e := h.at(key)
		tokens, known := want[key]
		require.Equal(t, known, e.workers > 0)
		switch {
		case !known && rng.IntN(4) > 0:
			tokens = uint16(rng.IntN(1 << 16))
			h.add(e, key, tokens)
			want[key] = tokens
		case known && rng.IntN(3) == 0:
			h.remove(key)
			delete(want, key)
		case !known:
			h.remove(key) // nothing to remove
		default:
			require.Equal(t, holding{key: key, workers: 1, tokens: tokens}, *e)
		}
		require.Equal(t, len(want), h.n)
	}
	assert.Greater(t, len(h.entries), minTable, "it has grown")
	even := func(key uint64) bool { return key%2 == 0 }
	h.fill(len(h.entries), even)
	for key, tokens := range want {
		if even(key) {
			assert.Equal(t, holding{key: key, workers: 1, tokens: tokens}, *h.at(key))
		} else {
			assert.Zero(t, h.at(key).workers)
		}
	}
}

// TestASampledFleetCountsItsSample: whatever comes and goes before and after a sample is taken, a fleet counts those that are in it.
func TestASampledFleetCountsItsSample(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const workers, tokens = 4, 16
	f := NewFleet(minTable)
	var resident [workers]map[uint64]bool
	for w := range resident {
		resident[w] = map[uint64]bool{}
	}
	look := func() {
		copies, holders := uint64(0), map[uint64]uint16{}
		for _, blocks := range resident {
			for key := range blocks {
				if f.sampled(key) {
					copies++
					holders[key]++
				}
			}
		}
		require.Equal(t, len(holders), f.held.n)
		require.Equal(t, copies, f.copies)
		require.Equal(t, (copies-uint64(len(holders)))*tokens, f.tokens)
		for key, n := range holders {
			require.Equal(t, holding{key: key, workers: n, tokens: tokens}, *f.held.at(key))
		}
	}
	for step := range 100_000 {
		w, key := rng.IntN(workers), rng.Uint64N(6000)
		if blocks := resident[w]; blocks[key] {
			f.leave(key)
			delete(blocks, key)
		} else {
			f.arrive(key, tokens)
			blocks[key] = true
		}
		if step%5000 == 0 {
			look()
		}
	}
	assert.Positive(t, f.level)
	assert.LessOrEqual(t, f.held.n, f.limit)
	for w, blocks := range resident {
		for key := range blocks {
			f.leave(key)
		}
		clear(resident[w])
	}
	look()
	assert.Equal(t, View{}, f.View())
}
