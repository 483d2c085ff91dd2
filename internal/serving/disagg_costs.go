package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import (
	"math"

	"github.com/otelcol-inference/otelcol-inference/internal/estimate"
)

// PrefillWindow is what a prefill worker's counters rose by in a window.
type PrefillWindow struct {
	Requests   float64 // that were prefilled
	Time       float64 // schedule to first token, summed over them, s
	StepTokens Buckets // tokens by engine step
	// Steps are those of forward passes, which tell the same exactly.
	Steps Steps
}

// Line is a fitted cost: Base + Slope x.
type Line struct {
	Base, Slope float64
	// Spread is the standard deviation of the relative error of its value at the mean x.
	Spread  float64
	Samples float64 // windows it rests on
	Mean    float64 // x
}

// PhaseFit learns the cost of one phase's steps from windows of the workers of that phase, as a line.
type PhaseFit struct {
	fit  *estimate.Regression
	x, y *estimate.Moments
}

// NewPhaseFit makes a fit that has learnt nothing.
func NewPhaseFit() *PhaseFit {
	return &PhaseFit{fit: estimate.NewRegression(2, forgetting), x: estimate.NewMoments(forgetting), y: estimate.NewMoments(forgetting)}
}

const (
	// slopeShare is the share of a phase's cost that is expected to grow with its load, where load hardly varies and cannot tell, and
	// slopeSpread its standard deviation. Decode waits for the weights first; prefill is mostly computing.
	decodeSlopeShare  = 0.3
	prefillSlopeShare = 0.9
	slopeSpread       = 0.15
	// costNoise is the relative scatter of a window's mean duration.
	costNoise = 0.05
)

// AddPrefill learns from a window of a prefill worker.
//
// A prompt is in the step that computes it for as long as the step lasts, and so are those beside it. Its time from schedule to first
// token is therefore that of a step as prompts meet it: Base + Slope sum(n²)/sum(n) with n the tokens of each step. The sums come from
// the histogram of tokens by step.
func (f *PhaseFit) AddPrefill(w PrefillWindow) {
	if s := w.Steps; s.Count > 0 && s.Time > 0 {
		f.add(s.PrefillTokens/s.Count, s.Time/s.Count, s.Count)
		return
	}
	if w.Requests <= 0 || w.Time <= 0 {
		return
	}
	if n := w.StepTokens.selfWeighted(); n > 0 {
		f.add(n, w.Time/w.Requests, w.Requests)
	}
}

// AddDecode learns from a window of a decode worker: the time between tokens, summed (s), tokens and steps. Every decoding request
// sees every step once, so that the mean is that of a step as tokens meet it, and tokens over steps is its batch.
func (f *PhaseFit) AddDecode(itlSum, tokens, steps float64) {
	if itlSum > 0 && tokens > 0 && steps > 0 {
		f.add(tokens/steps, itlSum/tokens, steps)
	}
}

func (f *PhaseFit) add(x, y, samples float64) {
	if samples < 1 {
		return
	}
	variance := square(costNoise*y) * max(1/samples, 0.01)
	if f.fit.Add([]float64{1, x}, y, variance) {
		f.x.Add(x)
		f.y.Add(y)
	}
}

// Decode and Prefill are the fitted lines over the batch and over the tokens of a step. ok is false before minSamples windows.
func (f *PhaseFit) Decode() (Line, bool)  { return f.line(decodeSlopeShare) }
func (f *PhaseFit) Prefill() (Line, bool) { return f.line(prefillSlopeShare) }

func (f *PhaseFit) line(share float64) (Line, bool) {
	x, y := f.x.Mean(), f.y.Mean()
	if f.fit.EffectiveSamples() < minSamples || !(x > 0 && y > 0) {
		return Line{}, false
	}
	f.fit.Toward([]float64{(1 - share) * y, share * y / x}, []float64{slopeSpread * y, slopeSpread * y / x})
	theta := f.fit.Solve()
	l := Line{Base: theta[0], Slope: theta[1], Samples: f.fit.EffectiveSamples(), Mean: x}
	at := l.Base + l.Slope*x
	variance, ok := f.fit.Variance(theta, []float64{1 / at, x / at})
	if !ok || !(at > 0) {
		return Line{}, false
	}
	l.Spread = math.Sqrt(variance)
	return l, true
}

// selfWeighted is sum(n²)/sum(n) over the values n of a histogram, taken as uniform inside their buckets: the mean as the values
// themselves meet it. 0 when it is empty.
func (b Buckets) selfWeighted() float64 {
	var first, second, lo float64
	for i, c := range b.Counts {
		hi := 2 * lo
		if i < len(b.Bounds) {
			hi = b.Bounds[i]
		}
		first += c * (lo + hi) / 2
		second += c * (lo*lo + lo*hi + hi*hi) / 3
		lo = hi
	}
	if first <= 0 {
		return 0
	}
	return second / first
}

// JoinCosts joins the lines of both phases.
func JoinCosts(prefill, decode Line) StepCost {
	return StepCost{Decode: decode.Base, Sequence: decode.Slope, Prefill: prefill.Base, Token: prefill.Slope}
}
