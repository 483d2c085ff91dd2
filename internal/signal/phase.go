package signal // import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// Metrics of the phase_attribution processor: what it derives per worker.
const (
	PhaseLatency       = "llm.phase.latency"
	PhaseWorkerTime    = "llm.phase.worker.time"
	PhasePressure      = "llm.phase.pressure"
	PhaseImbalance     = "llm.phase.imbalance"
	Objective          = "llm.objective"
	EstimateConfidence = "llm.estimate.confidence"
	EstimateWithheld   = "llm.estimate.withheld"
)

// Values of AttrEstimate: the estimate that a confidence or a withholding speaks of.
const (
	EstimatePhaseTime = "llm.phase.worker.time"
	EstimateImbalance = "llm.phase.imbalance"
)

// PhaseMetrics lists what the phase_attribution processor emits.
func PhaseMetrics() []Metric {
	const c = "phase_attribution"
	return []Metric{
		{PhaseLatency, Histogram, "s", []string{AttrPhase}, c,
			"Time of a request in queue, prefill and decode, from the engine's own histograms; absent where the engine does not tell."},
		{PhaseWorkerTime, Sum, "s", []string{AttrPhase}, c,
			"Worker seconds owed to prefill, decode, idle and unattributed; the four add up to elapsed time."},
		{PhasePressure, Gauge, "1", []string{AttrPhase}, c,
			"Demand over objective of a phase: TTFT p90 over its objective (prefill); the largest of ITL p90 over its objective and KV usage over 0.9 (decode)."},
		{PhaseImbalance, Gauge, "1", nil, c,
			"ln(prefill pressure / decode pressure), bounded to [-3, 3]: positive, prefill holds the worker back; negative, decode; within +-0.2, balanced."},
		{Objective, Gauge, "s", []string{AttrObjective, AttrQuantile, AttrImplied}, c, "The latency objective in force."},
		{EstimateConfidence, Gauge, "1", []string{AttrEstimate, AttrEstimateMethod}, c,
			"Confidence of an estimate, 0..1: HIGH from 0.8, MED from 0.5, LOW below. The method is an attribute here and nowhere else."},
		{EstimateWithheld, Sum, "{estimate}", []string{AttrEstimate, AttrReason}, c, "Windows in which an estimate was withheld, by reason."},
	}
}
