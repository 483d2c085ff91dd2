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
	Tokens     float64 // their sum
	// Steps are those of forward passes, which tell the same exactly.
	Steps Steps
}

// Line is a fitted cost: Base + Slope x.
type Line struct {
	Base, Slope float64
	// Spread is the standard deviation of the relative error of its value at the mean x, SlopeSpread that of Slope times the mean x, as a share
	// of the same value: what the slope adds to the error far from the mean x.
	Spread, SlopeSpread float64
	Samples             float64 // windows it rests on
	Mean                float64 // x
}

// DecodeFit learns the cost of a step that decodes from windows of decode workers, as a line over its batch. Where such workers compute
// prompts as well, what tokens wait for these is a third unknown.
type DecodeFit struct {
	fit          *estimate.Regression
	x, y, beside *estimate.Moments
}

// decodeUnknowns of a step: its base, each sequence's part, and that of each prompt token beside them.
const decodeUnknowns = 3

// NewDecodeFit makes a fit that has learnt nothing.
func NewDecodeFit() *DecodeFit {
	return &DecodeFit{
		fit: estimate.NewRegression(decodeUnknowns, forgetting),
		x:   estimate.NewMoments(forgetting), y: estimate.NewMoments(forgetting), beside: estimate.NewMoments(forgetting),
	}
}

const (
	// slopeShare is the share of a decode step that is expected to grow with its batch, where the batch hardly varies and cannot tell, and
	// slopeSpread its standard deviation: decode waits for the weights first.
	slopeShare  = 0.3
	slopeSpread = 0.15
	// costNoise is the relative scatter of a step's duration.
	costNoise = 0.05
	// slopeNoise is the least relative scatter of windows' means around the line.
	slopeNoise = 0.005
	// slopeError is the standard deviation of the relative error of a slope that windows do not remove: steps are not linear in their batch.
	// Memory bounds small ones and computing large ones, so that each further sequence costs more: 1.1 to 1.6 times (docs/disaggregation.md).
	slopeError = 0.35
)

// Add learns from a window of a decode worker: the time between tokens, summed (s), tokens, steps, and the prompt tokens that it computed. Every
// decoding request sees every step once, so that the mean is that of a step as tokens meet it, and tokens over steps is its batch.
func (f *DecodeFit) Add(itlSum, tokens, steps, prompt float64) {
	if !(itlSum > 0 && tokens > 0 && steps >= 1 && prompt >= 0) {
		return
	}
	x, y, z := tokens/steps, itlSum/tokens, prompt/steps
	if f.fit.Add([]float64{1, x, z}, y, square(costNoise*y)*max(1/steps, 0.01)) {
		f.x.Add(x)
		f.y.Add(y)
		f.beside.Add(z)
	}
}

// Line is the fitted line of steps without prompts; ok is false before minSamples windows.
func (f *DecodeFit) Line() (Line, bool) {
	x, y := f.x.Mean(), f.y.Mean()
	if f.fit.EffectiveSamples() < minSamples || !(x > 0 && y > 0) {
		return Line{}, false
	}
	theta := f.expect(x, y)
	if beside := theta[2] * f.beside.Mean(); beside > 0 {
		theta = f.expect(x, max(y/4, y-beside))
	}
	l := Line{Base: theta[0], Slope: theta[1], Samples: f.fit.EffectiveSamples(), Mean: x}
	at := l.Base + l.Slope*x
	variance, ok := f.fit.Variance(theta, []float64{1 / at, x / at, 0})
	if !ok || !(at > 0) {
		return Line{}, false
	}
	l.Spread, l.SlopeSpread = math.Sqrt(variance), f.slopeSpread(l.Slope*x/at)
	return l, true
}

// Prompt is the line of steps with prompts, by what tokens waited for those that the same workers computed; prompt is their mean length, tokens. What a
// prompt's step hides of a decode step is added. ok is false where they computed next to none.
func (f *DecodeFit) Prompt(prompt float64) (Line, bool) {
	decode, ok := f.Line()
	if !ok || !(prompt >= 1) || f.beside.Mean() < besideLeast {
		return Line{}, false
	}
	token := f.fit.Solve()[2]
	l := Line{Base: overheadShare * decode.Base, Spread: besideSpread, Samples: decode.Samples, Mean: prompt}
	l.Slope = token + (decode.Base-l.Base)/prompt
	return l, token > 0
}

const (
	// besideLeast is how many prompt tokens a decode worker's step must have for their cost to be read off it, and besideSpread the standard
	// deviation of that cost's relative error.
	besideLeast  = 5
	besideSpread = 0.1
)

// expect solves the fit with what is expected of a step of that batch and duration.
func (f *DecodeFit) expect(x, y float64) []float64 {
	f.fit.Toward([]float64{(1 - slopeShare) * y, slopeShare * y / x, 0}, []float64{slopeSpread * y, slopeSpread * y / x, 0})
	return f.fit.Solve()
}

// slopeSpread is the standard deviation of the share of a step that grows with its batch. What windows of about the same batch leave open
// is as open as it was expected to be.
func (f *DecodeFit) slopeSpread(share float64) float64 {
	explained := share * f.x.CV()
	scatter := max(square(slopeNoise), square(f.y.CV())-square(explained))
	known := f.fit.EffectiveSamples()*square(f.x.CV())/scatter + 1/square(slopeSpread)
	return math.Hypot(1/math.Sqrt(known), slopeError*share)
}

// PrefillFit learns the cost of a step that prefills from windows of prefill workers.
//
// A prompt is in the step that computes it for as long as the step lasts, and so are those beside it. Its time from schedule to first
// token is therefore that of a step as prompts meet it: Base + Slope x, with x the tokens of the steps, each counted as often as it has
// prompts. With k prompts in a step, whose others come by chance, that is their mean length times mean(k²)/mean(k), which for Poisson's
// k - 1 is mean(k) + (mean(k) - 1)/mean(k); never more than the budget. The slope is the ratio of sums over many windows: single windows
// scatter too much in x for a regression. The base is taken to be a share of that of a decode step: the overhead, without the streaming
// of the weights that computing hides.
type PrefillFit struct {
	budget   float64
	steps    Buckets // tokens by step
	requests float64
	time     float64 // s
	exact    Steps   // of forward passes
	tokens   float64 // by steps
	ratio    *estimate.Moments
	windows  float64
}

// NewPrefillFit makes a fit that has learnt nothing, for workers of that token budget.
func NewPrefillFit(budget float64) *PrefillFit {
	return &PrefillFit{budget: budget, ratio: estimate.NewMoments(forgetting)}
}

// Add learns from a window of a prefill worker.
func (f *PrefillFit) Add(w PrefillWindow) {
	exact := w.Steps.Count > 0 && w.Steps.Time > 0 && w.Steps.PrefillTokens > 0
	if !exact && !(w.Requests >= 1 && w.Time > 0 && w.Tokens > 0) {
		return
	}
	f.windows = forgetting*f.windows + 1
	f.requests = forgetting*f.requests + w.Requests
	f.time = forgetting*f.time + w.Time
	f.tokens = forgetting*f.tokens + w.Tokens
	f.exact.Count = forgetting*f.exact.Count + w.Steps.Count
	f.exact.Time = forgetting*f.exact.Time + w.Steps.Time
	f.exact.PrefillTokens = forgetting*f.exact.PrefillTokens + w.Steps.PrefillTokens
	for i := range f.steps.Counts {
		f.steps.Counts[i] *= forgetting
	}
	f.steps = f.steps.plus(w.StepTokens)
	if exact {
		f.ratio.Add(w.Steps.Time / w.Steps.PrefillTokens)
	} else if x := f.meets(w.Requests, w.Tokens, w.StepTokens.count()); x > 0 {
		f.ratio.Add(w.Time / w.Requests / x)
	}
}

// overheadShare is the base of a step with prefill over that of a step that decodes.
const overheadShare = 0.4

// Line is the fitted line over a step's tokens; decodeBase is the base of a decode step, s. ok is false before minSamples windows.
func (f *PrefillFit) Line(decodeBase float64) (Line, bool) {
	if f.windows < minSamples*0.95 {
		return Line{}, false
	}
	l := Line{Base: overheadShare * decodeBase, Samples: f.windows, Spread: f.ratio.CV() / math.Sqrt(f.windows)}
	if e := f.exact; e.Count > 0 {
		l.Mean = e.PrefillTokens / e.Count
		l.Slope = max(e.Time/2, e.Time-l.Base*e.Count) / e.PrefillTokens
		return l, true
	}
	l.Mean = f.meets(f.requests, f.tokens, f.steps.count())
	if !(l.Mean > 0) {
		return Line{}, false
	}
	// A step that is full ends within a prompt, which then is in two.
	twice := f.full() * f.steps.count() / f.requests
	time := f.time / f.requests / (1 + twice)
	l.Slope = max(time/2, time-l.Base) / l.Mean
	return l, true
}

// meets is how many tokens the step of a prompt has, on average over prompts.
func (f *PrefillFit) meets(requests, tokens, steps float64) float64 {
	if requests <= 0 || steps <= 0 {
		return 0
	}
	beside := max(1, requests/steps)
	return min(f.budget, tokens/requests*(beside+(beside-1)/beside))
}

// full is the share of the steps that spend the budget.
func (f *PrefillFit) full() float64 {
	const nearly = 0.8
	below, _, ok := estimate.ShareBelow(nearly*f.budget, f.steps.Bounds, f.steps.Counts)
	if !ok {
		return 0
	}
	return 1 - below
}

// count is the number of values.
func (b Buckets) count() (n float64) {
	for _, c := range b.Counts {
		n += c
	}
	return n
}

// JoinCosts joins the lines of both phases.
func JoinCosts(prefill, decode Line) StepCost {
	return StepCost{Decode: decode.Base, Sequence: decode.Slope, Prefill: prefill.Base, Token: prefill.Slope}
}
