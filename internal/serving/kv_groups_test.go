package serving

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHeldBlocksOfGroupsAddUp(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 10_000 {
		groups := make([]KVGroup, 1+rng.IntN(8))
		for i := range groups {
			groups[i] = KVGroup{BlockSize: float64(int(1) << rng.IntN(9)), Resident: 1000 * rng.Float64()}
			switch rng.IntN(3) {
			case 0:
				groups[i].Window = float64(1 + rng.IntN(4096))
			case 1:
				groups[i].State = true
			}
		}
		held, running := 1000*rng.Float64(), float64(rng.IntN(50))
		parts := KVHeld(groups, held, running, float64(rng.IntN(8000)), 7.5)
		sum, some := 0.0, false
		for i, part := range parts {
			require.GreaterOrEqual(t, part, -1e-9, "%+v", groups)
			sum += part
			some = some || part > 0
			u := groups[i].Use(part, running, 7.5, 0.9)
			require.InDelta(t, part, u.Live+u.TailWaste, 1e-9)
			require.GreaterOrEqual(t, u.Cached, 0.0)
		}
		if some {
			require.InDelta(t, held, sum, 1e-6, "%+v", groups)
		}
	}
}

func TestAWindowHoldsNoMoreThanItReaches(t *testing.T) {
	full, window := KVGroup{BlockSize: 16}, KVGroup{BlockSize: 16, Window: 129}
	parts := KVHeld([]KVGroup{full, window}, 300, 10, 400, 7.5)
	assert.InDelta(t, 10*(128+7.5+7.5)/16, parts[1], 1e-9)
	assert.InDelta(t, 300-parts[1], parts[0], 1e-9)
	parts = KVHeld([]KVGroup{full, window}, 120, 10, 80, 7.5)
	assert.InDelta(t, 10*(80+7.5)/16, parts[1], 1e-9, "shorter than the window")
	state := KVGroup{BlockSize: 256, State: true}
	assert.Equal(t, []float64{290, 10}, KVHeld([]KVGroup{full, state}, 300, 10, 400, 7.5))
	assert.InDelta(t, 25+9+1, KVFootprint([]KVGroup{full, window, state}, 400), 1e-9)
	assert.Zero(t, state.Use(10, 10, 100, 1).TailWaste, "a state is full")
}

// TestMeanWithin compares with lengths drawn from the same buckets.
func TestMeanWithin(t *testing.T) {
	bounds, counts := []float64{100, 200, 500, 2000}, []float64{3, 5, 7, 2, 1}
	rng := rand.New(rand.NewPCG(4, 4))
	for _, most := range []float64{50, 150, 300, 1200, 5000} {
		sum, n := 0.0, 0
		for i, c := range counts {
			for range int(c) * 4000 {
				low := 0.0
				if i > 0 {
					low = bounds[i-1]
				}
				high := low // of the last bucket nothing is known, so the least is taken
				if i < len(bounds) {
					high = bounds[i]
				}
				sum += min(most, 20+low+rng.Float64()*(high-low))
				n++
			}
		}
		assert.InEpsilon(t, sum/float64(n), MeanWithin(bounds, counts, 20, most), 0.02, "%v", most)
	}
	assert.Zero(t, MeanWithin(nil, nil, 1, 1))
	assert.False(t, math.IsNaN(MeanWithin(bounds, []float64{0, 0, 0, 0, 9}, 0, 10)))
}
