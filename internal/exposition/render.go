package exposition // import "github.com/otelcol-inference/otelcol-inference/internal/exposition"

import (
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// Down returns the points of a scrape that failed: up is 0 for each worker that the target has shown, or for the target itself.
func (b *Book) Down(at time.Time) pmetric.Metrics {
	return b.ups(at, func(p pmetric.NumberDataPoint) { p.SetDoubleValue(0) })
}

// Gone returns the points that end up for each of them: nobody asks the target any more, so it is neither up nor down.
func (b *Book) Gone(at time.Time) pmetric.Metrics {
	return b.ups(at, func(p pmetric.NumberDataPoint) { p.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true)) })
}

func (b *Book) ups(at time.Time, set func(pmetric.NumberDataPoint)) pmetric.Metrics {
	b.now.at = pcommon.NewTimestampFromTime(at)
	if b.changed {
		b.arrange()
	}
	md := pmetric.NewMetrics()
	for _, w := range b.upHolders() {
		set(b.open(md, w).number(b.set.Vocabulary.up))
	}
	return md
}

// upHolders are the resources that have up.
func (b *Book) upHolders() []*worker {
	if len(b.workers) == 0 {
		return []*worker{b.shared}
	}
	return b.workers
}

// render makes the points of the page that was just read.
func (b *Book) render() pmetric.Metrics {
	if b.changed || b.returned() {
		b.arrange()
	}
	b.observeRoles()
	b.noteMissing()
	md := pmetric.NewMetrics()
	md.ResourceMetrics().EnsureCapacity(len(b.workers) + 1)
	for _, w := range b.upHolders() {
		out := b.open(md, w)
		if b.whole {
			up := 1.0
			if len(b.workers) > 0 && !w.seen(b.scrape) {
				up = 0 // the page came, and this rank is no longer on it
			}
			out.number(b.set.Vocabulary.up).SetDoubleValue(up)
		}
		if len(b.workers) > 0 {
			out.info(w)
			out.missing(w)
		}
		if len(b.workers) == 1 {
			out.drift()
		}
		out.worker(w)
	}
	switch {
	case len(b.workers) > 1:
		out := b.open(md, b.shared)
		out.drift()
		out.worker(b.shared)
	case len(b.workers) == 1 && len(b.shared.groups) > 0:
		b.open(md, b.shared).worker(b.shared)
		md.ResourceMetrics().RemoveIf(func(rm pmetric.ResourceMetrics) bool { return rm.ScopeMetrics().At(0).Metrics().Len() == 0 })
	}
	b.report.Points = md.DataPointCount()
	return md
}

// target returns the resource of the target itself among those that render made: its only worker's, or that in front of several.
func (b *Book) target(md pmetric.Metrics) pmetric.ResourceMetrics {
	if len(b.workers) == 1 {
		return md.ResourceMetrics().At(0)
	}
	return md.ResourceMetrics().At(md.ResourceMetrics().Len() - 1)
}

// seen reports whether a series of the worker was on the page of a scrape.
func (w *worker) seen(scrape uint64) bool {
	return slices.ContainsFunc(w.streams, func(s *stream) bool { return s.seen(scrape) })
}

// output writes the points of one resource.
type output struct {
	book    *Book
	metrics pmetric.MetricSlice
	facts   bool // writes out of the order of the metrics, so a metric may have been begun before the last one
	block   func() (tokens float64, ok bool)
}

func (b *Book) open(md pmetric.Metrics, w *worker) *output {
	rm := md.ResourceMetrics().AppendEmpty()
	w.resource.CopyTo(rm.Resource())
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(b.set.Scope)
	sm.Scope().SetVersion(b.set.Version)
	sm.Metrics().EnsureCapacity(len(w.streams) + 8)
	return &output{book: b, metrics: sm.Metrics(), block: func() (float64, bool) { return b.blockSize(w) }}
}

func (o *output) metric(m signal.Metric) pmetric.Metric {
	out := o.metrics.AppendEmpty()
	out.SetName(m.Name)
	out.SetUnit(m.Unit)
	out.SetDescription(m.Description)
	return out
}

// begun returns the metric of this name, if it was begun, so that its points stay together.
func (o *output) begun(name string) (pmetric.Metric, bool) {
	for i := o.metrics.Len() - 1; i >= 0; i-- {
		if m := o.metrics.At(i); m.Name() == name {
			return m, true
		}
		if !o.facts { // streams are in the order of their metrics
			break
		}
	}
	return pmetric.Metric{}, false
}

// number begins a point of a gauge or sum.
func (o *output) number(m signal.Metric) pmetric.NumberDataPoint {
	out, ok := o.begun(m.Name)
	if !ok {
		out = o.metric(m)
		switch m.Instrument {
		case signal.Sum, signal.UpDownCounter:
			sum := out.SetEmptySum()
			sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
			sum.SetIsMonotonic(m.Instrument == signal.Sum)
		default:
			out.SetEmptyGauge()
		}
	}
	var p pmetric.NumberDataPoint
	if out.Type() == pmetric.MetricTypeSum {
		p = out.Sum().DataPoints().AppendEmpty()
	} else {
		p = out.Gauge().DataPoints().AppendEmpty()
	}
	p.SetTimestamp(o.book.now.at)
	return p
}

func (o *output) histogram(m signal.Metric) pmetric.HistogramDataPoint {
	out, ok := o.begun(m.Name)
	if !ok {
		out = o.metric(m)
		out.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	}
	p := out.Histogram().DataPoints().AppendEmpty()
	p.SetTimestamp(o.book.now.at)
	return p
}

func putAll(m pcommon.Map, attributes []dialect.Attribute) {
	m.EnsureCapacity(len(attributes))
	for _, a := range attributes {
		m.PutStr(a.Key, a.Value)
	}
}
