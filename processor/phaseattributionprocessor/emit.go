package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"math"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/objectives"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// Methods that are not of internal/serving.
const (
	methodObjective = "objective_pressure" // imbalance: latency quantiles against objectives
	methodFrechet   = "frechet_bounds"     // goodput: bounds of a joint share from its parts
)

// phaseOrder is the order of the phases in sums; the first two have bounds.
func phaseOrder() [4]string {
	return [4]string{signal.PhasePrefill, signal.PhaseDecode, signal.PhaseIdle, signal.PhaseUnattributed}
}

// latencyInputs are the inputs behind sums.phases, latencyOrder their phases.
func latencyInputs() [3]int { return [3]int{inQueueTime, inPrefillTime, inDecodeTime} }

func latencyOrder() [3]string {
	return [3]string{signal.PhaseQueue, signal.PhasePrefill, signal.PhaseDecode}
}

// emit appends everything derived from one window.
func emit(w *worker, win window.Window, d *derived, out pmetric.Metrics) {
	b := newBuilder(w, pcommon.Timestamp(win.To), out)
	s := &w.sums
	if d.spent.gpus == 0 {
		b.phases(signal.PhaseWorkerTime, b.start, s.time[:], "", "")
		b.phases(signal.PhaseWorkerTimeLow, b.start, s.low[:], "", "")
		b.phases(signal.PhaseWorkerTimeHigh, b.start, s.high[:], "", "")
	} else {
		emitGPU(b, w.cfg.Prices.Currency(), &s.gpu)
		emitJoins(b)
	}
	emitLatency(b, s)
	emitSpanLatency(b, s, w.posting.spans)
	emitBalance(b, d.balance)
	emitInterference(b, s, d.meddled)
	emitGoodput(b, d.goodput)
	emitObjective(b, w.target)
	emitTrust(b, s, d)
	b.Finish()
}

// emitBalance appends the pressures of the phases that were seen, and the imbalance where both were.
func emitBalance(b *builder, bal balance) {
	for i, v := range []float64{bal.Prefill, bal.Decode} {
		if v > 0 {
			b.Gauge(signal.PhasePressure, v, signal.AttrPhase, phaseOrder()[i])
		}
	}
	if bal.withheld == "" {
		b.Gauge(signal.PhaseImbalance, bal.Imbalance)
	}
}

// emitLatency appends the cumulative latency histograms. Window boundaries split counts; each bucket is rounded on its own,
// which keeps it monotonic, and the count is their sum, which keeps the point consistent.
func emitLatency(b *builder, s *sums) {
	for i, phase := range latencyOrder() {
		v := s.phases[i]
		if len(v.Counts) == 0 {
			continue
		}
		b.latencyPoint(phase, b.start, v.Bounds, v.Counts, v.Sum)
	}
}

// emitInterference appends what prefill costs decode. The sums are there throughout, and do not grow while it is withheld.
func emitInterference(b *builder, s *sums, m meddled) {
	b.Sum(signal.InterferenceDelay).SetDoubleValue(s.delay)
	b.Sum(signal.InterferenceWait).SetDoubleValue(s.wait)
	if s.passes {
		b.Sum(signal.InterferenceStalls).SetIntValue(int64(math.Round(s.stalls)))
	}
	if m.seen {
		b.Gauge(signal.InterferenceBias, m.variation)
	}
	if m.withheld != "" {
		return
	}
	b.Gauge(signal.InterferenceLost, m.recent.Lost())
	if v, ok := m.recent.PerPrefillToken(); ok {
		b.Gauge(signal.InterferencePerToken, v)
	}
	if v, ok := m.recent.WithoutPrefill(); ok {
		b.Gauge(signal.InterferenceCounterfactual, v)
	}
}

func emitGoodput(b *builder, g goodput) {
	if g.withheld != "" {
		return
	}
	b.Gauge(signal.Goodput, g.Low, signal.AttrBound, signal.BoundLow)
	b.Gauge(signal.Goodput, g.Mid, signal.AttrBound, signal.BoundMid)
	b.Gauge(signal.Goodput, g.High, signal.AttrBound, signal.BoundHigh)
}

func emitObjective(b *builder, target objectives.InForce) {
	for _, o := range []struct {
		signal  string
		bound   objectives.Bound
		implied bool
	}{{signal.ObjectiveTTFT, target.TTFT, target.TTFTImplied}, {signal.ObjectiveITL, target.ITL, target.ITLImplied}} {
		dp := b.Point(signal.Objective, o.bound.Max.Seconds(), signal.AttrObjective, o.signal,
			signal.AttrQuantile, strconv.FormatFloat(o.bound.Quantile, 'g', -1, 64))
		dp.Attributes().PutBool(signal.AttrImplied, o.implied)
	}
}

// emitTrust appends confidences of what was given and counts of what was withheld.
func emitTrust(b *builder, s *sums, d *derived) {
	energy := &d.spent.amounts[gpuEnergy]
	activity := &d.spent.amounts[gpuTensor]
	for _, c := range []struct {
		given            bool
		estimate, method string
		confidence       float64
	}{
		{d.split.Withheld == "", signal.EstimatePhaseTime, d.split.Method, d.split.Confidence},
		{d.balance.withheld == "", signal.EstimateImbalance, d.balance.method, d.balance.Confidence},
		{d.balance.withheld == "" && d.balance.untold == "", signal.EstimateSide, d.balance.method, d.balance.Confidence},
		{d.meddled.withheld == "", signal.EstimateInterference, d.split.Method, d.split.Confidence},
		{d.goodput.withheld == "", signal.EstimateGoodput, d.goodput.method, d.goodput.confidence},
		{d.spent.known[gpuEnergy] && energy.Withheld == "", signal.EstimateEnergy, d.spent.method, energy.Confidence},
		{d.spent.known[gpuTensor] && activity.Withheld == "", signal.EstimateActivity, d.spent.method, activity.Confidence},
	} {
		if c.given {
			b.Gauge(signal.EstimateConfidence, c.confidence, signal.AttrEstimate, c.estimate, signal.AttrEstimateMethod, c.method)
		}
	}
	for why, n := range s.withheld {
		b.Sum(signal.EstimateWithheld, signal.AttrEstimate, why.estimate, signal.AttrReason, why.reason).SetIntValue(n)
	}
}
