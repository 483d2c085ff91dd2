package serving

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPricerDividesJoulesOfAKnownEngine(t *testing.T) {
	for seed := range uint64(5) {
		e, s, p := newStepper(seed), NewPassSplitter(), NewPricer(0.2, 0.05)
		var got Amounts
		before := 0.0
		for i := range 300 {
			if i == 3*minPriced {
				*e, got, before = stepper{rng: e.rng}, Amounts{}, 0
			}
			idle := 1 + math.Sin(float64(i)/7)
			work, elapsed := e.window(5, 0.2+0.1*math.Sin(float64(i)/15), idle)
			split := s.Split(work, elapsed, Running{Seen: true})
			joules := e.joules - before
			before = e.joules
			measured := joules * (1 + 0.05*e.rng.NormFloat64())
			one := p.Divide(measured, elapsed, split.Idle, work, split.Costs)
			require.InDelta(t, measured, one.Prefill+one.Decode+one.Idle+one.Unattributed, 1e-6*measured)
			got.Prefill += one.Prefill
			got.Decode += one.Decode
			got.Idle += one.Idle
			got.Unattributed += one.Unattributed
		}
		assert.InEpsilon(t, e.preJoules, got.Prefill, 0.06, "seed %d", seed)
		assert.InEpsilon(t, e.joules-e.preJoules-e.idleJoules, got.Decode, 0.06, "seed %d", seed)
		assert.InDelta(t, e.idleJoules, got.Idle, 0.03*e.joules, "seed %d", seed)
		assert.Zero(t, got.Unattributed)
	}
}

// Joules or millijoules: the parts are the same shares.
func TestPricerInOtherUnits(t *testing.T) {
	e, s, joules, other := newStepper(3), NewPassSplitter(), NewPricer(0.2, 0.05), NewPricer(0.2, 0.05)
	const unit = 1000
	before := 0.0
	for i := range 60 {
		work, elapsed := e.window(5, 0.2+0.1*math.Sin(float64(i)/15), 0.5)
		split := s.Split(work, elapsed, Running{Seen: true})
		amount := e.joules - before
		before = e.joules
		want := joules.Divide(amount, elapsed, split.Idle, work, split.Costs).Times(unit)
		got := other.Divide(unit*amount, elapsed, split.Idle, work, split.Costs)
		require.Equal(t, want.Withheld, got.Withheld)
		require.InDelta(t, want.Prefill, got.Prefill, 1e-4*unit*amount)
		require.InDelta(t, want.Idle, got.Idle, 1e-4*unit*amount)
		require.InDelta(t, want.Confidence, got.Confidence, 1e-3)
	}
}

// Whatever the work is said to be, the parts add up to what was measured.
func TestWorkThatCannotBeLosesNoJoules(t *testing.T) {
	p := NewPricer(0.2, 0.05)
	for _, work := range []Passes{{Decode: Steps{Count: -1}}, {Decode: Steps{Count: math.Inf(1)}}, {Decode: Steps{Count: math.NaN()}}} {
		got := p.Divide(2000, 5, 0, work, Costs{})
		assert.Equal(t, Amounts{Unattributed: 2000, Withheld: WithheldBadInput}, got)
	}
	assert.Equal(t, Amounts{Prefill: 2, Decode: 4, Idle: 6, Unattributed: 8, Confidence: 0.5}, Amounts{1, 2, 3, 4, 0.5, ""}.Times(2))
}

func TestPricerWithholdsWhatItCannotKnow(t *testing.T) {
	p := NewPricer(0.2, 0.05)
	work := Passes{Mixed: Steps{Count: 50, PrefillTokens: 5e4, Sequences: 1000, Context: 1e6}, Decode: Steps{Count: 100, Sequences: 2000, Context: 2e6}}
	got := p.Divide(3000, 5, 0, work, Costs{})
	assert.Equal(t, WithheldWarmUp, got.Withheld)
	assert.InDelta(t, 3000, got.Unattributed, 1e-9)
	for range 30 {
		got = p.Divide(3000, 5, 0, work, Costs{})
	}
	assert.Equal(t, WithheldUncertain, got.Withheld, "constant load, and nothing to expect")
	assert.InDelta(t, 3000, got.Unattributed, 1e-9)
	assert.Equal(t, WithheldBadInput, p.Divide(math.NaN(), 5, 0, work, Costs{}).Withheld)

	rest := p.Divide(450, 5, 5, Passes{}, Costs{})
	assert.InDelta(t, 450, rest.Idle, 1e-9, "without a step all is idle")
}

func TestPricerWithoutLoadChangesHasJoulesGoWithTime(t *testing.T) {
	p := NewPricer(0.2, 0.05)
	work := Passes{Mixed: Steps{Count: 50, PrefillTokens: 5e4, Sequences: 1000, Context: 1e6}, Decode: Steps{Count: 100, Sequences: 2000, Context: 2e6}}
	costs := Costs{Step: stepCost, Sequence: seqCost, Context: ctxCost, PrefillStep: prefillStepCost, Row: rowCost, MixedContext: ctxCost}
	var got Amounts
	elapsed := 100*stepCost + 2000*seqCost + 2e6*ctxCost + 50*prefillStepCost + 51_000*rowCost + 1e6*ctxCost
	for range 30 {
		got = p.Divide(600*elapsed, elapsed, 0, work, costs)
	}
	require.Empty(t, got.Withheld)
	// What the game of time gives, at 600 W.
	prefill := 50*prefillStepCost + 50_500*rowCost + 5e5*ctxCost - (1+attentionFloor)*50*stepCost/2 - 500*seqCost - 5e5*ctxCost
	assert.InEpsilon(t, 600*prefill, got.Prefill, 0.01)
}

func TestGoodputBounds(t *testing.T) {
	ttft := Buckets{Bounds: []float64{0.25, 0.5, 1}, Counts: []float64{40, 40, 20, 0}}
	tpot := Buckets{Bounds: []float64{0.05, 0.1}, Counts: []float64{70, 30, 0}}
	g, ok := GoodputOf(2, ttft, tpot, 0.5, 0.05)
	require.True(t, ok)
	assert.InDelta(t, 2*0.5, g.Low, 1e-9)
	assert.InDelta(t, 2*0.56, g.Mid, 1e-9)
	assert.InDelta(t, 2*0.7, g.High, 1e-9)
	assert.False(t, g.Coarse, "both objectives are bounds of buckets")
	g, _ = GoodputOf(2, ttft, tpot, 0.7, 0.05)
	assert.True(t, g.Coarse, "half a second wide at 0.7 s")
	_, ok = GoodputOf(2, ttft, Buckets{}, 0.5, 0.05)
	assert.False(t, ok)
}

func BenchmarkPricer(b *testing.B) {
	e, s, p := newStepper(1), NewPassSplitter(), NewPricer(0.2, 0.05)
	var work Passes
	var elapsed float64
	var costs Costs
	for range 100 {
		work, elapsed = e.window(5, 0.2, 0.5)
		costs = s.Split(work, elapsed, Running{}).Costs
		p.Divide(600*elapsed, elapsed, 0.5, work, costs)
	}
	b.ReportAllocs()
	for range b.N {
		p.Divide(600*elapsed, elapsed, 0.5, work, costs)
	}
}
