package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import (
	"math"

	"github.com/otelcol-inference/otelcol-inference/internal/estimate"
)

// Methods of dividing what GPUs spent.
const (
	MethodPricedPasses = "work_prices_forward_passes" // the work is counted
	MethodPricedSteps  = "work_prices_step_counts"    // the work is estimated from an engine's counters
)

// Reasons for which an amount is not divided, besides those of a split.
const (
	WithheldNoWork    = "no_work"    // the work of the window's steps is not known
	WithheldSharedGPU = "shared_gpu" // another worker uses the GPU too
)

// Pricer divides an amount that a worker's GPUs spent in a window (joules, activity-seconds of a unit) between the phases and
// idleness. It learns from the worker's own windows what a second without a step, a step, a sequence, a token of context and a row
// cost, and plays the game of docs/estimators.md with these prices. Whatever the prices, the parts add up to what was measured.
type Pricer struct{ fit *estimate.Regression }

// Amounts is how an amount divides, in its own unit; the parts add up to it.
type Amounts struct {
	Prefill, Decode, Idle, Unattributed float64
	Confidence                          float64 // probability that prefill's part is right within 10 %; 0 when withheld
	Withheld                            string
}

const (
	prices = 6 // unknowns of a Pricer
	// priceMethodError is the standard deviation of the relative error of prefill's part that no amount of data removes.
	priceMethodError = 0.03
)

// NewPricer makes a Pricer that has learnt nothing.
func NewPricer() *Pricer { return &Pricer{fit: estimate.NewRegression(prices, forgetting)} }

// Divide learns from a window and divides its amount. elapsed and idle are GPU-seconds or seconds, the same for every window.
func (p *Pricer) Divide(amount, elapsed, idle float64, work Passes) Amounts {
	if !(amount >= 0) || !work.Valid() || !(elapsed > 0) {
		return Amounts{Withheld: WithheldBadInput}
	}
	m := work.Mixed
	x := []float64{
		idle, work.Decode.Count, work.Decode.Sequences, work.Decode.Context + m.Context, work.withPrefill(), work.rows(),
	}
	if !p.fit.Add(x, amount, square(elapsed)) {
		return Amounts{Unattributed: amount, Withheld: WithheldBadInput}
	}
	switch {
	case work.Count() == 0:
		return Amounts{Idle: amount, Confidence: maxPassSurety}
	case p.fit.EffectiveSamples() < minSamples:
		return Amounts{Unattributed: amount, Withheld: WithheldWarmUp}
	}
	theta := p.fit.Solve()
	var total float64
	for i := range x {
		total += theta[i] * x[i]
	}
	if !(total > 0) {
		return Amounts{Unattributed: amount, Withheld: WithheldUncertain}
	}
	// Prefill's Shapley value is linear in the prices: its own steps, half the difference of a mixed step and one without prefill,
	// its own rows, and half the rows by which decode makes a mixed step dearer.
	value := [prices]float64{
		1: -m.Count / 2, 2: -m.Sequences / 2, 4: work.withPrefill(),
		5: work.Prefill.PrefillTokens + m.PrefillTokens + m.Sequences/2,
	}
	return p.divide(amount, theta, x, value[:], total)
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
	if x[4] == 0 || prefill == 0 {
		out.Confidence = maxPassSurety
		return out
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
