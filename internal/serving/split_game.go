package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

// stepGame is the game of a window's steps by fitted costs.
type stepGame struct {
	theta, x []float64 // costs and what they are of
	tokens   float64   // of prompts
	mixed    float64   // steps with both phases
}

// beside are the rows that sequences add to those of prompts.
func (g stepGame) beside() float64 { return g.x[ofRow] - g.tokens }

// total is the time of all steps, s.
func (g stepGame) total() (sum float64) {
	for i := range g.x {
		sum += g.theta[i] * g.x[i]
	}
	return sum
}

// prefill is the Shapley value of prefill, s.
func (g stepGame) prefill() float64 {
	return g.theta[ofPrefillStep]*g.x[ofPrefillStep] - g.theta[ofDecodeStep]*g.mixed/2 + g.theta[ofRow]*(g.tokens+g.beside()/2)
}

// gradient is d(prefill/total)/d(theta), relative to prefill/total.
func (g stepGame) gradient() []float64 {
	prefill, total := g.prefill(), g.total()
	out := []float64{
		ofDecodeStep: -g.mixed / 2 / prefill, ofPrefillStep: g.x[ofPrefillStep] / prefill, ofRow: (g.tokens + g.beside()/2) / prefill,
		ofSequence: 0,
	}
	for i := range out {
		out[i] -= g.x[i] / total
	}
	return out
}

// all is the game of all steps: prefill-only ones are worth as much to prefill alone as together.
func (g stepGame) all() game {
	steps, rows := g.theta[ofPrefillStep]*g.x[ofPrefillStep], g.theta[ofRow]
	marginal := steps - g.theta[ofDecodeStep]*g.mixed + rows*g.x[ofRow]
	total := g.total()
	return game{together: total, decodeAlone: total - marginal, prefillAlone: steps + rows*g.tokens}
}

// delay is by how much prefill lengthens the mixed steps, s.
func (g stepGame) delay() float64 {
	all := g.x[ofPrefillStep]
	if !(all > 0) {
		return 0
	}
	rows := g.tokens*g.mixed/all + g.beside()
	return max(0, (g.theta[ofPrefillStep]-g.theta[ofDecodeStep])*g.mixed+g.theta[ofRow]*rows)
}
