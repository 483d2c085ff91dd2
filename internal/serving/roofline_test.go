package serving

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/facts"
)

// llama70 is Llama-3-70B in 16 bits on four H200.
func llama70(t testing.TB) Deployment {
	book, err := facts.Load()
	require.NoError(t, err)
	model, ok := book.Model("llama-3-70b")
	require.True(t, ok)
	device, ok := book.Device("NVIDIA H200")
	require.True(t, ok)
	return Deployment{Model: model, Device: device, Precision: facts.BF16, CacheBytes: 2, TensorParallel: 4}
}

// worker70 makes windows of a worker that obeys a roofline with other constants than published rates give.
type worker70 struct {
	rng   *rand.Rand
	model Roofline
	theta []float64
}

func newWorker70(t testing.TB) worker70 {
	w := worker70{rng: rand.New(rand.NewPCG(3, 4)), model: NewRoofline(llama70(t))}
	w.theta, _ = w.model.expected()
	for i, f := range []float64{1.3, 0.5, 1.25, 0.9} {
		w.theta[i] *= f
	}
	return w
}

// window is of 5 s with so many sequences; full is the share of steps with prefill.
func (o worker70) window(n, full float64) (w Work, r Reading, share float64) {
	full = min(1, max(0, full*(1+0.3*o.rng.NormFloat64())))
	tokens := (600 + 900*o.rng.Float64())
	var p Passes
	p.Mixed = Steps{Count: full, PrefillTokens: full * tokens, Sequences: full * n, Context: full * n * 1200}
	p.Decode = Steps{Count: 1 - full, Sequences: (1 - full) * n, Context: (1 - full) * n * 1200}
	one := o.model.play(rooflineSample{passes: p, before: 900}, o.theta)
	steps := 5 / one.together
	for _, s := range []*Steps{&p.Mixed, &p.Decode} {
		s.Count, s.PrefillTokens, s.Sequences, s.Context = s.Count*steps, s.PrefillTokens*steps, s.Sequences*steps, s.Context*steps
	}
	w = Work{Elapsed: 5, Steps: steps, PrefillTokens: p.Mixed.PrefillTokens, FirstTokens: p.Mixed.Count, DecodeTokens: steps * n}
	r = Reading{Known: true, Busy: 5 * (1 + 0.01*o.rng.NormFloat64()), Passes: p, Before: 900, Steps: PrefillSteps{All: p.Mixed.Count}}
	r.Busy = min(5, r.Busy)
	return w, r, one.prefill() / one.together
}

func TestARooflineIsCalibratedToTheWorker(t *testing.T) {
	o := newWorker70(t)
	s := NewRooflineSplitter(llama70(t))
	var estimated, truth float64
	for i := range 200 {
		w, r, share := o.window(40+20*math.Sin(float64(i)/9), 0.3)
		got := s.Split(w, r)
		require.Empty(t, got.Withheld)
		assert.InDelta(t, w.Elapsed, got.Prefill+got.Decode+got.Idle+got.Unattributed, 1e-9)
		assert.LessOrEqual(t, got.PrefillLow, got.Prefill)
		assert.GreaterOrEqual(t, got.PrefillHigh, got.Prefill)
		if i < minSamples-1 {
			assert.Equal(t, MethodRooflinePrior, got.Method)
			assert.Less(t, got.Confidence, 0.5)
			continue
		}
		assert.Equal(t, MethodRoofline, got.Method)
		estimated += got.Prefill
		truth += share * r.Busy
	}
	assert.InEpsilon(t, truth, estimated, 0.01)
	theta := s.fit.Unknowns()
	assert.InEpsilon(t, o.theta[perFLOP], theta[perFLOP], 0.05, "what most of the time goes into is found")
}

// The worker is saturated from the first window on: what a step without prefill costs is in no window, and what is published tells it.
func TestARooflineKnowsWhatASaturatedWorkerDoesNotShow(t *testing.T) {
	o := newWorker70(t)
	s := NewRooflineSplitter(llama70(t))
	var got StepSplit
	var share float64
	for range 100 {
		w, r, x := o.window(250, 1)
		w.Steps += 1e-9
		got, share = s.Split(w, r), x
	}
	require.Empty(t, got.Withheld)
	assert.InEpsilon(t, share, got.Prefill/(got.Prefill+got.Decode), 0.05)
	assert.Positive(t, got.Delay)
}

func TestAnotherModelThanPublishedIsNoticed(t *testing.T) {
	o := newWorker70(t)
	s := NewRooflineSplitter(llama70(t))
	var got StepSplit
	for i := range 60 {
		w, r, _ := o.window(40, 0.3)
		r.Busy *= 0.3 + 1.4*math.Abs(math.Sin(float64(i)*1.7)) // steps cost now this, now that
		got = s.Split(w, r)
	}
	assert.Equal(t, WithheldMisfit, got.Withheld)
	assert.InDelta(t, got.Reading.Busy, got.Unattributed, 1e-9)
}

func TestAnotherClockForgetsWhatDependsOnIt(t *testing.T) {
	o := newWorker70(t)
	s := NewRooflineSplitter(llama70(t))
	for i := range 100 {
		w, r, _ := o.window(40+20*math.Sin(float64(i)/9), 0.3)
		s.Split(w, r)
	}
	before := append([]float64(nil), s.fit.Unknowns()...)
	s.Rescale(1.5)
	assert.InEpsilon(t, 1.5*before[perFLOP], s.fit.Unknowns()[perFLOP], 1e-9)
	assert.InEpsilon(t, before[perByte], s.fit.Unknowns()[perByte], 1e-9)
	assert.Zero(t, s.samples.len())
}

func TestWeightsOfAMixtureOfExperts(t *testing.T) {
	d := llama70(t)
	dense := NewRoofline(d)
	assert.InDelta(t, dense.bytesWeights, dense.weights(1), 0)
	d.Model.ActiveParameters = d.Model.Parameters / 4
	sparse := NewRoofline(d)
	assert.InEpsilon(t, sparse.bytesWeights/4, sparse.weights(1), 1e-9)
	assert.InEpsilon(t, sparse.bytesWeights, sparse.weights(1000), 1e-6, "many rows need all of them")
}

func TestMeanAttended(t *testing.T) {
	bounds := []float64{1000, 1001}
	assert.InEpsilon(t, 500.25, MeanAttended(Buckets{bounds, []float64{0, 5, 0}}, 7), 1e-3)
	assert.InDelta(t, 300, MeanAttended(Buckets{}, 600), 0, "of one prompt")
}

func BenchmarkRooflineSplit(b *testing.B) {
	o := newWorker70(b)
	s := NewRooflineSplitter(llama70(b))
	for i := range 600 {
		w, r, _ := o.window(40+20*math.Sin(float64(i)/9), 0.3)
		s.Split(w, r)
	}
	w, r, _ := o.window(40, 0.3)
	b.ReportAllocs()
	for b.Loop() {
		s.Split(w, r) // a fit every 60 s of data included
	}
}
