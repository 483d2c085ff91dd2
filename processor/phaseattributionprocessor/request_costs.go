package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"github.com/otelcol-inference/otelcol-inference/internal/requestspan"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// requestCosts is what a token costs at a worker, over the trailing time. The requests' parts add up to prefill and decode of the worker
// when every request has a span; idle energy belongs to none.
type requestCosts struct {
	computed   float64 // share of prompt tokens that are computed here, for spans that do not tell
	energy     [2]float64
	hasEnergy  [2]bool
	money      [2]float64
	hasMoney   [2]bool
	currency   string
	confidence float64
	method     string
}

// promptShare fades: of the prompt tokens, those that were computed.
type promptShare struct{ computed, all float64 }

func (s *promptShare) add(win window.Window, d *derived, fade float64) {
	s.computed *= fade
	s.all *= fade
	s.computed += d.tokens
	s.all += max(d.tokens, win.Totals[inPrompt].Sum+win.Totals[inComputed].Sum+win.Totals[inReused].Sum)
}

// costsOf is what the worker's sums say after a window, or nil when its last windows were not divided. before is what they said earlier,
// which keeps its confidence through windows that cannot be divided.
func costsOf(s *sums, d *derived, currency string, before *requestCosts) *requestCosts {
	r, given := &s.gpu.recent, &d.spent.amounts[gpuEnergy]
	c := requestCosts{computed: 1, currency: currency, method: d.split.Method, confidence: d.split.Confidence}
	withheld := d.split.Withheld != ""
	if s.gpu.known[gpuEnergy] {
		c.method, c.confidence, withheld = d.spent.method, given.Confidence, given.Withheld != ""
	}
	if withheld {
		if before == nil {
			return nil
		}
		c.method, c.confidence = before.method, before.confidence
	}
	if s.prompts.all > 0 {
		c.computed = s.prompts.computed / s.prompts.all
	}
	some := false
	for phase := range r.tokens {
		if r.tokens[phase] < 1 {
			continue
		}
		if s.gpu.known[gpuEnergy] {
			c.energy[phase], c.hasEnergy[phase] = r.amounts[gpuEnergy][phase]/r.tokens[phase], true
		}
		if s.gpu.priced && r.money[phase] > 0 {
			c.money[phase], c.hasMoney[phase] = r.money[phase]/r.tokens[phase], true
		}
		some = some || c.hasEnergy[phase] || c.hasMoney[phase]
	}
	if !some {
		return nil
	}
	return &c
}

// tokens are the tokens of a request that its phase pays for: computed prompt tokens, and the tokens after the first.
func (c *requestCosts) tokens(r *requestspan.Request, phase int) (n float64, ok bool) {
	switch {
	case phase == 1:
		return float64(max(0, r.OutputTokens-1)), r.OutputTokens != requestspan.Unknown
	case r.PromptTokens == requestspan.Unknown:
		return 0, false
	case r.CachedTokens != requestspan.Unknown:
		return float64(r.PromptTokens - r.CachedTokens), true
	}
	return c.computed * float64(r.PromptTokens), true
}

// share is what a request owes by phase; negative where not known.
type share struct{ energy, money [2]float64 }

func (c *requestCosts) share(r *requestspan.Request) (s share) {
	for phase := range s.energy {
		s.energy[phase], s.money[phase] = -1, -1
		n, ok := c.tokens(r, phase)
		if ok && c.hasEnergy[phase] {
			s.energy[phase] = n * c.energy[phase]
		}
		if ok && c.hasMoney[phase] {
			s.money[phase] = n * c.money[phase]
		}
	}
	return s
}

// costed is which of the phases with costs that is, or -1.
func costed(phase string) int {
	switch phase {
	case signal.PhasePrefill:
		return 0
	case signal.PhaseDecode:
		return 1
	}
	return -1
}
