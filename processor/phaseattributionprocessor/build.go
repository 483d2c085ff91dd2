package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor/internal/metadata"
)

// gaugeKey tells a worker's gauge points apart: metric, then up to two attributes as key, value, key, value.
type gaugeKey struct {
	metric     string
	attributes [4]string
}

// builder appends metrics of one worker with names and units from the vocabulary. Points of one metric are appended one after
// another.
type builder struct {
	w         *worker
	metrics   pmetric.MetricSlice
	start, at pcommon.Timestamp
	given     map[gaugeKey]bool
}

// newBuilder adds the worker's resource to out, once per batch of windows.
func newBuilder(w *worker, at pcommon.Timestamp, out pmetric.Metrics) *builder {
	rm := out.ResourceMetrics().AppendEmpty()
	w.resource.CopyTo(rm.Resource())
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(metadata.ScopeName)
	return &builder{
		w: w, metrics: sm.Metrics(), start: pcommon.Timestamp(w.sums.started), at: at,
		given: make(map[gaugeKey]bool, len(w.given)),
	}
}

// metric returns the metric of that name, begun unless it is the last one; made is whether it was begun.
func (b *builder) metric(name string) (m pmetric.Metric, made bool) {
	if n := b.metrics.Len(); n > 0 && b.metrics.At(n-1).Name() == name {
		return b.metrics.At(n - 1), false
	}
	m = b.metrics.AppendEmpty()
	m.SetName(name)
	m.SetUnit(b.w.table[name].Unit)
	m.SetDescription(b.w.table[name].Description)
	return m, true
}

// gaugePoint appends a point of a gauge that always has one.
func (b *builder) gaugePoint(name string, v float64, attributes ...string) pmetric.NumberDataPoint {
	m, made := b.metric(name)
	if made {
		m.SetEmptyGauge()
	}
	dp := m.Gauge().DataPoints().AppendEmpty()
	dp.SetTimestamp(b.at)
	dp.SetDoubleValue(v)
	put(dp.Attributes(), attributes)
	return dp
}

// gauge appends a point of a gauge and remembers it, so that a window without it can say that it is gone.
func (b *builder) gauge(name string, v float64, attributes ...string) {
	key := gaugeKey{metric: name}
	copy(key.attributes[:], attributes)
	b.given[key] = true
	b.gaugePoint(name, v, attributes...)
}

// sum appends a point of a cumulative sum that began at start.
func (b *builder) sum(name string, start pcommon.Timestamp, attributes ...string) pmetric.NumberDataPoint {
	m, made := b.metric(name)
	if made {
		sum := m.SetEmptySum()
		sum.SetIsMonotonic(true)
		sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	}
	dp := m.Sum().DataPoints().AppendEmpty()
	dp.SetStartTimestamp(start)
	dp.SetTimestamp(b.at)
	put(dp.Attributes(), attributes)
	return dp
}

// finish marks gauges that the window before had and this one has not, so that no backend carries the last value on.
func (b *builder) finish() {
	for key := range b.w.given {
		if b.given[key] {
			continue
		}
		n := len(key.attributes)
		for n > 0 && key.attributes[n-2] == "" {
			n -= 2
		}
		dp := b.gaugePoint(key.metric, 0, key.attributes[:n]...)
		dp.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	}
	b.w.given = b.given
}

// put sets attributes given as key, value, key, value.
func put(m pcommon.Map, attributes []string) {
	m.EnsureCapacity(len(attributes) / 2)
	for i := 0; i+1 < len(attributes); i += 2 {
		m.PutStr(attributes[i], attributes[i+1])
	}
}
