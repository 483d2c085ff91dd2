package main

import (
	"maps"
	"strings"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// readings holds the newest value of each derived point, by metric and the values of its attributes in the order of their keys.
type readings map[string]float64

// timeKey is the time of the newest window's end, in unix nanoseconds.
const timeKey = "time"

// startOf is before the name of a sum for the time at which it started, in unix nanoseconds.
const startOf = "start of "

// metricOf is the name of the metric of a key.
func metricOf(key string) string {
	name, _, _ := strings.Cut(key, "|")
	return name
}

// key is that of a point.
func key(metric string, values ...string) string { return metric + "|" + strings.Join(values, "|") }

// keyAttributes are the attributes that tell points apart here, in order.
func keyAttributes() []string {
	return []string{
		signal.AttrPhase, signal.AttrGPUUnit, signal.AttrBound, signal.AttrEstimate, signal.AttrReason,
		signal.AttrKVGroup, signal.AttrKVPool, signal.AttrKVUse, signal.AttrMissCause, signal.AttrCacheScale, signal.AttrKVWaste, signal.AttrCacheScope, signal.AttrCacheTier,
	}
}

func (r readings) take(md pmetric.Metrics) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				r.metric(m)
			}
		}
	}
}

func (r readings) metric(m pmetric.Metric) {
	if !strings.HasPrefix(m.Name(), "llm.") {
		return
	}
	points := pmetric.NewNumberDataPointSlice()
	switch m.Type() {
	case pmetric.MetricTypeSum:
		points = m.Sum().DataPoints()
		if points.Len() > 0 && m.Sum().IsMonotonic() {
			r[startOf+m.Name()] = float64(points.At(0).StartTimestamp())
		}
	case pmetric.MetricTypeGauge:
		points = m.Gauge().DataPoints()
	}
	if m.Name() == signal.EstimateConfidence {
		// The method is not in the key, and that of the window before may be marked as gone beside a new one.
		gone := func(dp pmetric.NumberDataPoint) bool { return dp.Flags().NoRecordedValue() }
		kept := pmetric.NewNumberDataPointSlice()
		for _, first := range []bool{true, false} {
			for _, dp := range points.All() {
				if gone(dp) == first {
					dp.CopyTo(kept.AppendEmpty())
				}
			}
		}
		points = kept
	}
	for _, dp := range points.All() {
		var values []string
		for _, name := range keyAttributes() {
			if v, ok := dp.Attributes().Get(name); ok {
				values = append(values, v.Str())
			}
		}
		k := key(m.Name(), values...)
		if m.Name() == signal.PhaseWorkerTime || m.Name() == signal.PhaseGPUTime {
			r[timeKey] = float64(dp.Timestamp())
		}
		if dp.Flags().NoRecordedValue() {
			delete(r, k)
			continue
		}
		if r[k] = dp.DoubleValue(); dp.ValueType() == pmetric.NumberDataPointValueTypeInt {
			r[k] = float64(dp.IntValue())
		}
	}
}

// integral is before the keys of gauges' integrals over time.
const integral = "integral of "

// integrate adds up the gauges of goodput over the time since it was called last.
func (r readings) integrate() {
	if before := r[integral+timeKey]; before > 0 {
		for _, bound := range []string{signal.BoundLow, signal.BoundMid, signal.BoundHigh} {
			k := key(signal.Goodput, bound)
			r[integral+k] += r[k] * (r[timeKey] - before) / 1e9
		}
		for _, estimate := range []string{signal.EstimatePhaseTime, signal.EstimateImbalance} {
			r.integrateConfidence(key(signal.EstimateConfidence, estimate), (r[timeKey]-before)/1e9)
		}
		if v, ok := r[key(signal.PhaseImbalance)]; ok {
			r[integral+key(signal.PhaseImbalance)] += v * (r[timeKey] - before) / 1e9
		}
	}
	r[integral+timeKey] = r[timeKey]
}

// The integrals over time of a confidence, of its presence, and of its being HIGH.
const given, high = "time with ", "time of high "

func (r readings) integrateConfidence(k string, seconds float64) {
	v, ok := r[k]
	if !ok {
		return
	}
	r[integral+k] += v * seconds
	r[given+k] += seconds
	if v >= 0.8 {
		r[high+k] += seconds
	}
}

func (r readings) clone() readings { return maps.Clone(r) }

// rise is by how much a sum grew between two marks.
func rise(from, to mark, metric string, values ...string) float64 {
	k := key(metric, values...)
	return to.said[k] - from.said[k]
}
