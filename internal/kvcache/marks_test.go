package kvcache

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestReuseGapIsTheTimeSinceTheLastUse asks again for the same prefixes at known distances in time, while others push the list through
// many compactions.
func TestReuseGapIsTheTimeSinceTheLastUse(t *testing.T) {
	x := NewIndex(testSettings(), true)
	rng := rand.New(rand.NewPCG(1, 2))
	used := map[uint64]float64{} // by prefix
	want, count, hash := 0.0, uint64(0), uint64(1<<32)
	for now := 1000.0; now < 40_000; now += 2 + 10*rng.Float64() {
		x.At(now)
		prefix := 1 + 100*uint64(rng.IntN(50))
		before, known := used[prefix]
		used[prefix] = now
		hash += 100
		if !known {
			x.Store(stored(0, span(prefix, 20)...))
			continue
		}
		x.Store(stored(prefix+19, span(hash, 5)...))
		x.EndBatch()
		if now-before > leastPause { // else it could be the growth of the same request
			want += 20 * (now - before)
			count += 20
		}
		x.Remove(span(hash, 5), GPU, 0)
	}
	got := x.Totals().ReuseGap
	require.Equal(t, count, got.Count())
	// Between two marks lie few uses here, each of many places, so that being in proportion costs something.
	assert.InEpsilon(t, want, got.Sum, 0.02)
	assert.LessOrEqual(t, len(x.marks.all), maxMarks)
}

func TestMarksAreBoundedAndInOrder(t *testing.T) {
	var m marks
	for i := range uint32(100_000) {
		m.put(i+1, i/3)
	}
	require.LessOrEqual(t, len(m.all), maxMarks)
	r := m.reader(100_001, 100_000/3)
	for _, place := range []uint32{1, 2, 50_000, 50_001, 99_999, 7} {
		assert.InDelta(t, float64(place-1)/3, float64(r.at(place)), 2, "place %d", place)
	}
	m.move(func(uint32) uint32 { return 0 })
	assert.Len(t, m.all, 1)
	again := m.reader(5, 9)
	assert.InDelta(t, 100_000/3, float64(again.at(1)), 60, "the newest of those whose places are gone")
	none := (&marks{}).reader(5, 9)
	assert.Equal(t, uint32(9), none.at(3), "nothing is known")
}
