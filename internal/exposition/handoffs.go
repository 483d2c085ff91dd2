package exposition // import "github.com/otelcol-inference/otelcol-inference/internal/exposition"

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// handoffs writes how many of its requests a prefill worker handed on. Each is counted again by the worker that decodes it, so that a
// fleet has finished the sum of requests less the sum of these. It follows the role, whoever told it and whenever: a role that is learnt
// late is no other resource, and the count has the requests of before.
func (o *output) handoffs(w *worker) {
	b := o.book
	if w.role.name != signal.RolePrefill || !b.set.Vocabulary.emitted[signal.RequestHandoffs] {
		return
	}
	var total float64
	var start pcommon.Timestamp
	for _, s := range w.streams {
		if s.family.Metric.Name != signal.RequestCount || b.yields(s.family) || has(s.attributes, signal.AttrFinishReason, signal.FinishAbort) {
			continue
		}
		v, ok := s.value.value(b.scrape)
		if !ok || s.tracker.start == 0 {
			return // without one of its parts the total would fall and come back
		}
		if start == 0 || s.tracker.start < start {
			start = s.tracker.start
		}
		total += v
	}
	if start == 0 {
		return
	}
	t := b.handed[w.key]
	if t == nil {
		if len(b.handed) >= maxGroups {
			return
		}
		t = &tracker{start: start}
		b.handed[w.key] = t
	}
	t.observe(b.now, total, 0)
	p := o.number(b.set.Vocabulary.handoffs)
	p.SetStartTimestamp(t.start)
	p.SetDoubleValue(total)
}
