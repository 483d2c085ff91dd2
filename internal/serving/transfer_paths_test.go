package serving

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Bounds are those of vLLM's transfer time, s.
func transferDurations(counts ...float64) Buckets {
	return Buckets{Bounds: []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 5}, Counts: counts}
}

func TestASlowPathIsAWayOfItsOwn(t *testing.T) {
	prompts := lengthsAround(1300)
	sizes := Buckets{Bounds: prompts.Bounds, Counts: prompts.Counts}
	p, ok := PathsOf(transferDurations(10100, 3500, 60, 130, 230, 290, 950, 910, 1050, 1100, 670, 410, 0), sizes)
	require.True(t, ok)
	assert.InDelta(t, 0.3, p.SlowShare, 0.01)
	assert.InDelta(t, 0.0038, p.Ordinary, 0.001)
	assert.InDelta(t, 0.5, p.Slow, 0.15)
	for name, one := range map[string]Buckets{
		"one slow path for all": transferDurations(0, 46, 2340, 4400, 4240, 3200, 7700, 4060, 1350, 6, 0, 0, 0),
		"stalls":                transferDurations(10000, 3500, 20, 10, 5, 400, 10, 0, 0, 0, 0, 0, 0),
		"a few":                 transferDurations(10000, 3500, 5, 10, 10, 10, 10, 0, 0, 0, 0, 0, 0),
		"nothing":               transferDurations(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
		"no histogram":          {},
	} {
		_, ok := PathsOf(one, sizes)
		assert.False(t, ok, name)
	}
	twoKinds := Buckets{Bounds: []float64{100, 500, 50_000, 100_000}, Counts: []float64{0, 700, 0, 300, 0}}
	_, ok = PathsOf(transferDurations(10100, 3500, 60, 130, 230, 290, 950, 910, 1050, 1100, 670, 410, 0), twoKinds)
	assert.False(t, ok, "long prompts take longer")
}
