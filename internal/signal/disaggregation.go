package signal // import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// Metrics of the disaggregation processor: transfers explained, the split of a fleet scored, its topology forecast.
const (
	TransferBase        = "llm.transfer.latency.base"
	TransferBandwidth   = "llm.transfer.bandwidth"
	TransferBaseRatio   = "llm.transfer.latency.base.ratio"
	TransferPostRatio   = "llm.transfer.post.ratio"
	TransferUtilization = "llm.transfer.utilization"
	TransferConcurrent  = "llm.transfer.concurrency"
	TransferExposed     = "llm.transfer.exposed.ratio"
	TransferHiccups     = "llm.transfer.hiccup.count"
	TransferHiccup      = "llm.transfer.hiccup"
	TransferExcess      = "llm.transfer.hiccup.excess"
	TransferStall       = "llm.transfer.hiccup.stall"
	TransferEpoch       = "llm.transfer.hiccup.epoch"
	TransferAmplified   = "llm.transfer.amplification"
	TransferTransport   = "llm.transfer.transport"
	TransferFallback    = "llm.transfer.fallback.ratio"
	TransferExpired     = "llm.transfer.expired"

	DisaggregationScore   = "llm.disaggregation.score"
	DisaggregationFactor  = "llm.disaggregation.factor"
	DisaggregationLeak    = "llm.disaggregation.leak.ratio"
	DisaggregationGoodput = "llm.disaggregation.goodput"
	DisaggregationBenefit = "llm.disaggregation.benefit"
	DisaggregationGate    = "llm.disaggregation.gate"
	DisaggregationSide    = "llm.disaggregation.bottleneck"

	TopologyWorkers = "llm.topology.workers"
	TopologyGoodput = "llm.topology.goodput"
	TopologyTTFT    = "llm.topology.ttft"
	TopologyITL     = "llm.topology.itl"
	TopologyGain    = "llm.topology.gain"
	TopologyChanges = "llm.topology.changes"
	TopologyRecord  = "llm.topology.forecast.coverage"
	TopologyBudget  = "llm.topology.max_num_batched_tokens"

	FleetExpected = "llm.fleet.expected_workers"
	FleetObserved = "llm.fleet.observed_workers"
	FleetWriter   = "llm.fleet.writer"
)

// Point attributes of the disaggregation processor.
const (
	AttrAmplifier = "llm.amplifier"
	AttrFactor    = "llm.factor"
	AttrTopology  = "llm.topology"
	AttrGate      = "llm.gate"
	AttrGateWhy   = "llm.gate.reason"
	// AttrFleetWriter is the collector and the component of it that a fleet's series are from.
	AttrFleetWriter = "llm.fleet.writer.id"
)

// Values of AttrTopology.
const (
	TopologyCurrent     = "current"
	TopologyRecommended = "recommended"
)

// Values of AttrGate.
const (
	GateRecommend = "recommend"
	GateNeutral   = "neutral"
	GateAgainst   = "against"
)

// Values of AttrEvidence that are not NIXL's.
const (
	EvidenceBandwidth     = "bandwidth"
	EvidenceConfiguration = "configuration"
	EvidenceConflict      = "conflict"
)

// DisaggregationMetrics lists what the disaggregation processor emits.
func DisaggregationMetrics() []Metric {
	const c = "disaggregation"
	all := append(transferMetrics(c), scoreMetrics(c)...)
	all = append(all, topologyMetrics(c)...)
	return append(all,
		Metric{FleetExpected, Gauge, "{worker}", nil, c, "Workers that the fleet should have: configured, told by an agent, or as many as were seen lately."},
		Metric{FleetObserved, Gauge, "{worker}", nil, c, "Workers of the fleet that were seen through the last window."},
		Metric{FleetWriter, Gauge, "1", []string{AttrFleetWriter}, c,
			"1 for the collector that derives what is said of the fleet. Where two do, each has a part of its workers, or both say all twice."},
		coverage(c),
		confidence(c),
		withheld(c),
	)
}

func transferMetrics(c string) []Metric {
	return []Metric{
		{TransferBase, Gauge, "s", nil, c, "Part of a transfer's time that does not depend on its bytes. Of one rank; on the resource of an agent, of an engine, or of the fleet."},
		{TransferBandwidth, Gauge, "By/s", nil, c, "Bytes per second of one transfer of one rank, its base left out."},
		{TransferBaseRatio, Gauge, "1", nil, c, "Base over the mean duration of a transfer: above a half, transfers cost more for being many than for their bytes."},
		{TransferPostRatio, Gauge, "1", nil, c, "Part of a transfer's time that goes into posting it, on a CPU; absent where that is not told."},
		{TransferUtilization, Gauge, "1", nil, c, "Share of time in which the links of a decode worker carry a transfer."},
		{TransferConcurrent, Gauge, "{transfer}", nil, c, "Mean number of transfers of ranks under way."},
		{TransferExposed, Gauge, "1", nil, c, "Share of the time to first token that waits for KV to arrive and for nothing else."},
		{TransferHiccups, Sum, "{hiccup}", nil, c, "Episodes in which transfers took longer than their number and bytes explain."},
		{TransferHiccup, Gauge, "1", nil, c, "1 while such an episode lasts, 0 otherwise."},
		{TransferExcess, Gauge, "s", nil, c, "By how much a transfer of a rank takes longer in the episode, mean."},
		{TransferStall, Gauge, "s", nil, c, "Length of one stall, from how that scatters."},
		{TransferEpoch, Gauge, "s", nil, c, "For how long a decode worker's link is behind after a stall, mean."},
		{TransferAmplified, Gauge, "1", []string{AttrAmplifier}, c,
			"Rise of the 99th percentile of time to first token over the length of a stall, by what makes it: none, pieces, fan_out, retry, queue, unknown."},
		{TransferTransport, Gauge, "1", []string{AttrTransport, AttrEvidence}, c,
			"1 for the transport that the best evidence speaks for: counters, log, configuration, bandwidth; conflict where the first of them disagrees with a bandwidth that only TCP has. Several points where a bandwidth fits several."},
		{TransferFallback, Gauge, "1", nil, c, "Share of transfers that went over TCP although something better is there; 0 is none."},
		{TransferExpired, Sum, "{request}", nil, c, "Prompts whose KV was given up before the decode side came for it."},
	}
}

func scoreMetrics(c string) []Metric {
	return []Metric{
		{DisaggregationScore, Gauge, "1", nil, c, "Goodput over what the same GPUs could have at this load if nothing were wrong: the product of its factors."},
		{DisaggregationFactor, Gauge, "1", []string{AttrFactor}, c,
			"Share of the goodput that a defect leaves: purity (prompts computed by decode workers), balance (of prefill and decode workers), transfer, locality (of its path), slo (what these do not explain)."},
		{DisaggregationLeak, Gauge, "1", nil, c, "Share of the computed prompt tokens that decode workers computed."},
		{DisaggregationGoodput, Gauge, "{request}/s", nil, c,
			"Requests that met both objectives, as measured over the horizon; of a split fleet with the time to first token of both workers together."},
		{DisaggregationBenefit, Gauge, "1", []string{AttrBound}, c, "Goodput of the best split over that of the best aggregated fleet, for the measured workload and these GPUs, with its 80 % interval."},
		{DisaggregationGate, Gauge, "1", []string{AttrGate, AttrGateWhy}, c, "1 for the verdict on serving the phases of a fleet apart: recommend (a trial is worth it), neutral, against, and its reason."},
		{DisaggregationSide, Gauge, "1", []string{AttrPhase}, c,
			"1 for the phase that holds the fleet back: prefill, decode, or balanced. llm.topology.gain is its evidence."},
	}
}

func topologyMetrics(c string) []Metric {
	latency := []string{AttrTopology, AttrQuantile, AttrBound}
	return []Metric{
		{TopologyWorkers, Gauge, "{worker}", []string{AttrTopology, AttrRole}, c, "Worker groups by role, as they are and as recommended. No recommended ones: none is better enough, for long enough."},
		{TopologyGoodput, Gauge, "{request}/s", []string{AttrTopology, AttrBound}, c, "Goodput that is forecast at the measured load, with its 80 % interval."},
		{TopologyTTFT, Gauge, "s", latency, c, "Time to first token that is forecast: its median, and its 90th percentile with an 80 % interval."},
		{TopologyITL, Gauge, "s", latency, c, "Time between tokens that is forecast: median and 99th percentile."},
		{TopologyGain, Gauge, "1", []string{AttrRole}, c, "Relative goodput that one more worker group of the role would add."},
		{TopologyChanges, Sum, "{change}", nil, c, "Times the fleet's numbers of workers by role were seen to change."},
		{TopologyRecord, Gauge, "1", nil, c,
			"Share of the last 20 forecasts of an unchanged topology whose 80 % interval held the goodput that was measured five minutes later. Below a half nothing is recommended."},
		{TopologyBudget, Gauge, "{token}", []string{AttrTopology}, c, "Token budget of a step that is best where every worker serves both phases; only of fleets that should, or may go on to."},
	}
}
