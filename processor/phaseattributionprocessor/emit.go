package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"math"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/objectives"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
	"github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor/internal/metadata"
)

// methodObjective names how the imbalance is found: latency quantiles against objectives.
const methodObjective = "objective_pressure"

// phaseOrder is the order of worker.time.
func phaseOrder() [4]string {
	return [4]string{signal.PhasePrefill, signal.PhaseDecode, signal.PhaseIdle, signal.PhaseUnattributed}
}

// latencyInputs are the inputs behind worker.phases, latencyOrder their phases.
func latencyInputs() [3]int { return [3]int{inQueueTime, inPrefillTime, inDecodeTime} }

func latencyOrder() [3]string {
	return [3]string{signal.PhaseQueue, signal.PhasePrefill, signal.PhaseDecode}
}

// builder appends metrics of one worker with names and units from the vocabulary.
type builder struct {
	metrics   pmetric.MetricSlice
	units     map[string]string
	start, at pcommon.Timestamp
}

// newBuilder adds the worker's resource to out, once per batch of windows.
func newBuilder(w *worker, at pcommon.Timestamp, out pmetric.Metrics) *builder {
	rm := out.ResourceMetrics().AppendEmpty()
	w.resource.CopyTo(rm.Resource())
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(metadata.ScopeName)
	return &builder{metrics: sm.Metrics(), units: w.units, start: pcommon.Timestamp(w.started), at: at}
}

func (b *builder) metric(name string) pmetric.Metric {
	m := b.metrics.AppendEmpty()
	m.SetName(name)
	m.SetUnit(b.units[name])
	return m
}

func (b *builder) gauge(name string) func(v float64, attributes ...string) pmetric.NumberDataPoint {
	points := b.metric(name).SetEmptyGauge().DataPoints()
	return func(v float64, attributes ...string) pmetric.NumberDataPoint {
		dp := points.AppendEmpty()
		dp.SetTimestamp(b.at)
		dp.SetDoubleValue(v)
		put(dp.Attributes(), attributes)
		return dp
	}
}

func (b *builder) sum(name string) pmetric.Sum {
	sum := b.metric(name).SetEmptySum()
	sum.SetIsMonotonic(true)
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	return sum
}

func (b *builder) point(sum pmetric.Sum, attributes ...string) pmetric.NumberDataPoint {
	dp := sum.DataPoints().AppendEmpty()
	dp.SetStartTimestamp(b.start)
	dp.SetTimestamp(b.at)
	put(dp.Attributes(), attributes)
	return dp
}

// put sets attributes given as key, value, key, value.
func put(m pcommon.Map, attributes []string) {
	m.EnsureCapacity(len(attributes) / 2)
	for i := 0; i+1 < len(attributes); i += 2 {
		m.PutStr(attributes[i], attributes[i+1])
	}
}

// emit appends everything derived from one window.
func emit(w *worker, win window.Window, split serving.Split, bal balance, out pmetric.Metrics) {
	b := newBuilder(w, pcommon.Timestamp(win.To), out)
	times := b.sum(signal.PhaseWorkerTime)
	for i, phase := range phaseOrder() {
		b.point(times, signal.AttrPhase, phase).SetDoubleValue(w.time[i])
	}
	emitLatency(b, w)
	emitBalance(b, bal)
	emitGone(b, w, split, bal)
	emitObjective(b, w.target)
	emitTrust(b, w, split, bal)
}

// emitBalance appends the pressures of the phases that were seen, and the imbalance where both were.
func emitBalance(b *builder, bal balance) {
	if bal.Prefill > 0 || bal.Decode > 0 {
		pressure := b.gauge(signal.PhasePressure)
		for i, v := range []float64{bal.Prefill, bal.Decode} {
			if v > 0 {
				pressure(v, signal.AttrPhase, phaseOrder()[i])
			}
		}
	}
	if bal.withheld == "" {
		b.gauge(signal.PhaseImbalance)(bal.Imbalance)
	}
}

// emitLatency appends the cumulative latency histograms. Window boundaries split counts; each bucket is rounded on its own,
// which keeps it monotonic, and the count is their sum, which keeps the point consistent.
func emitLatency(b *builder, w *worker) {
	var h pmetric.Histogram
	for i, phase := range latencyOrder() {
		v := w.phases[i]
		if len(v.Counts) == 0 {
			continue
		}
		if h == (pmetric.Histogram{}) {
			h = b.metric(signal.PhaseLatency).SetEmptyHistogram()
			h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		}
		dp := h.DataPoints().AppendEmpty()
		dp.SetStartTimestamp(b.start)
		dp.SetTimestamp(b.at)
		dp.Attributes().PutStr(signal.AttrPhase, phase)
		dp.ExplicitBounds().FromRaw(v.Bounds)
		dp.BucketCounts().EnsureCapacity(len(v.Counts))
		var n uint64
		for _, c := range v.Counts {
			whole := uint64(math.Round(c))
			dp.BucketCounts().Append(whole)
			n += whole
		}
		dp.SetCount(n)
		dp.SetSum(v.Sum)
	}
}

func emitObjective(b *builder, target objectives.InForce) {
	objective := b.gauge(signal.Objective)
	for _, o := range []struct {
		signal  string
		bound   objectives.Bound
		implied bool
	}{{signal.ObjectiveTTFT, target.TTFT, target.TTFTImplied}, {signal.ObjectiveITL, target.ITL, target.ITLImplied}} {
		dp := objective(o.bound.Max.Seconds(), signal.AttrObjective, o.signal,
			signal.AttrQuantile, strconv.FormatFloat(o.bound.Quantile, 'g', -1, 64))
		dp.Attributes().PutBool(signal.AttrImplied, o.implied)
	}
}

// emitTrust appends confidences of what was given and counts of what was withheld.
func emitTrust(b *builder, w *worker, split serving.Split, bal balance) {
	if split.Withheld == "" || bal.withheld == "" {
		confidence := b.gauge(signal.EstimateConfidence)
		if split.Withheld == "" {
			confidence(split.Confidence, signal.AttrEstimate, signal.EstimatePhaseTime, signal.AttrEstimateMethod, split.Method)
		}
		if bal.withheld == "" {
			confidence(bal.Confidence, signal.AttrEstimate, signal.EstimateImbalance, signal.AttrEstimateMethod, methodObjective)
		}
	}
	if len(w.withheld) == 0 {
		return
	}
	withheld := b.sum(signal.EstimateWithheld)
	for why, n := range w.withheld {
		b.point(withheld, signal.AttrEstimate, why.estimate, signal.AttrReason, why.reason).SetIntValue(n)
	}
}

// given is which gauges a worker's last window had.
type given struct {
	split   string // method, empty when withheld
	balance bool
}

// emitGone marks gauges that the window before had and this one has not, so that no backend carries the last value on.
func emitGone(b *builder, w *worker, split serving.Split, bal balance) {
	now := given{balance: bal.withheld == ""}
	if split.Withheld == "" {
		now.split = split.Method
	}
	before := w.given
	w.given = now
	if before.balance && !now.balance {
		notRecorded(b.gauge(signal.PhaseImbalance)(0))
		notRecorded(b.gauge(signal.EstimateConfidence)(0,
			signal.AttrEstimate, signal.EstimateImbalance, signal.AttrEstimateMethod, methodObjective))
	}
	if before.split != "" && before.split != now.split {
		notRecorded(b.gauge(signal.EstimateConfidence)(0,
			signal.AttrEstimate, signal.EstimatePhaseTime, signal.AttrEstimateMethod, before.split))
	}
}

func notRecorded(dp pmetric.NumberDataPoint) {
	dp.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
}

// emitStale marks the gauges of a silent worker as not recorded.
func emitStale(w *worker, at pcommon.Timestamp, out pmetric.Metrics) {
	if w.started == 0 {
		return
	}
	b := newBuilder(w, at, out)
	pressure := b.gauge(signal.PhasePressure)
	notRecorded(pressure(0, signal.AttrPhase, signal.PhasePrefill))
	notRecorded(pressure(0, signal.AttrPhase, signal.PhaseDecode))
	emitGone(b, w, serving.Split{Withheld: serving.WithheldNoData}, balance{withheld: withheldNoRequests})
}
