package kvcache

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func testSettings() Settings {
	return Settings{MemoryLimit: 8 << 20, Horizon: 10 * time.Minute, ExactBlocks: 1 << 20, SampledBlocks: 1 << 15, MaxDistance: 1 << 20, Seed: 0x5851f42d4c957f2d}
}

// naive does what Index does, with a list that is searched from the front and maps.
type naive struct {
	recent   []uint64 // newest first
	resident map[uint64]int
	parent   map[uint64]uint64
	reuse    Histogram
	hits     uint64
}

func newNaive() *naive {
	return &naive{resident: map[uint64]int{}, parent: map[uint64]uint64{}, reuse: NewHistogram(ReuseBounds(1 << 20))}
}

func (n *naive) store(parent uint64, hashes []uint64, tokens int) {
	if parent == 0 && !slices.ContainsFunc(hashes, func(h uint64) bool { return n.resident[h] == 0 }) {
		return // told again, or computed twice at once: nobody looked
	}
	var sequence []uint64
	above := parent
	for _, h := range hashes {
		if above != 0 {
			n.parent[h] = above
		} else {
			delete(n.parent, h)
		}
		n.resident[h] = 1
		above = h
		sequence = append([]uint64{h}, sequence...)
	}
	stored := len(sequence)
	for p := parent; p != 0; p = n.parent[p] {
		n.resident[p] = 1 // it was evicted as one of two
		sequence = append(sequence, p)
	}
	best := -1
	for i, h := range sequence {
		if i >= stored {
			n.hits += uint64(tokens)
		}
		at := slices.Index(n.recent, h)
		if at < 0 {
			n.reuse.Counts[len(n.reuse.Bounds)]++
			continue
		}
		if best < 0 || at < best {
			best = at
		}
		n.reuse.Add(float64(best+1), 1)
	}
	for _, h := range sequence {
		if at := slices.Index(n.recent, h); at >= 0 {
			n.recent = slices.Delete(n.recent, at, at+1)
		}
		n.recent = slices.Insert(n.recent, 0, h)
	}
}

// TestStackDepthsAreThoseOfAList compares with the naive model on random trees of sequences, with evictions of random blocks.
func TestStackDepthsAreThoseOfAList(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		x, n := NewIndex(testSettings(), true), newNaive()
		now := 1e9
		for range 400 {
			now += 100 // no run continues another
			x.At(now)
			switch parent := uint64(rng.IntN(300)); {
			case rng.IntN(4) == 0:
				if h := 1 + uint64(rng.IntN(400)); n.resident[h] > 0 {
					x.Remove([]uint64{h}, GPU, 0)
					n.resident[h]--
				}
			default:
				if n.resident[parent] == 0 {
					parent = 0
				}
				hashes := make([]uint64, 0, 8)
				for range 1 + rng.IntN(8) {
					// A block's parent has a smaller hash, so that sequences are trees.
					if h := parent + 1 + uint64(rng.IntN(60)) + uint64(len(hashes))*60; len(hashes) == 0 || h > hashes[len(hashes)-1] {
						hashes = append(hashes, h)
					}
				}
				x.Store(Stored{Hashes: hashes, Parent: parent, HasParent: parent != 0, Tokens: 16})
				x.EndBatch()
				n.store(parent, hashes, 16)
			}
		}
		got := x.Totals()
		require.Equal(t, n.reuse.Counts, got.Reuse.Counts, "seed %d", seed)
		require.Equal(t, n.hits, got.HitTokens)
		var resident int64
		for _, one := range n.resident {
			resident += int64(one)
		}
		require.Equal(t, resident, got.Resident[GPU])
	}
}

// TestResidentBlocks compares blocks by tier and group with a map, through clears and garbage removals.
func TestResidentBlocks(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	x := NewIndex(testSettings(), true)
	type block struct {
		hash  uint64
		tier  Tier
		group int
	}
	resident := map[block]int64{}
	for i := range 20_000 {
		x.At(float64(i))
		b := block{uint64(rng.IntN(200)), Tier(rng.IntN(Tiers)), rng.IntN(3)}
		switch r := rng.IntN(1000); {
		case r == 0:
			x.Clear()
			clear(resident)
		case r < 500:
			x.Store(Stored{Hashes: []uint64{b.hash}, Tokens: 16, Tier: b.tier, Group: b.group, Secondary: b.group > 0})
			resident[b] = 1
		default:
			x.Remove([]uint64{b.hash}, b.tier, b.group)
			resident[b] = 0
		}
	}
	var want [Tiers]int64
	for b, n := range resident {
		want[b.tier] += n
	}
	got := x.Totals()
	assert.Equal(t, want, got.Resident)
	assert.Positive(t, got.UnknownRemovals)
	checkInvariants(t, x)
}

// checkInvariants holds the parts of an index against each other.
func checkInvariants(t *testing.T, x *Index) {
	t.Helper()
	live, listed, queued := 0, 0, 0
	for i := range x.slots.used {
		s := x.slots.at(i)
		if s.live() {
			live++
		}
		if s.pos != 0 {
			listed++
		}
		if s.flags&flagQueued != 0 {
			queued++
		}
		if s.live() || s.flags&flagQueued != 0 {
			require.Equal(t, i, x.find(s.key))
		}
	}
	require.Equal(t, live, x.live)
	require.Equal(t, listed, x.list.count)
	inQueue := 0
	for i := x.queue.head; i != none; i = x.slots.at(i).next {
		inQueue++
	}
	require.Equal(t, queued, inQueue)
	require.LessOrEqual(t, x.bytes(), x.set.MemoryLimit)
}

func TestRecencyAgainstASlice(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	r := newRecency()
	var order []int // keys, newest last
	place := map[int]uint32{}
	for range 30_000 {
		key := rng.IntN(3000)
		if p, ok := place[key]; ok {
			at := slices.Index(order, key)
			if rng.IntN(50) == 0 {
				require.Equal(t, len(order)-1-at, r.newer(p))
			}
			r.drop(p)
			order = slices.Delete(order, at, at+1)
			delete(place, key)
			if rng.IntN(10) == 0 {
				continue
			}
		}
		if r.full() {
			r.compact(func(f func(uint32) uint32) {
				for k, p := range place {
					place[k] = f(p)
				}
			})
		}
		place[key] = r.push()
		order = append(order, key)
	}
	for at, key := range order {
		require.Equal(t, len(order)-1-at, r.newer(place[key]))
	}
}

func TestTableAgainstAMap(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	s, tab := newSlots(1<<20), newTable()
	byKey := map[uint64]uint32{}
	for range 200_000 {
		key := rng.Uint64N(20_000)
		h := mix(key)
		want, ok := byKey[key]
		got := tab.find(h, key, &s)
		if !ok {
			require.Equal(t, none, got)
			i, _ := s.take()
			s.at(i).key = key
			tab.insert(h, i)
			byKey[key] = i
		} else {
			require.Equal(t, want, got)
			if rng.IntN(2) == 0 {
				tab.remove(h, got)
				s.release(got)
				delete(byKey, key)
			}
		}
	}
	require.Equal(t, len(byKey), tab.n)
}
