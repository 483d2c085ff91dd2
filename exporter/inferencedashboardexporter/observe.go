package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"math"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// maxSkew is how far a point's time may be from the collector's clock. Clocks of hosts differ; a point beyond this was held back
// in a queue and says nothing of now.
const maxSkew = 2 * time.Minute

// observation is one batch of points of one worker on its way in. The worker is locked meanwhile.
type observation struct {
	worker *worker
	now    time.Time
	tally  *tally
	taken  bool // a point of the metric in hand was taken
	heard  bool // one of any metric of the engine was
}

// metric takes one metric. Metrics that the page does not show are passed over.
func (o *observation) metric(m pmetric.Metric) {
	w := o.worker
	o.taken = false
	switch m.Name() {
	case signal.Up:
		o.level(&w.up, m)
	case signal.Running:
		o.level(&w.running, m)
	case signal.Waiting:
		o.level(&w.waiting, m)
	case signal.KVUtilization:
		o.level(&w.kv, m)
	case signal.EngineInfo:
		o.info(m)
	case signal.TTFT:
		o.latency(&w.ttft, m)
	case signal.ITL:
		o.latency(&w.itl, m)
	case signal.TokensGenerated:
		o.each(m, func(p pmetric.NumberDataPoint) { o.flow(&w.generated, p, temporality(m)) })
	case signal.PhaseWorkerTime, signal.PhaseGPUTime, signal.PhaseImbalance, signal.PhasePressure, signal.Objective,
		signal.EstimateConfidence, signal.EstimateWithheld:
		o.derived(m)
		return
	default:
		return
	}
	if o.taken {
		o.heard = true
		w.engine.observe(o.now)
	}
}

// known reports whether the page shows a metric, that is whether metric would take it.
func known(name string) bool {
	switch name {
	case signal.Up, signal.Running, signal.Waiting, signal.KVUtilization, signal.EngineInfo, signal.TTFT, signal.ITL,
		signal.TokensGenerated, signal.PhaseWorkerTime, signal.PhaseGPUTime, signal.PhaseImbalance, signal.PhasePressure, signal.Objective,
		signal.EstimateConfidence, signal.EstimateWithheld:
		return true
	}
	return false
}

// numbers returns the points of a gauge or a sum.
func (o *observation) numbers(m pmetric.Metric) (pmetric.NumberDataPointSlice, bool) {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		return m.Gauge().DataPoints(), true
	case pmetric.MetricTypeSum:
		return m.Sum().DataPoints(), true
	default:
		o.tally[rejectUnsupported] += int64(points(m))
		return pmetric.NumberDataPointSlice{}, false
	}
}

// each calls f with every point that is in time and a number, or that says that its stream ended.
func (o *observation) each(m pmetric.Metric, f func(pmetric.NumberDataPoint)) {
	ps, ok := o.numbers(m)
	if !ok {
		return
	}
	for i := 0; i < ps.Len(); i++ {
		p := ps.At(i)
		switch v := value(p); {
		case !o.inTime(p.Timestamp()):
			o.tally[rejectOutOfTime]++
		case !p.Flags().NoRecordedValue() && (math.IsNaN(v) || math.IsInf(v, 0)):
			o.tally[rejectNotANumber]++
		default:
			f(p)
		}
	}
}

func (o *observation) inTime(at pcommon.Timestamp) bool {
	skew := o.now.Sub(at.AsTime())
	return skew <= maxSkew && skew >= -maxSkew
}

// level takes a gauge whose points add up to it, or that has one point without attributes. Only points of the newest time count,
// so that a label set that ended does not stay in the sum.
func (o *observation) level(g *gauge, m pmetric.Metric) {
	var newest pcommon.Timestamp
	var sum, whole number
	points := int64(0)
	o.each(m, func(p pmetric.NumberDataPoint) {
		points++
		at := p.Timestamp()
		if at < newest {
			return
		}
		if at > newest {
			newest, sum, whole = at, number{}, number{}
		}
		if p.Flags().NoRecordedValue() {
			return
		}
		if p.Attributes().Len() == 0 {
			whole = some(value(p))
			return
		}
		sum = some(sum.orZero() + value(p))
	})
	if points == 0 {
		return
	}
	if whole.ok {
		sum = whole
	}
	if !g.set(newest, o.now, sum) {
		o.tally[rejectOutOfOrder] += points
		return
	}
	o.taken = true
}

// flow takes a point of a plain counter.
func (o *observation) flow(f *flow, p pmetric.NumberDataPoint, delta bool) {
	if p.Flags().NoRecordedValue() {
		f.counter.forget()
		return
	}
	values, increase := [1]float64{value(p)}, [1]float64{}
	got := f.counter.observe(point{
		at: int64(p.Timestamp()), start: int64(p.StartTimestamp()), delta: delta, values: values[:],
	}, increase[:])
	if got == late {
		o.tally[rejectOutOfOrder]++
		return
	}
	o.taken = true
	if got == counted && increase[0] >= 0 {
		f.window.add(o.now, increase[:])
	}
}

// info takes over the facts of llm.engine.info.
func (o *observation) info(m pmetric.Metric) {
	w := o.worker
	o.each(m, func(p pmetric.NumberDataPoint) {
		switch {
		case p.Flags().NoRecordedValue():
		case p.Timestamp() < w.info:
			o.tally[rejectOutOfOrder]++
		default:
			o.taken = true
			w.info = p.Timestamp()
			take(&w.identity.Version, text(p.Attributes(), signal.AttrEngineVersion))
			take(&w.identity.Role, text(p.Attributes(), signal.AttrRole))
			take(&w.identity.RoleSource, text(p.Attributes(), signal.AttrRoleSource))
		}
	})
}

func value(p pmetric.NumberDataPoint) float64 {
	if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
		return float64(p.IntValue())
	}
	return p.DoubleValue()
}

// temporality reports whether a sum carries increases instead of totals.
func temporality(m pmetric.Metric) (delta bool) {
	return m.Type() == pmetric.MetricTypeSum && m.Sum().AggregationTemporality() == pmetric.AggregationTemporalityDelta
}

// points counts the points of a metric of any type.
func points(m pmetric.Metric) int {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		return m.Gauge().DataPoints().Len()
	case pmetric.MetricTypeSum:
		return m.Sum().DataPoints().Len()
	case pmetric.MetricTypeHistogram:
		return m.Histogram().DataPoints().Len()
	case pmetric.MetricTypeExponentialHistogram:
		return m.ExponentialHistogram().DataPoints().Len()
	case pmetric.MetricTypeSummary:
		return m.Summary().DataPoints().Len()
	}
	return 0
}
