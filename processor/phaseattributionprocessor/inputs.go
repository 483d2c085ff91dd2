package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"math"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// The counters of a worker that the estimators read.
const (
	inStepTokens = iota
	inTTFT
	inITL
	inQueueTime
	inPrefillTime
	inDecodeTime
	inGenerated
	inComputed   // prompt tokens computed here
	inPrompt     // all prompt tokens, where the engine does not tell their source
	inPromptSize // computed prompt tokens per finished request
	inputCounters
)

// The gauges of a worker that the estimators read.
const (
	inRunning = iota
	inKVUsage
	inputGauges
)

// counterOf returns which input a point of the metric is, or -1.
func counterOf(metric string, attributes pcommon.Map) int {
	switch metric {
	case signal.IterationTokens:
		return inStepTokens
	case signal.TTFT:
		return inTTFT
	case signal.ITL:
		return inITL
	case signal.QueueTime:
		return inQueueTime
	case signal.TokensGenerated:
		return inGenerated
	case signal.ComputedTokens:
		return inPromptSize
	case signal.PhaseTime:
		switch text(attributes, signal.AttrPhase) {
		case signal.PhasePrefill:
			return inPrefillTime
		case signal.PhaseDecode:
			return inDecodeTime
		}
	case signal.TokensPrompt:
		switch text(attributes, signal.AttrTokenSource) {
		case "":
			return inPrompt
		case signal.TokenSourceLocalCompute:
			return inComputed
		}
	}
	return -1
}

// gaugeOf returns which input gauge the metric is, or -1.
func gaugeOf(metric string) int {
	switch metric {
	case signal.Running:
		return inRunning
	case signal.KVUtilization:
		return inKVUsage
	}
	return -1
}

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
		r.histogram(m)
	case pmetric.MetricTypeSum:
		if g := gaugeOf(m.Name()); g >= 0 {
			r.gauge(g, m.Sum().DataPoints())
		} else {
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

func (r *reader) histogram(m pmetric.Metric) {
	var totals [inputCounters]total
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
		totals[key].add(dp.StartTimestamp(), dp.Timestamp(), v)
	}
	r.observe(&totals, m.Histogram().AggregationTemporality())
}

func (r *reader) sum(m pmetric.Metric) {
	var totals [inputCounters]total
	for _, dp := range m.Sum().DataPoints().All() {
		if key := counterOf(m.Name(), dp.Attributes()); key >= 0 && !dp.Flags().NoRecordedValue() {
			totals[key].add(dp.StartTimestamp(), dp.Timestamp(), window.Value{Sum: number(dp)})
		}
	}
	r.observe(&totals, m.Sum().AggregationTemporality())
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

func (r *reader) observe(totals *[inputCounters]total, temporality pmetric.AggregationTemporality) {
	for key := range totals {
		t := &totals[key]
		if !t.seen || math.IsNaN(t.value.Sum) || math.IsInf(t.value.Sum, 0) {
			continue
		}
		r.count(t.at, func() window.Outcome {
			if temporality == pmetric.AggregationTemporalityDelta {
				return r.into.ObserveDelta(key, int64(t.start), int64(t.at), t.value)
			}
			return r.into.Observe(key, int64(t.at), int64(t.start), t.value)
		})
	}
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
