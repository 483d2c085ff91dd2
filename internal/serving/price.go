package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import (
	"math"

	"github.com/otelcol-inference/otelcol-inference/internal/estimate"
)

// Methods of dividing what GPUs spent.
const (
	MethodPricedPasses = "work_prices_forward_passes" // the work is counted
	MethodPricedSteps  = "work_prices_step_counts"    // the work is estimated from an engine's counters
	// MethodPricedSeconds is for engines that count the seconds of each phase and nothing else.
	MethodPricedSeconds = "work_prices_phase_seconds"
)

// Reasons for which an amount is not divided, besides those of a split.
const (
	WithheldNoWork    = "no_work"    // the work of the window's steps is not known
	WithheldSharedGPU = "shared_gpu" // another worker uses the GPU too
)

// Pricer divides an amount that a worker's GPUs spent in a window (joules, activity-seconds of a unit) between the phases and
// idleness. It learns from the worker's own windows what a second without a step, a step, a sequence, a token of context and a row
// cost, and plays the game of docs/estimators.md with these prices. Whatever the prices, the parts add up to what was measured.
type Pricer struct {
	fit    *estimate.Regression
	rate   *estimate.Moments // amount per second
	spread float64
	noise  float64
}

// Amounts is how an amount divides, in its own unit; the parts add up to it.
type Amounts struct {
	Prefill, Decode, Idle, Unattributed float64
	Confidence                          float64 // probability that prefill's part is right within 10 %; 0 when withheld
	Withheld                            string
}

// Times is so many times as much.
func (a Amounts) Times(f float64) Amounts {
	a.Prefill, a.Decode, a.Idle, a.Unattributed = f*a.Prefill, f*a.Decode, f*a.Idle, f*a.Unattributed
	return a
}

const (
	prices = 7 // unknowns of a Pricer
	// minPriced is the number of windows before a first division, which must exceed the unknowns for the scatter to show.
	minPriced = 8
	// priceMethodError is the standard deviation of the relative error of prefill's part that no amount of data removes.
	priceMethodError = 0.03
)

// NewPricer makes a Pricer that has learnt nothing. spread is the standard deviation, as a share of them, that prices are expected to
// have around those of an amount that is spent evenly over time; noise is that of a window's amount, as a share of it.
func NewPricer(spread, noise float64) *Pricer {
	return &Pricer{
		fit: estimate.NewRegression(prices, forgetting), rate: estimate.NewMoments(forgetting), spread: spread, noise: noise,
	}
}

// Costs are the seconds that a worker's fit charges.
type Costs struct {
	Step, Sequence float64 // a step without prefill, and each sequence in it
	Context        float64 // and each token of context
	PrefillStep    float64 // a step with prefill
	Row            float64 // a token or a sequence in it
	MixedContext   float64 // and each token of its decodes' context
	MixedSequence  float64 // and each of its sequences beside its row, where that is known; below 0 where it costs less than a row
}

// PerStep is what single steps cost by them.
func (c Costs) PerStep() StepCost {
	return StepCost{
		Decode: c.Step, Sequence: c.Sequence, Context: c.Context,
		Prefill: c.PrefillStep, Token: c.Row, MixedSequence: max(0, c.Row+c.MixedSequence), MixedContext: c.MixedContext,
	}
}

// Divide learns from a window and divides its amount. elapsed and idle are seconds. costs are those of time, 0 where not known: work
// is expected to cost in proportion to the time it takes, until the amounts say otherwise. Where load hardly varies they never do,
// and the expectation stands.
func (p *Pricer) Divide(amount, elapsed, idle float64, work Passes, costs Costs) Amounts {
	if !(amount >= 0) {
		return Amounts{Withheld: WithheldBadInput}
	}
	if !work.Valid() || !(elapsed > 0) {
		return Amounts{Unattributed: amount, Withheld: WithheldBadInput}
	}
	m := work.Mixed
	x := []float64{
		idle, work.Decode.Count, work.Decode.Sequences, work.Decode.Context, work.withPrefill(), work.rows(), m.Context,
	}
	p.rate.Add(amount / elapsed)
	rate := p.rate.Mean()
	if rate > 0 && !p.fit.Add(x, amount, square(p.noise*rate*elapsed)) {
		return Amounts{Unattributed: amount, Withheld: WithheldBadInput}
	}
	switch {
	case work.Count() == 0:
		return Amounts{Idle: amount, Confidence: maxPassSurety}
	case p.fit.EffectiveSamples() < minPriced:
		return Amounts{Unattributed: amount, Withheld: WithheldWarmUp}
	}
	p.expect(rate, costs, work)
	theta := p.fit.Solve()
	var total float64
	for i := range x {
		total += theta[i] * x[i]
	}
	if !(total > 0) {
		return Amounts{Unattributed: amount, Withheld: WithheldUncertain}
	}
	// Prefill's Shapley value is linear in the prices: its own steps and rows, half the rows and the context by which decode makes a
	// mixed step dearer, less half of what the mixed steps' decodes would have cost alone.
	value := [prices]float64{
		1: -(1 + attentionFloor) * m.Count / 2, 2: -m.Sequences / 2, 3: -m.Context / 2,
		4: work.withPrefill(), 5: work.Prefill.PrefillTokens + m.PrefillTokens + m.Sequences/2, 6: m.Context / 2,
	}
	return p.divide(amount, theta, x, value[:], total)
}

// expect pulls the prices to those of an amount spent evenly over time. What idleness costs is not pulled.
func (p *Pricer) expect(rate float64, c Costs, work Passes) {
	expected := [prices]float64{1: c.Step, 2: c.Sequence, 3: c.Context, 4: c.PrefillStep, 5: c.Row, 6: c.MixedContext}
	size := c.sizes(work)
	var deviation [prices]float64
	for i := range expected {
		expected[i] *= rate
		deviation[i] = p.spread * size[i] * rate
	}
	p.fit.Toward(expected[:], deviation[:])
}

// sizes are how large the costs may be. One that the fit of time left at 0, because it could not tell it apart, may still be a tenth
// of the step that it belongs to.
func (c Costs) sizes(work Passes) (size [prices]float64) {
	const untold = 0.1
	per := func(cost, amount float64) float64 {
		if amount <= 0 {
			return 0
		}
		return untold * cost / amount
	}
	prefilling := work.withPrefill()
	context := (work.Decode.Context + work.Mixed.Context) / max(1, work.Decode.Count+work.Mixed.Count)
	size[1] = c.Step
	size[2] = max(c.Sequence, per(c.Step, work.Batch()))
	size[3] = max(c.Context, per(c.Step, context))
	size[4] = max(c.PrefillStep, per(c.Row*work.rows(), prefilling))
	size[5] = max(c.Row, per(c.PrefillStep*prefilling, work.rows()))
	size[6] = max(c.MixedContext, per(c.Step, context))
	return size
}

func (p *Pricer) divide(amount float64, theta, x, value []float64, total float64) Amounts {
	var prefill float64
	for i := range value {
		prefill += theta[i] * value[i]
	}
	idle := theta[0] * x[0]
	prefill = max(0, min(prefill, total-idle))
	scale := amount / total
	out := Amounts{Prefill: scale * prefill, Idle: scale * idle}
	out.Decode = max(0, amount-out.Prefill-out.Idle)
	if x[4] == 0 {
		out.Confidence = maxPassSurety
		return out
	}
	if prefill <= 0 {
		return Amounts{Unattributed: amount, Withheld: WithheldUncertain}
	}
	gradient := make([]float64, len(x))
	for i := range x {
		gradient[i] = value[i]/prefill - x[i]/total
	}
	variance, ok := p.fit.Variance(theta, gradient)
	deviation := math.Sqrt(variance)
	if !ok || !(normal90*deviation <= maxHalfWidth) {
		return Amounts{Unattributed: amount, Withheld: WithheldUncertain}
	}
	out.Confidence = min(maxPassSurety, estimate.Within(0.1, math.Hypot(deviation, priceMethodError)))
	return out
}
