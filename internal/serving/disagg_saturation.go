package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import (
	"math"

	"github.com/otelcol-inference/otelcol-inference/internal/estimate"
)

// saturation is what was computed in windows without a moment of rest.
type saturation struct {
	steps, time, tokens, windows float64
	ratio                        *estimate.Moments // time for a token, s
}

// leastSaturated is how many such windows tell the cost of a prompt.
const leastSaturated = 3

func (s *saturation) add(w PrefillWindow) {
	s.windows, s.steps, s.time, s.tokens = forgetting*s.windows, forgetting*s.steps, forgetting*s.time, forgetting*s.tokens
	steps := w.StepTokens.count()
	if !(w.Busy > 0 && w.Tokens > 0 && steps >= 1) {
		return
	}
	s.windows, s.steps, s.time, s.tokens = s.windows+1, s.steps+steps, s.time+w.Busy, s.tokens+w.Tokens
	s.ratio.Add(w.Busy / w.Tokens)
}

// line is the line with that base; ok is false where there were too few such windows.
func (s *saturation) line(base float64) (Line, bool) {
	if s.windows < leastSaturated {
		return Line{}, false
	}
	return Line{
		Base: base, Slope: max(s.time/2, s.time-base*s.steps) / s.tokens, Spread: s.ratio.CV() / math.Sqrt(s.windows), Samples: s.windows, Mean: s.tokens / s.steps,
	}, true
}
