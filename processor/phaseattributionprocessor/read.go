package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"math"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// reader takes a metric's points into an aligner.
type reader struct {
	into   *window.Aligner
	latest pcommon.Timestamp // points after it are refused
	late   int               // points refused for their time
}

// read takes the metric's points into the aligner and returns how many were refused for their time: older than one seen before,
// without a time, or after latest.
func read(m pmetric.Metric, latest time.Time, into *window.Aligner) (late int) {
	r := reader{into: into, latest: pcommon.NewTimestampFromTime(latest)}
	switch m.Type() {
	case pmetric.MetricTypeHistogram:
		if known(m.Name()) {
			r.histogram(m)
		}
	case pmetric.MetricTypeSum:
		if g := gaugeOf(m.Name()); g >= 0 {
			r.gauge(g, m.Sum().DataPoints())
		} else if known(m.Name()) {
			r.sum(m)
		}
	case pmetric.MetricTypeGauge:
		if g := gaugeOf(m.Name()); g >= 0 {
			r.gauge(g, m.Gauge().DataPoints())
		}
	}
	return r.late
}

// total is what the points of one input add up to at one time. Points that differ only in attributes that the estimators do not
// know are parts of one counter.
type total struct {
	seen      bool
	start, at pcommon.Timestamp
	value     window.Value
}

func (t *total) add(start, at pcommon.Timestamp, v window.Value) {
	if !t.seen || at > t.at {
		*t = total{seen: true, start: start, at: at, value: v}
		return
	}
	if at == t.at {
		t.start = max(t.start, start)
		t.value.AddScaled(v, 1)
	}
}

// inputTotals are the totals of one metric's points: a metric has few inputs.
type inputTotals struct {
	n      int
	keys   [stepCompositions]int
	totals [stepCompositions]total
}

// of returns the total of an input, which is empty at first.
func (t *inputTotals) of(key int) *total {
	for i := range t.n {
		if t.keys[i] == key {
			return &t.totals[i]
		}
	}
	t.keys[t.n] = key
	t.n++
	return &t.totals[t.n-1]
}

func (r *reader) histogram(m pmetric.Metric) {
	var totals inputTotals
	for _, dp := range m.Histogram().DataPoints().All() {
		key := counterOf(m.Name(), dp.Attributes())
		if key < 0 || dp.Flags().NoRecordedValue() || !dp.HasSum() || dp.BucketCounts().Len() != dp.ExplicitBounds().Len()+1 {
			continue
		}
		v := window.Value{Sum: dp.Sum(), Count: float64(dp.Count()), Bounds: dp.ExplicitBounds().AsRaw()}
		v.Counts = make([]float64, dp.BucketCounts().Len())
		for i := range v.Counts {
			v.Counts[i] = float64(dp.BucketCounts().At(i))
		}
		totals.of(key).add(dp.StartTimestamp(), dp.Timestamp(), v)
	}
	r.observeAll(&totals, m.Histogram().AggregationTemporality())
}

func (r *reader) sum(m pmetric.Metric) {
	var totals inputTotals
	for _, dp := range m.Sum().DataPoints().All() {
		if key := counterOf(m.Name(), dp.Attributes()); key >= 0 && !dp.Flags().NoRecordedValue() {
			totals.of(key).add(dp.StartTimestamp(), dp.Timestamp(), window.Value{Sum: number(dp)})
		}
	}
	r.observeAll(&totals, m.Sum().AggregationTemporality())
}

func (r *reader) gauge(key int, points pmetric.NumberDataPointSlice) {
	var t total
	for _, dp := range points.All() {
		if v := number(dp); !dp.Flags().NoRecordedValue() && !math.IsNaN(v) {
			t.add(0, dp.Timestamp(), window.Value{Sum: v})
		}
	}
	if t.seen {
		r.count(t.at, func() window.Outcome { return r.into.ObserveGauge(key, int64(t.at), t.value.Sum) })
	}
}

func (r *reader) observeAll(totals *inputTotals, temporality pmetric.AggregationTemporality) {
	for i := range totals.n {
		r.observe(totals.keys[i], &totals.totals[i], temporality == pmetric.AggregationTemporalityDelta)
	}
}

// observe makes an observation of one input, unless it is no number.
func (r *reader) observe(key int, t *total, delta bool) {
	if math.IsNaN(t.value.Sum) || math.IsInf(t.value.Sum, 0) {
		return
	}
	r.count(t.at, func() window.Outcome {
		if delta {
			return r.into.ObserveDelta(key, int64(t.start), int64(t.at), t.value)
		}
		return r.into.Observe(key, int64(t.at), int64(t.start), t.value)
	})
}

// count makes an observation unless its time cannot be, and counts what was refused.
func (r *reader) count(at pcommon.Timestamp, observe func() window.Outcome) {
	if at == 0 || at > r.latest || observe() == window.Late {
		r.late++
	}
}

func number(dp pmetric.NumberDataPoint) float64 {
	if dp.ValueType() == pmetric.NumberDataPointValueTypeInt {
		return float64(dp.IntValue())
	}
	return dp.DoubleValue()
}

func text(m pcommon.Map, key string) string {
	v, ok := m.Get(key)
	if !ok {
		return ""
	}
	return v.Str()
}
