package serving

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// storm feeds windows of five seconds and returns the states.
func storm(s *KVStorm, from float64, windows int, thrash, free float64) (states []KVStormState) {
	for i := range windows {
		states = append(states, s.Add(KVChurn{
			End: from + 5*float64(i+1), Seconds: 5, Stored: 10_000, Regret: thrash * 10_000, Evicted: 600, Free: free, FreeKnown: true,
		}))
	}
	return states
}

func TestAStormIsFoundAndEnds(t *testing.T) {
	var s KVStorm
	for _, v := range storm(&s, 0, 100, 0.02, 0) {
		assert.False(t, v.Active)
	}
	on := storm(&s, 500, 10, 0.6, 0)
	assert.True(t, on[2].Active, "three scrapes")
	assert.InDelta(t, 0.6, on[9].Thrash, 1e-9)
	assert.InDelta(t, 1, on[9].Surge, 1e-9)
	off := storm(&s, 550, 30, 0.02, 0)
	assert.True(t, off[10].Active, "it must be calm for a minute")
	assert.False(t, off[20].Active)
	low := storm(&s, 700, 20, 0.15, 0)
	assert.False(t, low[19].Active, "between the thresholds nothing begins")
	storm(&s, 800, 5, 0.6, 0)
	held := storm(&s, 825, 100, 0.15, 0)
	assert.True(t, held[99].Active, "and nothing ends")
}

func TestNoStormWhileThereIsRoomOrNothingIsStored(t *testing.T) {
	var s KVStorm
	for _, v := range storm(&s, 0, 20, 0.6, 0.1) {
		assert.False(t, v.Active)
	}
	var quiet KVStorm
	v := quiet.Add(KVChurn{End: 5, Seconds: 5, Stored: 100, Regret: 90, Evicted: 5})
	assert.False(t, v.Known, "too little to say anything")
	v = (&KVStorm{}).Add(KVChurn{End: 5, Seconds: 5})
	assert.True(t, v.Known && v.Thrash == 0, "nothing is stored, so nothing is stored again")
}

func TestAStormEndsWithTheTraffic(t *testing.T) {
	var s KVStorm
	require.True(t, storm(&s, 0, 10, 0.6, 0)[9].Active)
	var last KVStormState
	for i := range 24 {
		last = s.Add(KVChurn{End: 50 + 5*float64(i+1), Seconds: 5, Stored: 100, Regret: 60, Evicted: 6, FreeKnown: true})
	}
	assert.False(t, last.Known)
	assert.False(t, last.Active, "two minutes in which next to nothing was computed again")
}

func TestAStormIsBounded(t *testing.T) {
	var s KVStorm
	for i := range 10_000 {
		s.Add(KVChurn{End: float64(i) / 10, Seconds: 0.1, Stored: 100, Evicted: 1})
	}
	assert.LessOrEqual(t, len(s.windows), 460)
	assert.LessOrEqual(t, len(s.calm), maxWindows)
}

func TestLowestOfAnHour(t *testing.T) {
	var l KVLowest
	for s := 6000.0; s < 6000+3600; s += 5 {
		_, ok := l.Add(s, 0.5)
		require.False(t, ok, "%v s", s-6000)
	}
	v, ok := l.Add(9601, 0.2)
	assert.True(t, ok)
	assert.InDelta(t, 0.2, v, 1e-9)
	for s := 9610.0; s < 9601+3600; s += 50 {
		v, _ = l.Add(s, 0.6)
		require.InDelta(t, 0.2, v, 1e-9)
	}
	v, _ = l.Add(9601+3700, 0.6)
	assert.InDelta(t, 0.6, v, 1e-9, "an hour later it is forgotten")
	_, ok = l.Add(99_999, 0.1)
	assert.False(t, ok, "after a pause")
}

func TestHBMAddsUp(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for range 10_000 {
		h := HBM{
			Limit: 1 + rng.Float64()*1e12, Engine: 1 + rng.Float64()*1.2e12, Others: rng.Float64() * 1e11,
			KVPool: rng.Float64()*1e12 - 1e11, Weights: rng.Float64()*1e12 - 1e11,
		}
		u, ok := h.Divide()
		require.True(t, ok)
		require.InEpsilon(t, h.Limit, u.Total(), 1e-9)
		for _, v := range []float64{u.Weights, u.Runtime, u.KVPool, u.OtherProcess, u.Outside, u.Unattributed} {
			require.GreaterOrEqual(t, v, 0.0)
		}
	}
	_, ok := HBM{Limit: 10}.Divide()
	assert.False(t, ok)
	u, _ := HBM{Limit: 80, Engine: 70, Others: 2, KVPool: 50, Weights: 15}.Divide()
	assert.Equal(t, HBMUse{Weights: 15, Runtime: 5, KVPool: 50, OtherProcess: 2, Outside: 8}, u)
}

func BenchmarkStorm(b *testing.B) {
	var s KVStorm
	b.ReportAllocs()
	for i := range b.N {
		s.Add(KVChurn{End: 5 * float64(i), Seconds: 5, Stored: 1e4, Regret: 100, Evicted: 600})
	}
}

func BenchmarkUnheldSeconds(b *testing.B) {
	bounds, counts := []float64{}, []float64{0}
	for x := 0.125; x < 40_000; x *= math.Sqrt2 {
		bounds, counts = append(bounds, x), append(counts, 5)
	}
	b.ReportAllocs()
	for range b.N {
		UnheldSeconds(bounds, counts, 1e4, 8, 100)
	}
}
