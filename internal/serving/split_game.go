package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import (
	"math"

	"github.com/otelcol-inference/otelcol-inference/internal/estimate"
)

// stepGame is the game of a window's steps by fitted costs.
type stepGame struct {
	theta, x  []float64 // costs and what they are of
	mixed     float64   // steps with both phases
	sequences float64   // in these, those that compute a row of which decode alone did not pay all
}

// rowShare is the part of a decoding sequence's cost that is not the reading of its context. With 0 a saturated worker, whose decode steps are
// compute-bound themselves, would count rows twice (-8 % of prefill's share), with 1 context would pass for rows (+3 %).
const rowShare = 0.6

func newStepGame(theta, x []float64, mixed, batch float64) stepGame {
	g := stepGame{theta: theta, x: x, mixed: mixed}
	if theta[ofRow] > rowShare*theta[ofSequence] {
		g.sequences = mixed * batch
	}
	return g
}

// total is the time of all steps, s.
func (g stepGame) total() float64 { return dot(g.theta, g.x) }

// unpaid is what rows of sequences cost in steps with prefill, and not in others, s. It is in the cost of such a step, and none of prefill's.
func (g stepGame) unpaid() float64 {
	return (g.theta[ofRow] - rowShare*g.theta[ofSequence]) * g.sequences
}

// prefillOf are how much of each cost is prefill's, in the Shapley sense.
func (g stepGame) prefillOf() []float64 {
	return []float64{
		ofDecodeStep: -g.mixed / 2, ofPrefillStep: g.x[ofPrefillStep], ofRow: g.x[ofRow] - g.sequences/2, ofSequence: rowShare * g.sequences / 2,
	}
}

// prefill is the Shapley value of prefill, s.
func (g stepGame) prefill() float64 { return dot(g.theta, g.prefillOf()) }

// all is the game of all steps: prefill-only ones are worth as much to prefill alone as together.
func (g stepGame) all() game {
	alone := g.theta[ofPrefillStep]*g.x[ofPrefillStep] + g.theta[ofRow]*g.x[ofRow]
	total := g.total()
	return game{together: total, decodeAlone: total - alone + g.theta[ofDecodeStep]*g.mixed, prefillAlone: alone - g.unpaid()}
}

// delay is by how much prefill lengthens the mixed steps, s.
func (g stepGame) delay() float64 {
	all := g.x[ofPrefillStep]
	if !(all > 0) {
		return 0
	}
	return max(0, (g.theta[ofPrefillStep]-g.theta[ofDecodeStep])*g.mixed+g.theta[ofRow]*g.x[ofRow]*g.mixed/all)
}

// mixedOf is how many of a window's steps have both phases.
func mixedOf(x []float64, steps PrefillSteps) float64 {
	return x[ofPrefillStep] - min(steps.Only, x[ofPrefillStep])
}

// determined is prefill's share of a window by fitted costs, of which so much is prefill's, and the variance of its relative error: that of the
// fit by the delta method, and that of the count of steps. withheld is why there is none.
func determined(fit *estimate.Regression, theta, prefillOf, x []float64, steps PrefillSteps) (share, variance float64, withheld string) {
	prefill, total := dot(theta, prefillOf), dot(theta, x)
	if !(total > 0) || !(prefill > 0) {
		return 0, 0, WithheldUncertain
	}
	gradient := make([]float64, len(x)) // d(prefill/total)/d(theta), relative to the share
	for i := range gradient {
		gradient[i] = prefillOf[i]/prefill - x[i]/total
	}
	variance, ok := fit.Variance(theta, gradient)
	if !ok {
		return 0, 0, WithheldUncertain
	}
	variance += square((theta[ofPrefillStep] - theta[ofDecodeStep]/2) * steps.Spread / prefill)
	share = min(1, prefill/total)
	if !telling(share, normal90*math.Sqrt(variance), maxHalfWidth) {
		return 0, 0, WithheldUncertain
	}
	return share, variance, ""
}

func dot(a, b []float64) (sum float64) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}
