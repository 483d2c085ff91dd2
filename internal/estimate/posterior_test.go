package estimate

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

// y = a max(x, b) in noise: not linear in b.
func kneeSamples(n int) (x, y []float64) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range n {
		v := 10 * rng.Float64()
		x = append(x, v)
		y = append(y, 2*math.Max(v, 4)*(1+0.01*rng.NormFloat64()))
	}
	return x, y
}

func TestPosteriorFindsUnknownsThatAreNotLinear(t *testing.T) {
	x, y := kneeSamples(300)
	p := NewPosterior([]float64{1, 6}, []float64{0.7, 0.7})
	before := p.Variance([]float64{1, 0})
	assert.InDelta(t, 0.49, before, 1e-12, "without samples it is the expectation's")
	theta := p.Fit(len(x), func(i int, th []float64) float64 { return (th[0]*math.Max(x[i], th[1])/y[i] - 1) / 0.01 })
	assert.InEpsilon(t, 2, theta[0], 0.01)
	assert.InEpsilon(t, 4, theta[1], 0.01)
	assert.Less(t, p.Variance([]float64{1, 0}), 1e-5)
	assert.InDelta(t, 1, p.Scatter(), 0.3)
}

func TestPosteriorKeepsToTheExpectationWhereDataSaysNothing(t *testing.T) {
	p := NewPosterior([]float64{3, 5}, []float64{0.5, 0.2})
	theta := p.Fit(10, func(_ int, th []float64) float64 { return (th[0] - 2) / 0.001 })
	assert.InEpsilon(t, 2, theta[0], 0.001)
	assert.InEpsilon(t, 5, theta[1], 1e-9)
	assert.InEpsilon(t, 0.04, p.Variance([]float64{0, 1}), 1e-6)
}

// Units do not matter: unknowns in thousandths give the same answer in thousandths.
func TestPosteriorInOtherUnits(t *testing.T) {
	x, y := kneeSamples(100)
	fit := func(unit float64) []float64 {
		p := NewPosterior([]float64{1 * unit, 6}, []float64{0.7, 0.7})
		return p.Fit(len(x), func(i int, th []float64) float64 { return (th[0]/unit*math.Max(x[i], th[1])/y[i] - 1) / 0.01 })
	}
	a, b := fit(1), fit(1000)
	assert.InEpsilon(t, a[0], b[0]/1000, 1e-6)
	assert.InEpsilon(t, a[1], b[1], 1e-6)
}
