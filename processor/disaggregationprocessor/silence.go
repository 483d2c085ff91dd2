package disaggregationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"

import (
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
)

// sweep finishes the windows of a fleet that fell silent and forgets workers that did. It returns how many, and whether there is none
// left.
func (f *fleet) sweep(now time.Time, out pmetric.Metrics) (dropped int, empty bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.silent && now.Sub(f.seen) > 3*max(f.cfg.Window, f.interval) {
		f.silent = true
		if b := f.newest - f.newest%int64(f.cfg.Window); b > f.closed {
			f.close(b, out)
		}
		f.goSilent(now, out)
	}
	f.ordered = slices.DeleteFunc(f.ordered, func(m *member) bool {
		if now.Sub(m.seen) <= f.cfg.MaxStale {
			return false
		}
		delete(f.members, m.id.WorkerID)
		f.endGauges(m.resource, &m.gauges, m.started, now, out)
		dropped++
		return true
	})
	if f.gone = len(f.members) == 0; f.gone {
		f.endGauges(f.resource, &f.gauges, f.started, now, out)
	}
	return dropped, f.gone
}

// goSilent marks all gauges of a fleet that fell silent as no longer recorded.
func (f *fleet) goSilent(now time.Time, out pmetric.Metrics) {
	f.endGauges(f.resource, &f.gauges, f.started, now, out)
	for _, m := range f.ordered {
		f.endGauges(m.resource, &m.gauges, m.started, now, out)
	}
}

// endGauges marks those of the fleet or of a worker as no longer recorded, where there are any.
func (f *fleet) endGauges(resource pcommon.Resource, gauges *derive.Gauges, started int64, now time.Time, out pmetric.Metrics) {
	if !gauges.Empty() {
		f.builder(resource, gauges, started, now.UnixNano(), out).Finish()
	}
}
