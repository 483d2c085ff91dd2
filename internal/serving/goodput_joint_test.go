package serving

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestJointGoodput(t *testing.T) {
	frechet := Goodput{Low: 2, Mid: 4, High: 8, Coarse: true}
	got, ok := frechet.Joint(10, Seen{Finished: 100, Told: 100, Met: 60})
	require.True(t, ok)
	assert.Equal(t, Goodput{Low: 6, Mid: 6, High: 6}, got, "a span for each request: exact")

	got, ok = frechet.Joint(10, Seen{Finished: 100, Told: 50, Met: 30})
	require.True(t, ok)
	assert.Equal(t, Goodput{Low: 3, Mid: 6, High: 8}, got, "the other half may or may not have met them")

	got, ok = frechet.Joint(10, Seen{Finished: 100, Told: 100, Met: 90})
	require.True(t, ok)
	assert.Equal(t, Goodput{Low: 9, Mid: 9, High: 9}, got, "spans count, buckets are interpolated")

	for _, s := range []Seen{{}, {Finished: 10, Told: 20, Met: 1}, {Finished: 10, Told: 5, Met: 6}} {
		got, ok = frechet.Joint(10, s)
		assert.False(t, ok, s)
		assert.Equal(t, frechet, got)
	}
}

// Whatever sampling prefers, the truth is within the bounds.
func TestJointGoodputHoldsUnderAnySampling(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for range 2000 {
		finished := 1 + rng.IntN(500)
		met := rng.IntN(finished + 1)
		toldMet, toldOther := rng.IntN(met+1), rng.IntN(finished-met+1)
		rate := 10 * rng.Float64()
		wide := Goodput{High: rate}
		got, ok := wide.Joint(rate, Seen{Finished: float64(finished), Told: float64(toldMet + toldOther), Met: float64(toldMet)})
		if toldMet+toldOther == 0 {
			assert.False(t, ok)
			continue
		}
		truth := rate * float64(met) / float64(finished)
		assert.LessOrEqual(t, got.Low, truth+1e-9)
		assert.GreaterOrEqual(t, got.High, truth-1e-9)
		assert.LessOrEqual(t, got.Low, got.Mid)
		assert.LessOrEqual(t, got.Mid, got.High)
	}
}
