package estimate

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// collinear has two columns that are the same but for so much.
func collinear(rng *rand.Rand, apart float64) *Regression {
	r := NewRegression(4, 1)
	truth := []float64{2, 0.5, 1, 0} // the last one would rather be negative
	for range 60 {
		x := []float64{1, 1 + rng.Float64(), 0, 0}
		x[2] = x[1] + apart*rng.NormFloat64()
		x[3] = x[0] + apart*rng.NormFloat64()
		y := 0.3 * rng.NormFloat64() * apart
		for i := range x {
			y += truth[i] * x[i]
		}
		r.Add(x, y-0.2*apart*x[3], apart*apart)
	}
	return r
}

// optimal holds theta against the conditions of Karush, Kuhn and Tucker, in unknowns of unit size.
func optimal(t *testing.T, r *Regression, theta []float64) {
	t.Helper()
	var size float64
	for i := range r.n {
		size = max(size, math.Abs(r.right(i)/r.scale[i]))
	}
	for i := range r.n {
		g := r.right(i)
		for j := range r.n {
			g -= r.at(i, j) * theta[j]
		}
		g /= r.scale[i] * size
		require.GreaterOrEqual(t, theta[i], 0.0)
		require.LessOrEqual(t, g, 1e-9, "unknown %d would rather be larger", i)
		if theta[i] > 0 {
			require.GreaterOrEqual(t, g, -1e-9, "unknown %d would rather be smaller", i)
		}
	}
}

func TestNearlyCollinearUnknownsHaveTheExactMinimum(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 9))
	for range 200 {
		r := collinear(rng, math.Pow(10, -1-2.5*rng.Float64()))
		first := append([]float64(nil), r.Solve()...)
		optimal(t, r, first)
		assert.InDeltaSlice(t, first, r.Solve(), 1e-9, "asked again it says the same")
		for i := range r.theta {
			r.theta[i] = 10 * rng.Float64()
		}
		again := r.Solve()
		optimal(t, r, again)
		assert.InDeltaSlice(t, first, again, 1e-4*(1+first[0]), "wherever it begins")
	}
}

func TestUnknownsThatAreTheSameKeepTheBestSoFar(t *testing.T) {
	r := NewRegression(2, 1)
	for i := range 10 {
		r.Add([]float64{float64(i), float64(i)}, 4*float64(i), 1)
	}
	theta := r.Solve()
	assert.InDelta(t, 4, theta[0]+theta[1], 1e-6)
}
