package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// derived takes a metric of the phase_attribution processor.
func (o *observation) derived(m pmetric.Metric) {
	w := o.worker
	switch m.Name() {
	case signal.PhaseWorkerTime, signal.PhaseGPUTime: // a worker with joined GPUs has the latter alone; the page shows shares, which are the same
		o.each(m, func(p pmetric.NumberDataPoint) { o.phaseTime(p, temporality(m)) })
	case signal.PhaseImbalance:
		o.each(m, func(p pmetric.NumberDataPoint) { o.set(&w.imbalance, p) })
	case signal.PhasePressure:
		o.each(m, o.pressure)
	case signal.Objective:
		o.each(m, o.objective)
	case signal.EstimateConfidence:
		o.each(m, o.confidence)
	case signal.EstimateWithheld:
		o.each(m, func(p pmetric.NumberDataPoint) { o.withheld(p, temporality(m)) })
	}
	if o.taken {
		w.derived.observe(o.now)
	}
}

// set takes a point of a gauge that has one stream.
func (o *observation) set(g *gauge, p pmetric.NumberDataPoint) {
	v := number{}
	if !p.Flags().NoRecordedValue() {
		v = some(value(p))
	}
	if !g.set(p.Timestamp(), o.now, v) {
		o.tally[rejectOutOfOrder]++
		return
	}
	o.taken = true
}

func (o *observation) phaseTime(p pmetric.NumberDataPoint, delta bool) {
	i := phaseIndex(text(p.Attributes(), signal.AttrPhase))
	if i < 0 {
		o.tally[rejectMalformed]++
		return
	}
	o.flow(&o.worker.phases[i], p, delta)
}

func (o *observation) pressure(p pmetric.NumberDataPoint) {
	switch text(p.Attributes(), signal.AttrPhase) {
	case signal.PhasePrefill:
		o.set(&o.worker.pressurePrefill, p)
	case signal.PhaseDecode:
		o.set(&o.worker.pressureDecode, p)
	default:
		o.tally[rejectMalformed]++
	}
}

// confidence takes the confidence of the imbalance; the page shows no other. A method that ended says so on its own stream, which
// must not wipe out the method that replaced it at the same time.
func (o *observation) confidence(p pmetric.NumberDataPoint) {
	if text(p.Attributes(), signal.AttrEstimate) != signal.EstimateImbalance || p.Flags().NoRecordedValue() {
		return
	}
	o.set(&o.worker.imbalanceConfident, p)
}

func (o *observation) objective(p pmetric.NumberDataPoint) {
	i := 0
	switch text(p.Attributes(), signal.AttrObjective) {
	case signal.ObjectiveTTFT:
	case signal.ObjectiveITL:
		i = 1
	default:
		o.tally[rejectMalformed]++
		return
	}
	if p.Flags().NoRecordedValue() || value(p) <= 0 {
		return // an objective that was replaced ends on its own stream
	}
	slot := &o.worker.objectives[i]
	o.set(&slot.gauge, p)
	slot.quantile = quantileOf(p.Attributes())
	slot.implied = truthOf(p.Attributes(), signal.AttrImplied)
}

// withheld counts the windows in which the imbalance was withheld, by reason.
func (o *observation) withheld(p pmetric.NumberDataPoint, delta bool) {
	w := o.worker
	if text(p.Attributes(), signal.AttrEstimate) != signal.EstimateImbalance {
		return
	}
	reason := text(p.Attributes(), signal.AttrReason)
	f, ok := w.withheld[reason]
	if !ok {
		if reason == "" || len(reason) > maxLabel || len(w.withheld) >= maxReasons {
			o.tally[rejectMalformed]++
			return
		}
		if w.withheld == nil {
			w.withheld = map[string]*flow{}
		}
		f = &flow{counter: counter{trustStart: true}}
		w.withheld[clip(reason)] = f
	}
	o.flow(f, p, delta)
}

// quantileOf reads the quantile of an objective, defaultQuantile where it is absent or out of range.
func quantileOf(attrs pcommon.Map) float64 {
	v, ok := attrs.Get(signal.AttrQuantile)
	if !ok {
		return defaultQuantile
	}
	q := 0.0
	switch v.Type() {
	case pcommon.ValueTypeDouble:
		q = v.Double()
	case pcommon.ValueTypeStr:
		q, _ = strconv.ParseFloat(v.Str(), 64) // 0 is out of range
	}
	if q > 0 && q < 1 {
		return q
	}
	return defaultQuantile
}

// truthOf reads a boolean attribute that may be written as a string.
func truthOf(attrs pcommon.Map, name string) bool {
	v, ok := attrs.Get(name)
	if !ok {
		return false
	}
	if v.Type() == pcommon.ValueTypeBool {
		return v.Bool()
	}
	return v.AsString() == "true"
}
