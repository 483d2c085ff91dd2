package derive

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// Gauges remembers which gauges of a resource the last batch had, so that the next can say which are gone. The zero value is ready.
type Gauges struct {
	given []gaugeKey // in the order in which they came, which is most often that of the batch before
	room  []gaugeKey // of the batch before that, to be written again
}

// Empty tells whether there are none.
func (g *Gauges) Empty() bool { return len(g.given) == 0 }

// gaugeKey tells gauge points apart: metric, then up to three attributes as key, value, ...
type gaugeKey struct {
	metric     string
	attributes [6]string
}

// Builder appends metrics of one resource with units from a table. Points of one metric are appended one after another.
type Builder struct {
	table     map[string]signal.Metric
	metrics   pmetric.MetricSlice
	start, at pcommon.Timestamp
	gauges    *Gauges
	given     []gaugeKey
}

// NewBuilder adds a resource to out. Sums began at start, all points are of the time at. gauges may be nil for a resource that is not
// followed.
func NewBuilder(table map[string]signal.Metric, scope string, resource pcommon.Resource, start, at pcommon.Timestamp, gauges *Gauges, out pmetric.Metrics) *Builder {
	rm := out.ResourceMetrics().AppendEmpty()
	resource.CopyTo(rm.Resource())
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(scope)
	if gauges == nil {
		gauges = &Gauges{}
	}
	return &Builder{
		table: table, metrics: sm.Metrics(), start: start, at: at, gauges: gauges, given: gauges.room[:0],
	}
}

// metric returns the metric of that name, begun unless it is the last one; made is whether it was begun.
func (b *Builder) metric(name string) (m pmetric.Metric, made bool) {
	if n := b.metrics.Len(); n > 0 && b.metrics.At(n-1).Name() == name {
		return b.metrics.At(n - 1), false
	}
	m = b.metrics.AppendEmpty()
	m.SetName(name)
	entry := b.table[name]
	m.SetUnit(entry.Unit)
	m.SetDescription(entry.Description)
	return m, true
}

// Point appends a point of a gauge that is never gone, with attributes given as key, value.
func (b *Builder) Point(name string, v float64, attributes ...string) pmetric.NumberDataPoint {
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

// Gauge appends a point with attributes given as key, value, at most three of them, and remembers it.
func (b *Builder) Gauge(name string, v float64, attributes ...string) {
	key := gaugeKey{metric: name}
	copy(key.attributes[:], attributes)
	b.given = append(b.given, key)
	b.Point(name, v, attributes...)
}

// Sum appends a point of a cumulative monotonic sum.
func (b *Builder) Sum(name string, attributes ...string) pmetric.NumberDataPoint {
	return b.SumSince(b.start, name, attributes...)
}

// SumSince appends a point of one that began at a time of its own.
func (b *Builder) SumSince(start pcommon.Timestamp, name string, attributes ...string) pmetric.NumberDataPoint {
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

// HistogramSince appends a point of a cumulative histogram that began at start.
func (b *Builder) HistogramSince(start pcommon.Timestamp, name string, attributes ...string) pmetric.HistogramDataPoint {
	m, made := b.metric(name)
	if made {
		m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	}
	dp := m.Histogram().DataPoints().AppendEmpty()
	dp.SetStartTimestamp(start)
	dp.SetTimestamp(b.at)
	put(dp.Attributes(), attributes)
	return dp
}

// Finish marks gauges that the batch before had and this one has not as not recorded, so that no backend carries the last value on.
func (b *Builder) Finish() {
	was, next := b.gauges.given, 0
	for i := range was {
		key := &was[i]
		if at := b.find(key, next); at >= 0 {
			next = at + 1
			continue
		}
		n := len(key.attributes)
		for n > 0 && key.attributes[n-2] == "" {
			n -= 2
		}
		b.Point(key.metric, 0, key.attributes[:n]...).SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	}
	b.gauges.given, b.gauges.room = b.given, was
}

// find returns the place of a gauge in this batch, looked for from a place on, or -1.
func (b *Builder) find(key *gaugeKey, from int) int {
	n := len(b.given)
	for i := range n {
		at := from + i
		if at >= n {
			at -= n
		}
		if b.given[at] == *key {
			return at
		}
	}
	return -1
}

func put(m pcommon.Map, attributes []string) {
	m.EnsureCapacity(len(attributes) / 2)
	for i := 0; i+1 < len(attributes); i += 2 {
		m.PutStr(attributes[i], attributes[i+1])
	}
}
