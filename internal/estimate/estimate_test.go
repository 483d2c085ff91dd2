package estimate

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRegressionFindsTheCosts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	want := []float64{0.02, 5e-5, 3e-5}
	r := NewRegression(3, 1)
	for range 400 {
		x := []float64{100 + 50*rng.Float64(), 30_000 * rng.Float64(), 3000 * rng.Float64()}
		y := x[0]*want[0] + x[1]*want[1] + x[2]*want[2]
		r.Add(x, y*(1+0.01*rng.NormFloat64()), 1)
	}
	got := r.Solve()
	for i := range want {
		assert.InEpsilon(t, want[i], got[i], 0.05)
	}
	assert.InDelta(t, 400, r.EffectiveSamples(), 1e-9)
	assert.Less(t, r.Condition(), 10.0)
}

func TestRegressionKeepsCostsFromGoingNegative(t *testing.T) {
	// y falls with x1: the unconstrained answer is negative, the constrained one is zero and the rest is fitted alone.
	r := NewRegression(2, 1)
	for i := range 20 {
		x1 := float64(i % 5)
		r.Add([]float64{1, x1}, 10-x1, 1)
	}
	got := r.Solve()
	assert.Zero(t, got[1])
	assert.InDelta(t, 8, got[0], 1e-9)
}

func TestForgettingFollowsAChange(t *testing.T) {
	r := NewRegression(1, 0.9)
	for i := range 200 {
		y := 1.0
		if i >= 100 {
			y = 2
		}
		r.Add([]float64{1}, y, 1)
	}
	assert.InDelta(t, 2, r.Solve()[0], 0.001)
	assert.InDelta(t, 19, r.EffectiveSamples(), 0.1, "(1+f)/(1-f)")
}

// The stated variance is the scatter that repeated experiments show.
func TestVarianceIsTheScatter(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	gradient := []float64{1, 2}
	var stated, sum, sum2 float64
	const runs = 400
	for range runs {
		r := NewRegression(2, 1)
		for range 50 {
			x := []float64{1, rng.Float64()}
			r.Add(x, 3*x[0]+5*x[1]+0.5*rng.NormFloat64(), 1)
		}
		theta := r.Solve()
		v, ok := r.Variance(theta, gradient)
		require.True(t, ok)
		stated += v / runs
		f := gradient[0]*theta[0] + gradient[1]*theta[1]
		sum += f
		sum2 += f * f
	}
	seen := sum2/runs - (sum/runs)*(sum/runs)
	assert.InEpsilon(t, seen, stated, 0.2)
}

func TestCollinearDesignIsSeen(t *testing.T) {
	r := NewRegression(2, 1)
	for i := range 50 {
		x := float64(i + 1)
		r.Add([]float64{x, 3 * x}, x, 1)
	}
	assert.Greater(t, r.Condition(), 1e5)
	theta := r.Solve()
	theta[0], theta[1] = 0.1, 0.3 // both free: the pair is not determined
	_, ok := r.Variance(theta, []float64{1, 0})
	assert.False(t, ok)
}

func TestMoments(t *testing.T) {
	m := NewMoments(1)
	assert.Zero(t, m.CV())
	for _, x := range []float64{2, 4, 4, 4, 5, 5, 7, 9} {
		m.Add(x)
	}
	assert.InDelta(t, 5, m.Mean(), 1e-12)
	assert.InDelta(t, 0.4, m.CV(), 1e-12)
}

func TestNormal(t *testing.T) {
	assert.InDelta(t, 0.6827, Within(1, 1), 1e-4)
	assert.InDelta(t, 0.9750, Below(1.96), 1e-4)
	assert.InDelta(t, 1, Within(1, 0), 0)
}

func TestQuantile(t *testing.T) {
	bounds := []float64{1, 2, 4}
	for name, c := range map[string]struct {
		q      float64
		counts []float64
		want   float64
		width  float64
	}{
		"inside a bucket":        {0.5, []float64{0, 10, 0, 0}, 1.5, 1},
		"first bucket from zero": {0.5, []float64{4, 0, 0, 0}, 0.5, 1},
		"across an empty bucket": {0.9, []float64{5, 0, 5, 0}, 3.6, 2},
		"above the last bound":   {0.9, []float64{5, 0, 0, 5}, 4, math.Inf(1)},
		"at zero":                {0, []float64{0, 10, 0, 0}, 1, 1},
		"at one, last bound":     {1, []float64{0, 0, 10, 0}, 4, 2},
	} {
		t.Run(name, func(t *testing.T) {
			v, width, ok := Quantile(c.q, bounds, c.counts)
			require.True(t, ok)
			assert.InDelta(t, c.want, v, 1e-12)
			assert.Equal(t, c.width, width)
		})
	}
	_, _, ok := Quantile(0.5, bounds, []float64{0, 0, 0, 0})
	assert.False(t, ok)
}

func BenchmarkRegression(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	r := NewRegression(3, 0.995)
	x := []float64{150, 30000, 4000}
	b.ReportAllocs()
	for range b.N {
		x[1] = 30000 * rng.Float64()
		r.Add(x, 150*0.02+x[1]*5e-5+4000*3e-5, 0.01)
		r.Solve()
	}
}

func TestAnExpectationHoldsWhereSamplesDoNotTell(t *testing.T) {
	r := NewRegression(2, 1)
	for i := range 20 { // x0 and x1 always together: only 3*theta0 + theta1 is told, as 9
		f := float64(1 + i%3)
		require.True(t, r.Add([]float64{3 * f, f}, 9*f, 0.01))
	}
	r.Toward([]float64{2, 2}, []float64{0.5, 0.5})
	theta := r.Solve()
	assert.InDelta(t, 9, 3*theta[0]+theta[1], 0.01)
	assert.InDelta(t, 2.3, theta[0], 0.02, "the nearest point to the expectation on the line")
	assert.InDelta(t, 2.1, theta[1], 0.02)
	_, ok := r.Variance(theta, []float64{1, 0})
	assert.True(t, ok, "the expectation tells the rest apart")

	r.Toward([]float64{0, 100}, []float64{0, 0})
	assert.InDelta(t, 9, 3*r.Solve()[0]+r.Solve()[1], 0.01, "a deviation of 0 pulls nothing")
}

func TestShareBelow(t *testing.T) {
	bounds, counts := []float64{1, 2, 4}, []float64{10, 20, 10, 10}
	for _, c := range []struct{ x, share, width float64 }{
		{0.5, 0.1, 1}, {1, 0.2, 0}, {1.5, 0.4, 1}, {3, 0.7, 2}, {4, 0.8, 0}, {5, 0.8, math.Inf(1)}, {-1, 0, 1},
	} {
		share, width, ok := ShareBelow(c.x, bounds, counts)
		require.True(t, ok)
		assert.InDelta(t, c.share, share, 1e-12, "x %v", c.x)
		assert.Equal(t, c.width, width, "x %v", c.x)
	}
	_, _, ok := ShareBelow(1, bounds, make([]float64, 4))
	assert.False(t, ok)
}
