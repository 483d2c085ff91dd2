package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

// game is what prefill and decode cost alone and together, summed over a window's steps: v(P), v(D) and v(P, D) of
// docs/estimators.md. Any amount will do: seconds, joules, activity-seconds.
type game struct{ together, prefillAlone, decodeAlone float64 }

// prefill is the Shapley value of prefill, between nothing and everything.
func (g game) prefill() float64 {
	return max(0, min(g.together, (g.prefillAlone+g.together-g.decodeAlone)/2))
}

// bounds are prefill's marginal and stand-alone cost in rising order, widened by margin either side, between nothing and everything
// and around the Shapley value.
func (g game) bounds(margin float64) (low, high float64) {
	marginal, value := g.together-g.decodeAlone, g.prefill()
	low, high = min(marginal, g.prefillAlone)-margin, max(marginal, g.prefillAlone)+margin
	return max(0, min(low, value)), min(g.together, max(high, value))
}
