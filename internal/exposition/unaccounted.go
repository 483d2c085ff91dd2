package exposition // import "github.com/otelcol-inference/otelcol-inference/internal/exposition"

import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// unaccounted holds the total of a worker's prompt tokens against its parts, where the page has both. The total itself is left out.
func (o *output) unaccounted(w *worker) {
	b := o.book
	if !b.set.Vocabulary.emitted[signal.TokensUnaccounted] {
		return
	}
	var total, parts float64
	hasTotal, hasParts := false, false
	for _, s := range w.streams {
		if s.family.Metric.Name != signal.TokensPrompt {
			continue
		}
		v, ok := s.value.value(b.scrape)
		switch yields := b.yields(s.family); {
		case !ok:
			return // what is missing on this page is no prompt token unaccounted for
		case s.family.Sums && yields:
			total, hasTotal = total+v, true
		case !yields:
			parts, hasParts = parts+v, true
		}
	}
	if hasTotal && hasParts && b.number(total-parts) {
		o.number(b.set.Vocabulary.unaccounted).SetDoubleValue(total - parts)
	}
}
