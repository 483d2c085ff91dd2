package adviceconnector // import "github.com/otelcol-inference/otelcol-inference/connector/adviceconnector"

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/advice"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// maxAhead is how far a point's time may lie ahead of this machine's clock. A point from the far future would make every later one look
// late.
const maxAhead = 10 * time.Minute

// reader hands the points of batches to an advisor.
type reader struct {
	advisor *advice.Advisor
	latest  int64
	pairs   []advice.Pair // scratch
	value   window.Value  // scratch: of it nothing is kept
	refused int
}

// read takes a batch and returns how many points were refused.
func (r *reader) read(md pmetric.Metrics, now time.Time) int {
	r.refused, r.latest = 0, now.Add(maxAhead).UnixNano()
	for _, rm := range md.ResourceMetrics().All() {
		if r.relevant(rm) {
			r.resource(rm, now)
		}
	}
	return r.refused
}

// relevant reports whether a resource has a metric that a rule reads: others cost no more than that.
func (r *reader) relevant(rm pmetric.ResourceMetrics) bool {
	for _, sm := range rm.ScopeMetrics().All() {
		for _, m := range sm.Metrics().All() {
			if r.advisor.Wants(m.Name()) {
				return true
			}
		}
	}
	return false
}

func (r *reader) resource(rm pmetric.ResourceMetrics, now time.Time) {
	ref, ok := identify(rm)
	if !ok {
		return
	}
	subject, ok := r.advisor.Subject(ref, now, func() advice.Identity { return describe(ref, rm.Resource()) })
	if role := text(rm.Resource().Attributes(), signal.AttrRole); ok && role != "" && subject.Learn(signal.AttrRole, role) {
		subject.Carry(keep(rm.Resource())) // a worker that came back in another role
	}
	for _, sm := range rm.ScopeMetrics().All() {
		for _, m := range sm.Metrics().All() {
			if !r.advisor.Wants(m.Name()) {
				continue
			}
			if !ok {
				r.refused++
				continue
			}
			r.metric(subject, m)
		}
	}
}

func (r *reader) metric(s advice.Subject, m pmetric.Metric) {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		r.numbers(s, m.Name(), m.Gauge().DataPoints(), advice.Level)
	case pmetric.MetricTypeSum:
		form := formOf(m.Sum().AggregationTemporality())
		if !m.Sum().IsMonotonic() && form == advice.Total {
			form = advice.Level // what may fall is an amount: it holds at its time
		}
		r.numbers(s, m.Name(), m.Sum().DataPoints(), form)
	case pmetric.MetricTypeHistogram:
		r.histograms(s, m.Name(), m.Histogram())
	}
}

func formOf(t pmetric.AggregationTemporality) advice.Form {
	if t == pmetric.AggregationTemporalityDelta {
		return advice.Delta
	}
	return advice.Total
}

func (r *reader) numbers(s advice.Subject, name string, points pmetric.NumberDataPointSlice, form advice.Form) {
	for _, dp := range points.All() {
		v := dp.DoubleValue()
		if dp.ValueType() == pmetric.NumberDataPointValueTypeInt {
			v = float64(dp.IntValue())
		}
		r.observe(s, dp.Attributes(), advice.Point{
			Metric: name, Form: form, At: int64(dp.Timestamp()), Start: int64(dp.StartTimestamp()), Gone: dp.Flags().NoRecordedValue(),
			Value: window.Value{Sum: v},
		})
	}
}

func (r *reader) histograms(s advice.Subject, name string, h pmetric.Histogram) {
	for _, dp := range h.DataPoints().All() {
		p := advice.Point{
			Metric: name, Form: formOf(h.AggregationTemporality()), At: int64(dp.Timestamp()), Start: int64(dp.StartTimestamp()),
			Gone: dp.Flags().NoRecordedValue(),
		}
		if !p.Gone {
			if !dp.HasSum() || dp.BucketCounts().Len() != dp.ExplicitBounds().Len()+1 {
				r.refused++
				continue
			}
			p.Value = r.buckets(dp)
		}
		r.observe(s, dp.Attributes(), p)
	}
}

// buckets reads a histogram's point into the reader's room.
func (r *reader) buckets(dp pmetric.HistogramDataPoint) window.Value {
	v := &r.value
	v.Sum, v.Count, v.Bounds, v.Counts = dp.Sum(), float64(dp.Count()), v.Bounds[:0], v.Counts[:0]
	for i := range dp.ExplicitBounds().Len() {
		v.Bounds = append(v.Bounds, dp.ExplicitBounds().At(i))
	}
	for i := range dp.BucketCounts().Len() {
		v.Counts = append(v.Counts, float64(dp.BucketCounts().At(i)))
	}
	return *v
}

func (r *reader) observe(s advice.Subject, attributes pcommon.Map, p advice.Point) {
	if p.At > r.latest {
		r.refused++
		return
	}
	r.pairs = r.pairs[:0]
	for k, v := range attributes.All() {
		r.pairs = append(r.pairs, advice.Pair{Key: k, Value: v.AsString()})
	}
	p.Attributes = r.pairs
	if !s.Observe(p) {
		r.refused++
	}
}
