package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import (
	"math"
	"slices"

	"github.com/otelcol-inference/otelcol-inference/internal/estimate"
)

// stepPrices are what a decoding sequence costs with prefill beside it and without, for steps of other batches than the worker's own. The fit of
// the share has one price for both, which is right for the mix of steps that a window has and wrong for either kind; this one tells them apart by
// an assumption of what computing hides, which its share pays for: on saturated workers it is 2 % too high (docs/estimators.md, "Step regression").
//
// Where the context that decoding reads is told, a token of it has a price of its own. Without, requests with longer prompts make rows seem
// dear, for theirs is a longer context afterwards, and more requests make steps with prefill seem cheap.
type stepPrices struct {
	fit   *estimate.Regression
	batch float64 // usual number of decoding sequences in a step
	each  float64 // tokens of context of one, in the long run; 0 while context is not told
}

// ofContext is a further unknown where context is told: the cost of a token of it.
const ofContext = stepUnknowns

const (
	// fewRows is how many times as long a row takes to compute among the few rows of a decode step as among the thousands of a step with
	// prefill: matrix products of about a hundred rows reach half of the rate of long ones on H100 and H200 (AIConfigurator's GEMM tables).
	fewRows = 2
	// hiddenAtFirst is hiddenRow until there are costs to tell it by.
	hiddenAtFirst = 0.6
	// batchStep is the weight of a window in the usual batch.
	batchStep = 0.05
)

func newStepPrices() stepPrices {
	return stepPrices{fit: estimate.NewRegression(stepUnknowns, forgetting)}
}

// regressors are those of the share with sequences beside prefill among the rows.
func (s *stepPrices) regressors(w Work, steps PrefillSteps, x []float64) []float64 {
	if s.batch == 0 {
		s.batch = w.batch()
	}
	s.batch += batchStep * (w.batch() - s.batch)
	rows := slices.Clone(x)
	rows[ofRow] += s.hidden() * mixedOf(x, steps) * w.batch()
	if s.each > 0 {
		rows = append(rows, w.Read)
	}
	return rows
}

// tell takes note of whether the window's context is known, and returns whether the window can be learnt. What was learnt before it was known is of
// fewer unknowns, and forgotten.
func (s *stepPrices) tell(w Work) bool {
	if !(w.Each > 0 && w.Read > 0) {
		return s.each == 0
	}
	if s.each == 0 {
		s.fit = estimate.NewRegression(stepUnknowns+1, forgetting)
	}
	s.each = w.Each
	return true
}

// sequence is what a decoding sequence costs, with the context that it has in the long run.
func (s *stepPrices) sequence(theta []float64) float64 {
	if s.each == 0 {
		return theta[ofSequence]
	}
	return theta[ofSequence] + theta[ofContext]*s.each
}

// hidden is hiddenRow by what the fit knows, at the usual batch: costs are lines through the steps of that one.
func (s *stepPrices) hidden() float64 {
	if s.fit.EffectiveSamples() < minSamples {
		return hiddenAtFirst
	}
	return s.hiddenBy(s.fit.Solve())
}

func (s *stepPrices) hiddenBy(theta []float64) float64 {
	return hiddenRow(theta[ofDecodeStep]+s.sequence(theta)*s.batch, theta[ofRow]*s.batch)
}

// hiddenRow is the part of a row's cost that a decoding sequence does not pay in a step without prefill, of that duration and with rows that
// would take computing s among thousands of others. A decode step waits for the weights, which hides computing for as long as that takes less
// long; beside prefill, a sequence costs what any row does.
func hiddenRow(step, computing float64) float64 {
	if !(step > 0) {
		return hiddenAtFirst
	}
	return max(0, 1-fewRows*computing/step)
}

// costs are the fitted ones, with the spread of a decode step by them where context is told, while the share that they imply of the last window is
// determined; else 0. x are the regressors of the share.
func (s *stepPrices) costs(x, rows []float64, steps PrefillSteps) (out Costs, spread float64) {
	theta := s.fit.Solve()
	prefill := []float64{ // half of what sequences cost beside prefill is its
		ofDecodeStep: -mixedOf(x, steps) / 2, ofPrefillStep: x[ofPrefillStep], ofRow: (x[ofRow] + rows[ofRow]) / 2, ofSequence: 0,
	}
	if s.each > 0 {
		prefill = append(prefill, 0)
	}
	if _, _, withheld := determined(s.fit, theta, prefill, rows, steps); withheld != "" {
		return Costs{}, 0
	}
	out = costsOf(theta)
	out.Sequence = s.sequence(theta)
	out.MixedSequence = out.Sequence - (1-s.hiddenBy(theta))*out.Row
	return out, s.stepSpread(theta)
}

// stepSpread is the standard deviation of the relative error of a decode step of the usual batch that the scatter of windows leaves; 1 where it
// cannot be told, 0 where nobody asks: who tells no context wants a share.
func (s *stepPrices) stepSpread(theta []float64) float64 {
	if s.each == 0 {
		return 0
	}
	of := []float64{ofDecodeStep: 1, ofPrefillStep: 0, ofRow: 0, ofSequence: s.batch, ofContext: s.each * s.batch}
	step := dot(theta, of)
	variance, ok := s.fit.Variance(theta, of)
	if !ok || !(step > 0) {
		return 1
	}
	return math.Sqrt(variance) / step
}

func costsOf(theta []float64) Costs {
	return Costs{Step: theta[ofDecodeStep], Sequence: theta[ofSequence], PrefillStep: theta[ofPrefillStep], Row: theta[ofRow]}
}
