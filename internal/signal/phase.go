package signal // import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// Metrics of the phase_attribution processor: what it derives per worker.
const (
	PhaseLatency        = "llm.phase.latency"
	PhaseWorkerTime     = "llm.phase.worker.time"
	PhaseWorkerTimeLow  = "llm.phase.worker.time.low"
	PhaseWorkerTimeHigh = "llm.phase.worker.time.high"
	PhaseGPUTime        = "llm.phase.gpu.time"
	PhaseGPUTimeLow     = "llm.phase.gpu.time.low"
	PhaseGPUTimeHigh    = "llm.phase.gpu.time.high"
	PhaseGPUActivity    = "llm.phase.gpu.activity.time"
	PhaseGPUUtilization = "llm.phase.gpu.utilization"
	PhaseEnergy         = "llm.phase.energy"
	PhaseEnergyPerToken = "llm.phase.energy.per_token"
	PhaseCost           = "llm.phase.cost"
	PhaseBatch          = "llm.phase.batch.size"
	PhasePressure       = "llm.phase.pressure"
	PhaseImbalance      = "llm.phase.imbalance"
	Objective           = "llm.objective"
	Goodput             = "llm.goodput"
	EstimateConfidence  = "llm.estimate.confidence"
	EstimateWithheld    = "llm.estimate.withheld"
)

// Metrics of the phase_attribution processor on what co-scheduled prefill costs decode.
const (
	InterferenceLost           = "llm.interference.decode.lost"
	InterferenceDelay          = "llm.interference.decode.delay"
	InterferenceWait           = "llm.interference.decode.wait"
	InterferencePerToken       = "llm.interference.itl.per_prefill_token"
	InterferenceCounterfactual = "llm.interference.itl.without_prefill"
	InterferenceStalls         = "llm.interference.stall.count"
	InterferenceBias           = "llm.interference.batch.variation"
)

// EngineGPUInfo has a point on a worker's resource for each GPU that it runs on, told by AttrHWID.
const EngineGPUInfo = "llm.engine.gpu.info"

// Point attributes of derived metrics.
const (
	AttrCurrency = "llm.cost.currency"
	AttrBound    = "llm.estimate.bound" // low, mid or high
)

// Values of AttrBound.
const (
	BoundLow  = "low"
	BoundMid  = "mid"
	BoundHigh = "high"
)

// Values of AttrEstimate: the estimate that a confidence or a withholding speaks of. It is named by its metric.
const (
	EstimatePhaseTime = PhaseWorkerTime // also of PhaseGPUTime, which is the same estimate in other units
	EstimateImbalance = PhaseImbalance
	// EstimateSide is the rehearsal behind an imbalance, which rests on pressures where that is withheld.
	EstimateSide         = "llm.phase.side"
	EstimateEnergy       = PhaseEnergy
	EstimateActivity     = PhaseGPUActivity
	EstimateInterference = InterferenceLost
	EstimateGoodput      = Goodput
)

// PhaseMetrics lists what the phase_attribution processor emits.
func PhaseMetrics() []Metric {
	const c = "phase_attribution"
	all := []Metric{
		{PhaseLatency, Histogram, "s", []string{AttrPhase}, c,
			"Time of a request in queue, prefill, transfer and decode, from the engine's own histograms, else from request spans; absent where neither tells."},
		{PhasePressure, Gauge, "1", []string{AttrPhase}, c,
			"Demand over objective of a phase: TTFT p90 over its objective (prefill); the largest of ITL p90 over its objective and KV usage over 0.9 (decode)."},
		{PhaseImbalance, Gauge, "1", nil, c,
			"Which phase holds the worker back: positive, prefill; negative, decode; within +-0.2, balanced; bounded to [-3, 3]. The goodput that a tenth more capacity for prefill would bring less that for decode, in 15 % of goodput; while a rehearsal is withheld, ln(prefill pressure / decode pressure)."},
		{Objective, Gauge, "s", []string{AttrObjective, AttrQuantile, AttrImplied}, c, "The latency objective in force."},
		{Goodput, Gauge, "{request}/s", []string{AttrBound}, c,
			"Finished requests that met both latency objectives, over the trailing time: bounds that always hold (low, high), and their value if the two latencies are independent (mid)."},
		{EngineGPUInfo, Gauge, "1", []string{AttrHWID}, c,
			"1 for each GPU that a worker was joined with, by processes, pods or rules. A worker whose input tells its GPUs is not repeated."},
		confidence(c),
		withheld(c),
	}
	all = append(all, phaseTimeMetrics(c)...)
	all = append(all, phaseGPUMetrics(c)...)
	return append(all, interferenceMetrics(c)...)
}

func phaseTimeMetrics(c string) []Metric {
	phase := []string{AttrPhase}
	return []Metric{
		{PhaseWorkerTime, Sum, "s", phase, c,
			"Worker seconds owed to prefill, decode, idle and unattributed; the four add up to elapsed time. Of workers without a joined GPU."},
		{PhaseWorkerTimeLow, Sum, "s", phase, c, "Lower bound of prefill's and decode's: the marginal cost, less the 90 % interval of the estimate."},
		{PhaseWorkerTimeHigh, Sum, "s", phase, c, "Upper bound of the same: the stand-alone cost, and the interval on top."},
		{PhaseGPUTime, Sum, "s", phase, c,
			"GPU seconds owed to prefill, decode, idle and unattributed; the four add up to elapsed time x GPUs. Instead of llm.phase.worker.time where GPUs are joined; the two are never added."},
		{PhaseGPUTimeLow, Sum, "s", phase, c, "Lower bound of prefill's and decode's: the marginal cost, less the 90 % interval of the estimate."},
		{PhaseGPUTimeHigh, Sum, "s", phase, c, "Upper bound of the same: the stand-alone cost, and the interval on top."},
		{PhaseBatch, Gauge, "{sequence}", phase, c, "Mean decoding sequences per step that decodes, over the trailing time: what joules per token depend on."},
	}
}

func phaseGPUMetrics(c string) []Metric {
	phase := []string{AttrPhase}
	unit := []string{AttrPhase, AttrGPUUnit}
	return []Metric{
		{PhaseEnergy, Sum, "J", phase, c, "Energy of the worker's GPUs owed to prefill, decode, idle and unattributed; adds up to their counters."},
		{PhaseEnergyPerToken, Gauge, "J/{token}", phase, c, "Energy per computed prompt token and per decoded token, over the trailing time, idle energy left out."},
		{PhaseGPUActivity, Sum, "s", unit, c,
			"Activity-seconds of tensor, sm and dram owed to prefill, decode, idle and unattributed; adds up to nvidia.gpu.activity.time of the worker's GPUs."},
		{PhaseGPUUtilization, Gauge, "1", unit, c, "Activity of the unit owed to the phase over the GPU time owed to it, over the trailing time."},
		{PhaseCost, Sum, "{currency}", []string{AttrPhase, AttrCurrency}, c, "Price of the GPU time by phase, where a price per GPU-hour is configured."},
	}
}

func interferenceMetrics(c string) []Metric {
	return []Metric{
		{InterferenceLost, Gauge, "1", nil, c, "Share of decode's waiting that co-scheduled prefill caused, over the trailing time."},
		{InterferenceDelay, Sum, "s", nil, c,
			"That waiting: seconds by which prefill delayed tokens, summed over sequences. Over llm.interference.decode.wait it is the share, over any time."},
		{InterferenceWait, Sum, "s", nil, c, "All waiting of decodes for their next token, summed over sequences, in the windows that llm.interference.decode.delay speaks of."},
		{InterferencePerToken, Gauge, "s/{token}", nil, c, "Inter-token latency that one co-scheduled prefill token adds, over the trailing time."},
		{InterferenceCounterfactual, Gauge, "s", nil, c, "Mean inter-token latency that would be without co-scheduled prefill, over the trailing time."},
		{InterferenceStalls, Sum, "{stall}", nil, c, "Steps longer than three times what they would have taken without prefill. From forward passes only."},
		{InterferenceBias, Gauge, "1", nil, c,
			"Coefficient of variation of the running requests over the trailing scrapes. Above 0.5 what prefill costs decode is withheld unless forward passes tell it."},
	}
}
