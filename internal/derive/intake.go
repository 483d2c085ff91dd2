package derive

import (
	"cmp"
	"math"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// MaxAhead is how far a point's time may lie ahead of this machine's clock. A point from the far future would make every later one look
// late.
const MaxAhead = 10 * time.Minute

// Intake takes points into an Aligner. Points of one input at one time add up. Of several times in one metric the newest counts, except of
// deltas, each of which is an increase of its own. It is not safe for concurrent use.
type Intake struct {
	Inputs
	Into   *window.Aligner
	Room   *Room // of Intakes that are read one at a time; nil for one that stands alone
	Summed bool  // a histogram without a sum is not taken

	order  []*Input // of the metrics of the batch before
	place  int      // of the next metric in its batch
	latest pcommon.Timestamp
	late   int  // points refused for their time
	deltas bool // the metric's points are increases
}

// Room is where a metric's points are added up. It has nothing to keep between two metrics. The zero value is ready.
type Room struct{ totals []total }

// Bounds of what is looked through for a point: metrics of a batch whose places are remembered, and what a metric's points are added up to.
const (
	maxOrder  = 512
	maxTotals = 256
)

// Begin begins a batch. Points too far ahead of now are refused.
func (r *Intake) Begin(now time.Time) {
	if r.Room == nil {
		r.Room = &Room{}
	}
	r.place, r.latest = 0, pcommon.NewTimestampFromTime(now.Add(MaxAhead))
}

// Read takes the next metric's points and returns how many were refused for their time: older than one seen before, without a time, too
// far ahead, or deltas of more times than maxTotals.
func (r *Intake) Read(m pmetric.Metric) (late int) {
	in := r.input(m.Name())
	if in == nil || in.Counter == nil && in.Gauge == nil {
		return 0
	}
	r.late, r.Room.totals, r.deltas = 0, r.Room.totals[:0], false
	const delta = pmetric.AggregationTemporalityDelta
	switch m.Type() {
	case pmetric.MetricTypeHistogram:
		if in.Counter != nil {
			r.deltas = m.Histogram().AggregationTemporality() == delta
			r.histogram(in.Counter, m.Histogram().DataPoints())
		}
	case pmetric.MetricTypeSum:
		r.deltas = m.Sum().AggregationTemporality() == delta
		r.numbers(in, m.Sum().DataPoints())
	case pmetric.MetricTypeGauge:
		r.numbers(in, m.Gauge().DataPoints())
	}
	r.observe()
	return r.late
}

// input looks up the next metric of a batch; its name is most often that which stood in this place before.
func (r *Intake) input(name string) *Input {
	i := r.place
	r.place++
	if i < len(r.order) && r.order[i] != nil && r.order[i].name == name {
		return r.order[i]
	}
	in := r.Inputs[name]
	if i < len(r.order) {
		r.order[i] = in
	} else if i == len(r.order) && i < maxOrder {
		r.order = append(r.order, in)
	}
	return in
}

// total is what the points of one input add up to at one time.
type total struct {
	key       int
	gauge     bool
	start, at pcommon.Timestamp
	value     window.Value
}

// total returns that of an input, and whether it has no points of that time yet; nil where it has newer ones or there are too many. A metric
// has few inputs, and its points have few times.
func (r *Intake) total(key int, gauge bool, start, at pcommon.Timestamp) (t *total, fresh bool) {
	for i := range r.Room.totals {
		t = &r.Room.totals[i]
		if t.key != key || t.gauge != gauge || r.deltas && !gauge && t.at != at {
			continue
		}
		switch {
		case at < t.at:
			return nil, false
		case at == t.at:
			t.start = max(t.start, start)
			return t, false
		}
		t.start, t.at = start, at
		return t, true
	}
	if len(r.Room.totals) == maxTotals && r.deltas {
		r.late++
		return nil, false
	}
	if n := len(r.Room.totals); n < cap(r.Room.totals) {
		r.Room.totals = r.Room.totals[:n+1]
	} else {
		r.Room.totals = append(r.Room.totals, total{})
	}
	t = &r.Room.totals[len(r.Room.totals)-1]
	t.key, t.gauge, t.start, t.at = key, gauge, start, at
	return t, true
}

func (r *Intake) histogram(of Pick, points pmetric.HistogramDataPointSlice) {
	for i := range points.Len() {
		dp := points.At(i)
		bounds, buckets := dp.ExplicitBounds(), dp.BucketCounts()
		if dp.Flags().NoRecordedValue() || buckets.Len() != bounds.Len()+1 || r.Summed && !dp.HasSum() {
			continue
		}
		key := of(dp.Attributes())
		if key < 0 {
			continue
		}
		t, fresh := r.total(key, false, dp.StartTimestamp(), dp.Timestamp())
		if t == nil {
			continue
		}
		v := &t.value
		if fresh {
			*v = window.Value{Bounds: v.Bounds[:0], Counts: v.Counts[:0]}
			for b := range bounds.Len() {
				v.Bounds = append(v.Bounds, bounds.At(b))
			}
			for range buckets.Len() {
				v.Counts = append(v.Counts, 0)
			}
		}
		v.Sum += dp.Sum()
		v.Count += float64(dp.Count())
		if len(v.Counts) == buckets.Len() {
			for b := range v.Counts {
				v.Counts[b] += float64(buckets.At(b))
			}
		}
	}
}

func (r *Intake) numbers(in *Input, points pmetric.NumberDataPointSlice) {
	for i := range points.Len() {
		dp := points.At(i)
		v := Number(dp)
		if dp.Flags().NoRecordedValue() || math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		key, start := -1, pcommon.Timestamp(0)
		gauge := in.Gauge != nil
		if gauge {
			key = in.Gauge(dp.Attributes())
		}
		if key < 0 && in.Counter != nil {
			gauge, key, start = false, in.Counter(dp.Attributes()), dp.StartTimestamp()
		}
		if key < 0 {
			continue
		}
		t, fresh := r.total(key, gauge, start, dp.Timestamp())
		if t == nil {
			continue
		}
		if fresh {
			t.value = window.Value{Bounds: t.value.Bounds[:0], Counts: t.value.Counts[:0]}
		}
		t.value.Sum += v
	}
}

func (r *Intake) observe() {
	if r.deltas { // an increase follows another
		slices.SortStableFunc(r.Room.totals, func(a, b total) int { return cmp.Compare(a.at, b.at) })
	}
	for i := range r.Room.totals {
		t := &r.Room.totals[i]
		if t.at == 0 || t.at > r.latest || math.IsNaN(t.value.Sum) || math.IsInf(t.value.Sum, 0) {
			r.late++
			continue
		}
		var outcome window.Outcome
		switch {
		case t.gauge:
			outcome = r.Into.ObserveGauge(t.key, int64(t.at), t.value.Sum)
		case r.deltas:
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
