package derive

import (
	"math"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// MaxAhead is how far a point's time may lie ahead of this machine's clock. A point from the far future would make every later one look
// late.
const MaxAhead = 10 * time.Minute

// Inputs says which counter or gauge of an Aligner a point is, or -1. Points of one input at one time add up.
type Inputs struct {
	Counter func(metric string, attributes pcommon.Map) int
	Gauge   func(metric string, attributes pcommon.Map) int
}

// Intake takes points into an Aligner.
type Intake struct {
	Inputs
	Into *window.Aligner
	// Layouts has the bounds of histograms where they are shared, nil where each input has its own.
	Layouts *window.Layouts

	now  pcommon.Timestamp // points too far after it are refused
	late int               // points refused for their time
}

// Read takes a metric's points and returns how many were refused for their time: older than one seen before, without a time, or too far
// ahead of now.
func (r *Intake) Read(m pmetric.Metric, now time.Time) (late int) {
	r.now, r.late = pcommon.NewTimestampFromTime(now.Add(MaxAhead)), 0
	switch m.Type() {
	case pmetric.MetricTypeHistogram:
		r.histogram(m)
	case pmetric.MetricTypeSum:
		r.numbers(m.Name(), m.Sum().DataPoints(), m.Sum().AggregationTemporality())
	case pmetric.MetricTypeGauge:
		r.numbers(m.Name(), m.Gauge().DataPoints(), pmetric.AggregationTemporalityCumulative)
	}
	return r.late
}

// total is what the points of one input add up to at one time.
type total struct {
	key       int
	gauge     bool
	start, at pcommon.Timestamp
	value     window.Value
}

// totals are those of one metric: a metric has few inputs.
type totals []total

func (t *totals) add(key int, gauge bool, start, at pcommon.Timestamp, v window.Value) {
	for i := range *t {
		one := &(*t)[i]
		if one.key != key || one.gauge != gauge {
			continue
		}
		if at > one.at {
			*one = total{key, gauge, start, at, v}
		} else if at == one.at {
			one.start = max(one.start, start)
			one.value.AddScaled(v, 1)
		}
		return
	}
	*t = append(*t, total{key, gauge, start, at, v})
}

func (r *Intake) histogram(m pmetric.Metric) {
	var room [4]total
	sums := totals(room[:0])
	for _, dp := range m.Histogram().DataPoints().All() {
		key := r.Counter(m.Name(), dp.Attributes())
		if key < 0 || dp.Flags().NoRecordedValue() || dp.BucketCounts().Len() != dp.ExplicitBounds().Len()+1 {
			continue
		}
		v := window.Value{Sum: dp.Sum(), Count: float64(dp.Count()), Bounds: r.Layouts.Of(dp.ExplicitBounds().Len(), dp.ExplicitBounds().At)}
		v.Counts = make([]float64, dp.BucketCounts().Len())
		for i := range v.Counts {
			v.Counts[i] = float64(dp.BucketCounts().At(i))
		}
		sums.add(key, false, dp.StartTimestamp(), dp.Timestamp(), v)
	}
	r.observe(sums, m.Histogram().AggregationTemporality())
}

func (r *Intake) numbers(name string, points pmetric.NumberDataPointSlice, temporality pmetric.AggregationTemporality) {
	var room [4]total
	sums := totals(room[:0])
	for _, dp := range points.All() {
		v := Number(dp)
		if dp.Flags().NoRecordedValue() || math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		if key := r.Gauge(name, dp.Attributes()); key >= 0 {
			sums.add(key, true, 0, dp.Timestamp(), window.Value{Sum: v})
		} else if key := r.Counter(name, dp.Attributes()); key >= 0 {
			sums.add(key, false, dp.StartTimestamp(), dp.Timestamp(), window.Value{Sum: v})
		}
	}
	r.observe(sums, temporality)
}

func (r *Intake) observe(sums totals, temporality pmetric.AggregationTemporality) {
	for i := range sums {
		t := &sums[i]
		if t.at == 0 || t.at > r.now || math.IsNaN(t.value.Sum) || math.IsInf(t.value.Sum, 0) {
			r.late++
			continue
		}
		var outcome window.Outcome
		switch {
		case t.gauge:
			outcome = r.Into.ObserveGauge(t.key, int64(t.at), t.value.Sum)
		case temporality == pmetric.AggregationTemporalityDelta:
			outcome = r.Into.ObserveDelta(t.key, int64(t.start), int64(t.at), t.value)
		default:
			outcome = r.Into.Observe(t.key, int64(t.at), int64(t.start), t.value)
		}
		if outcome == window.Late {
			r.late++
		}
	}
}

// Number is the value of a point.
func Number(dp pmetric.NumberDataPoint) float64 {
	if dp.ValueType() == pmetric.NumberDataPointValueTypeInt {
		return float64(dp.IntValue())
	}
	return dp.DoubleValue()
}

// Text is the value of an attribute that is text, "" without one.
func Text(m pcommon.Map, key string) string {
	v, ok := m.Get(key)
	if !ok || v.Type() != pcommon.ValueTypeStr {
		return ""
	}
	return v.Str()
}
