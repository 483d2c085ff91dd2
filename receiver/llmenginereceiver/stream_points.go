package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// pointWriter writes the points of one resource.
type pointWriter struct {
	table      map[string]signal.Metric
	metrics    pmetric.MetricSlice
	start, now pcommon.Timestamp
}

// metric returns the metric of this name, begun if need be.
func (w *pointWriter) metric(name string) pmetric.Metric {
	for i := w.metrics.Len() - 1; i >= 0; i-- {
		if m := w.metrics.At(i); m.Name() == name {
			return m
		}
	}
	declared := w.table[name]
	m := w.metrics.AppendEmpty()
	m.SetName(name)
	m.SetUnit(declared.Unit)
	m.SetDescription(declared.Description)
	switch declared.Instrument {
	case signal.Histogram:
		m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	case signal.Gauge:
		m.SetEmptyGauge()
	default:
		sum := m.SetEmptySum()
		sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		sum.SetIsMonotonic(declared.Instrument == signal.Sum)
	}
	return m
}

// number begins a point of a sum or gauge, with one attribute unless its value is empty.
func (w *pointWriter) number(name, attribute, value string) pmetric.NumberDataPoint {
	m := w.metric(name)
	var p pmetric.NumberDataPoint
	if m.Type() == pmetric.MetricTypeSum {
		p = m.Sum().DataPoints().AppendEmpty()
		p.SetStartTimestamp(w.start)
	} else {
		p = m.Gauge().DataPoints().AppendEmpty()
	}
	p.SetTimestamp(w.now)
	if value != "" {
		p.Attributes().PutStr(attribute, value)
	}
	return p
}

func (w *pointWriter) count(name, attribute, value string, n uint64) {
	w.number(name, attribute, value).SetIntValue(int64(n))
}

func (w *pointWriter) flag(name, attribute, value string, set bool) {
	p := w.number(name, attribute, value)
	if set {
		p.SetDoubleValue(1)
	} else {
		p.SetDoubleValue(0)
	}
}

// histogram writes a point. A sum below 0 is left out.
func (w *pointWriter) histogram(name, attribute, value string, bounds []float64, counts []uint64, sum float64) {
	p := w.metric(name).Histogram().DataPoints().AppendEmpty()
	p.SetStartTimestamp(w.start)
	p.SetTimestamp(w.now)
	if value != "" {
		p.Attributes().PutStr(attribute, value)
	}
	p.ExplicitBounds().FromRaw(bounds)
	p.BucketCounts().FromRaw(counts)
	var n uint64
	for _, c := range counts {
		n += c
	}
	p.SetCount(n)
	if sum >= 0 {
		p.SetSum(sum)
	}
}
