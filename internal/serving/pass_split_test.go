package serving

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stepper plays an engine whose steps are known one by one: linear costs, and joules of its own for each kind of work.
type stepper struct {
	rng                           *rand.Rand
	prefill, decode               float64 // truth by the Shapley value, s
	low, high                     float64
	joules, idleJoules, preJoules float64
	counterfactual                float64 // delay of decodes, s x sequences
}

const (
	stepCost, seqCost, ctxCost     = 0.012, 4e-5, 2e-8
	prefillStepCost, rowCost       = 0.006, 8e-5
	decodeWatts, prefillWatts, off = 400.0, 650.0, 90.0
)

func newStepper(seed uint64) *stepper { return &stepper{rng: rand.New(rand.NewPCG(seed, 3))} }

// window plays steps for about the given time at the given rate of prefill, then rests for idle seconds.
func (e *stepper) window(seconds, rate, idle float64) (p Passes, elapsed float64) {
	for elapsed < seconds {
		n := float64(20 + e.rng.IntN(40))
		c := n * (800 + 400*e.rng.Float64())
		alone := stepCost + seqCost*n + ctxCost*c
		if e.rng.Float64() >= rate {
			add(&p.Decode, Steps{1, alone, 0, 0, n, c})
			e.decode += alone
			e.joules += decodeWatts * alone
			elapsed += alone
			continue
		}
		tokens := float64(200 + e.rng.IntN(1600))
		t := prefillStepCost + rowCost*(tokens+n) + ctxCost*c
		prefillAlone := t - rowCost*n - ctxCost*c - attentionFloor*stepCost
		add(&p.Mixed, Steps{1, t, tokens, 0, n, c})
		e.prefill += (prefillAlone + t - alone) / 2
		e.decode += t - (prefillAlone+t-alone)/2
		e.low += math.Min(prefillAlone, t-alone)
		e.high += math.Max(prefillAlone, t-alone)
		e.joules += prefillWatts * t
		e.preJoules += (prefillWatts*prefillAlone + prefillWatts*t - decodeWatts*alone) / 2
		e.counterfactual += (t - alone) * n
		elapsed += t
	}
	e.joules += off * idle
	e.idleJoules += off * idle
	return p, elapsed + idle
}

func add(s *Steps, o Steps) {
	s.Count += o.Count
	s.Time += o.Time
	s.PrefillTokens += o.PrefillTokens
	s.PrefillContext += o.PrefillContext
	s.Sequences += o.Sequences
	s.Context += o.Context
}

func TestPassSplitFindsTheShareBoundsAndDelayOfAKnownEngine(t *testing.T) {
	for seed := range uint64(5) {
		e, s := newStepper(seed), NewPassSplitter()
		var got Split
		var delay, elapsedSum float64
		for i := range 200 {
			if i == 2*minPassSamples {
				*e, got, delay, elapsedSum = stepper{rng: e.rng}, Split{}, 0, 0
			}
			p, elapsed := e.window(5, 0.2+0.1*math.Sin(float64(i)/15), 0.5)
			one := s.Split(p, elapsed, Running{Seen: true})
			require.InDelta(t, elapsed, one.Prefill+one.Decode+one.Idle+one.Unattributed, 1e-9)
			require.LessOrEqual(t, one.PrefillLow, one.Prefill+1e-12)
			require.GreaterOrEqual(t, one.PrefillHigh, one.Prefill-1e-12)
			got.Prefill += one.Prefill
			got.Decode += one.Decode
			got.PrefillLow += one.PrefillLow
			got.PrefillHigh += one.PrefillHigh
			got.Unattributed += one.Unattributed
			delay += one.Interference(p, Buckets{}, 0).Delay
			elapsedSum += elapsed
		}
		assert.InEpsilon(t, e.prefill, got.Prefill, 0.01)
		assert.InEpsilon(t, e.decode, got.Decode, 0.01)
		assert.Less(t, got.PrefillLow, e.low*1.001, "the interval holds the bounds")
		assert.Greater(t, got.PrefillHigh, e.high*0.999)
		assert.InEpsilon(t, e.counterfactual, delay, 0.05)
		assert.Zero(t, got.Unattributed)
	}
}

func TestStepsOfOnePhaseNeedNoFit(t *testing.T) {
	s := NewPassSplitter()
	p := Passes{Prefill: Steps{Count: 10, Time: 2, PrefillTokens: 20_000}, Decode: Steps{Count: 100, Time: 1, Sequences: 400, Context: 4e5}}
	got := s.Split(p, 5, Running{})
	assert.Equal(t, MethodPurePhase, got.Method)
	assert.InDelta(t, 2, got.Prefill, 1e-9)
	assert.InDelta(t, 1, got.Decode, 1e-9)
	assert.InDelta(t, 2, got.Idle, 1e-9)
	assert.Greater(t, got.Confidence, 0.8)

	got = s.Split(Passes{}, 5, Running{})
	assert.InDelta(t, 5, got.Idle, 1e-9)
}

func TestMixedStepsAreWithheldUntilTheirCostsAreKnown(t *testing.T) {
	e, s := newStepper(1), NewPassSplitter()
	p, elapsed := e.window(5, 0.3, 0)
	got := s.Split(p, elapsed, Running{})
	assert.Equal(t, WithheldWarmUp, got.Withheld)
	assert.InDelta(t, elapsed, got.Unattributed, 1e-9, "all of it, or the sums would say that prefill is rare")

	p.Mixed.Time = math.NaN()
	got = s.Split(p, elapsed, Running{})
	assert.Equal(t, WithheldBadInput, got.Withheld)
	assert.InDelta(t, elapsed, got.Unattributed, 1e-9)
}

func TestAStepThatEndsInAWindowMayHaveBegunBeforeIt(t *testing.T) {
	s := NewPassSplitter()
	long := Passes{Decode: Steps{Count: 60, Time: 6, Sequences: 60, Context: 6e4}}
	rest := Passes{Decode: Steps{Count: 10, Time: 1, Sequences: 10, Context: 1e4}}
	first, second := s.Split(long, 5, Running{}), s.Split(rest, 5, Running{})
	assert.InDelta(t, 5, first.Decode, 1e-9)
	assert.InDelta(t, 2, second.Decode, 1e-9, "the second that did not fit is the next window's")
	assert.InDelta(t, 3, second.Idle, 1e-9)
}

func TestStallsAreStepsOfThreeTimesTheirPrefillFreeLength(t *testing.T) {
	s := PassSplit{MixedDecodeAlone: 0.2} // 10 steps of 20 ms
	p := Passes{Mixed: Steps{Count: 10, Time: 1, PrefillTokens: 5000, Sequences: 100, Context: 1e5}}
	got := s.Interference(p, Buckets{Bounds: []float64{0.03, 0.06, 0.2}, Counts: []float64{2, 4, 3, 1}}, 0)
	assert.InDelta(t, 4, got.Stalls, 1e-9)
	assert.InDelta(t, 0.8*10, got.Delay, 1e-9)
	assert.InDelta(t, 10, got.Wait, 1e-9)
	perToken, ok := got.PerPrefillToken()
	require.True(t, ok)
	assert.InDelta(t, 0.8/5000, perToken, 1e-12)
	itl, ok := got.WithoutPrefill()
	require.True(t, ok)
	assert.InDelta(t, 0.02, itl, 1e-9)
}

func BenchmarkPassSplit(b *testing.B) {
	e, s := newStepper(1), NewPassSplitter()
	p, elapsed := e.window(5, 0.2, 0)
	b.ReportAllocs()
	for range b.N {
		s.Split(p, elapsed, Running{})
	}
}
