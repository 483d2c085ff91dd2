package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"math"

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

// read takes the metric's points into the aligner and returns how many were late.
func read(m pmetric.Metric, into *window.Aligner) (late int) {
	switch m.Type() {
	case pmetric.MetricTypeHistogram:
		return readHistogram(m, into)
	case pmetric.MetricTypeSum:
		if g := gaugeOf(m.Name()); g >= 0 {
			return readGauge(g, m.Sum().DataPoints(), into)
		}
		return readSum(m, into)
	case pmetric.MetricTypeGauge:
		if g := gaugeOf(m.Name()); g >= 0 {
			return readGauge(g, m.Gauge().DataPoints(), into)
		}
	}
	return 0
}

func readHistogram(m pmetric.Metric, into *window.Aligner) (late int) {
	delta := m.Histogram().AggregationTemporality() == pmetric.AggregationTemporalityDelta
	for _, dp := range m.Histogram().DataPoints().All() {
		key := counterOf(m.Name(), dp.Attributes())
		if key < 0 || dp.Flags().NoRecordedValue() || dp.BucketCounts().Len() != dp.ExplicitBounds().Len()+1 {
			continue
		}
		v := window.Value{Sum: dp.Sum(), Count: float64(dp.Count()), Bounds: dp.ExplicitBounds().AsRaw()}
		v.Counts = make([]float64, dp.BucketCounts().Len())
		for i := range v.Counts {
			v.Counts[i] = float64(dp.BucketCounts().At(i))
		}
		late += observe(into, key, delta, dp.StartTimestamp(), dp.Timestamp(), v)
	}
	return late
}

func readSum(m pmetric.Metric, into *window.Aligner) (late int) {
	delta := m.Sum().AggregationTemporality() == pmetric.AggregationTemporalityDelta
	for _, dp := range m.Sum().DataPoints().All() {
		key := counterOf(m.Name(), dp.Attributes())
		if key < 0 || dp.Flags().NoRecordedValue() {
			continue
		}
		late += observe(into, key, delta, dp.StartTimestamp(), dp.Timestamp(), window.Value{Sum: number(dp)})
	}
	return late
}

func readGauge(key int, points pmetric.NumberDataPointSlice, into *window.Aligner) (late int) {
	for _, dp := range points.All() {
		if v := number(dp); !dp.Flags().NoRecordedValue() && !math.IsNaN(v) {
			if into.ObserveGauge(key, int64(dp.Timestamp()), v) == window.Late {
				late++
			}
		}
	}
	return late
}

func observe(into *window.Aligner, key int, delta bool, start, at pcommon.Timestamp, v window.Value) (late int) {
	var outcome window.Outcome
	if math.IsNaN(v.Sum) || math.IsInf(v.Sum, 0) {
		return 0
	}
	if delta {
		outcome = into.ObserveDelta(key, int64(start), int64(at), v)
	} else {
		outcome = into.Observe(key, int64(at), int64(start), v)
	}
	if outcome == window.Late {
		return 1
	}
	return 0
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
