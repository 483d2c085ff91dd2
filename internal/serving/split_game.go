package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

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
func (g stepGame) total() (sum float64) {
	for i := range g.x {
		sum += g.theta[i] * g.x[i]
	}
	return sum
}

// unpaid is what rows of sequences cost in steps with prefill, and not in others, s. It is in the cost of such a step, and none of prefill's.
func (g stepGame) unpaid() float64 {
	return (g.theta[ofRow] - rowShare*g.theta[ofSequence]) * g.sequences
}

// prefill is the Shapley value of prefill, s.
func (g stepGame) prefill() float64 {
	return g.theta[ofPrefillStep]*g.x[ofPrefillStep] - g.theta[ofDecodeStep]*g.mixed/2 + g.theta[ofRow]*g.x[ofRow] - g.unpaid()/2
}

// gradient is d(prefill/total)/d(theta), relative to prefill/total.
func (g stepGame) gradient() []float64 {
	prefill, total := g.prefill(), g.total()
	out := []float64{
		ofDecodeStep: -g.mixed / 2 / prefill, ofPrefillStep: g.x[ofPrefillStep] / prefill, ofRow: (g.x[ofRow] - g.sequences/2) / prefill,
		ofSequence: rowShare * g.sequences / 2 / prefill,
	}
	for i := range out {
		out[i] -= g.x[i] / total
	}
	return out
}

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
