package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// display is how the page shows a metric.
type display int

const (
	asLevel display = iota // the last value of a gauge, or of a sum that may fall
	asRate                 // the increase of a counter per second, over the trailing minute
	asTotal                // the last value of a counter: rare events that a rate would hide
	asTail                 // p50 and p99 of a histogram over the trailing minute; the percentile is the last of the figure's attributes
)

// Sections of the page that render figures as they arrive.
const (
	sectionKV        = "kv"
	sectionTransfer  = "transfer"
	sectionSplit     = "disaggregation"
	sectionGPU       = "gpu"
	sectionSources   = "sources"
	sectionPhases    = "phases"    // what mixing them costs
	sectionEstimates = "estimates" // how sure the others are, and what was withheld
)

// maxPlaces is the most point attributes that a shown metric has.
const maxPlaces = 4

// shownMetric says where and how a metric is shown, and which of its point attributes tell its figures apart, in order.
type shownMetric struct {
	section string
	as      display
	of      []string
}

// shownTable lists the metrics that are shown as they arrive, of whatever resource. Nothing is derived from them on the way.
func shownTable() map[string]shownMetric {
	table := map[string]shownMetric{
		signal.EstimateConfidence: {sectionEstimates, asLevel, []string{signal.AttrEstimate, signal.AttrEstimateMethod}},
		signal.EstimateWithheld:   {sectionEstimates, asRate, []string{signal.AttrEstimate, signal.AttrReason}},
		signal.SourceMissing:      {sectionSources, asLevel, []string{signal.AttrSource, signal.AttrSourceHint}},
	}
	for _, part := range []map[string]shownMetric{shownKV(), shownTransfer(), shownSplit(), shownGPU(), shownPhases()} {
		for name, m := range part {
			table[name] = m
		}
	}
	return table
}

func shownKV() map[string]shownMetric {
	plain := shownMetric{section: sectionKV}
	by := func(attr string) shownMetric { return shownMetric{sectionKV, asLevel, []string{attr}} }
	rate := func(attr string) shownMetric { return shownMetric{sectionKV, asRate, []string{attr}} }
	return map[string]shownMetric{
		signal.KVTokens: by(signal.AttrKVUse), signal.KVMemory: by(signal.AttrKVUse), signal.KVTierTokens: by(signal.AttrCacheTier),
		signal.KVDuplicateMemory: plain, signal.KVFragmentation: plain, signal.KVFreeLowest: plain,
		signal.KVHitRatio: by(signal.AttrCacheScope), signal.KVHitRatioPredicted: by(signal.AttrCacheScale),
		signal.KVMissTokens: rate(signal.AttrMissCause), signal.KVEvictedBlocks: rate(signal.AttrCacheTier),
		signal.KVThrash: plain, signal.KVStorm: plain, signal.KVEvictionSurge: plain,
		signal.KVWasteTokens: rate(signal.AttrKVWaste), signal.KVWasteTime: rate(signal.AttrKVWaste),
		signal.KVSavedTokens: by(signal.AttrCacheScale), signal.KVSavedTime: by(signal.AttrCacheScale), signal.KVSavedTTFT: by(signal.AttrCacheScale),
	}
}

func shownTransfer() map[string]shownMetric {
	table := map[string]shownMetric{
		signal.TransferAmplified: {sectionTransfer, asLevel, []string{signal.AttrAmplifier}},
		signal.TransferTransport: {sectionTransfer, asLevel, []string{signal.AttrTransport, signal.AttrEvidence}},
		signal.TransferHiccups:   {sectionTransfer, asTotal, nil},
		signal.TransferExpired:   {sectionTransfer, asRate, nil},
		signal.NIXLTransferIO:    {sectionTransfer, asRate, []string{signal.AttrNetDirection}},
		signal.NIXLTransferCount: {sectionTransfer, asRate, []string{signal.AttrNetDirection}},
		signal.NIXLTransferTime:  {sectionTransfer, asTail, []string{signal.AttrNetDirection}},
		signal.KVTransferTime:    {sectionTransfer, asTail, []string{signal.AttrKVBackend, signal.AttrIODirection}},
		signal.NIXLErrors:        {sectionTransfer, asTotal, []string{signal.AttrErrorType}},
		signal.NIXLTransport:     {sectionTransfer, asLevel, []string{signal.AttrTransport, signal.AttrEvidence, signal.AttrNetDirection}},
		signal.NIXLLinkLimit:     {sectionTransfer, asLevel, []string{signal.AttrInterface, signal.AttrHWID, signal.AttrLinkTransport}},
		signal.NIXLLinkUp:        {sectionTransfer, asLevel, []string{signal.AttrInterface, signal.AttrHWID, signal.AttrLinkTransport}},
		signal.NIXLLinkUse: {sectionTransfer, asLevel,
			[]string{signal.AttrInterface, signal.AttrHWID, signal.AttrLinkTransport, signal.AttrNetDirection}},
	}
	for _, name := range []string{
		signal.TransferBase, signal.TransferBandwidth, signal.TransferBaseRatio, signal.TransferPostRatio, signal.TransferUtilization,
		signal.TransferConcurrent, signal.TransferExposed, signal.TransferHiccup, signal.TransferExcess, signal.TransferStall,
		signal.TransferEpoch, signal.TransferFallback, signal.NIXLAgentUp, signal.NIXLLastEventAge,
	} {
		table[name] = shownMetric{section: sectionTransfer}
	}
	return table
}

func shownSplit() map[string]shownMetric {
	by := func(attrs ...string) shownMetric { return shownMetric{sectionSplit, asLevel, attrs} }
	return map[string]shownMetric{
		signal.DisaggregationScore: by(), signal.DisaggregationFactor: by(signal.AttrFactor), signal.DisaggregationLeak: by(),
		signal.DisaggregationGoodput: by(), signal.DisaggregationBenefit: by(signal.AttrBound),
		signal.DisaggregationGate: by(signal.AttrGate, signal.AttrGateWhy), signal.DisaggregationSide: by(signal.AttrPhase),
		signal.TopologyWorkers: by(signal.AttrTopology, signal.AttrRole), signal.TopologyGoodput: by(signal.AttrTopology, signal.AttrBound),
		signal.TopologyTTFT: by(signal.AttrTopology, signal.AttrQuantile, signal.AttrBound),
		signal.TopologyITL:  by(signal.AttrTopology, signal.AttrQuantile, signal.AttrBound),
		signal.TopologyGain: by(signal.AttrRole), signal.TopologyRecord: by(), signal.TopologyBudget: by(signal.AttrTopology),
		signal.FleetExpected: by(), signal.FleetObserved: by(),
	}
}

func shownGPU() map[string]shownMetric {
	by := func(as display, attrs ...string) shownMetric { return shownMetric{sectionGPU, as, attrs} }
	return map[string]shownMetric{
		signal.GPUActivityTime: by(asRate, signal.AttrGPUUnit), signal.GPUThrottleTime: by(asRate, signal.AttrGPUThrottleReason),
		signal.HWPower: by(asLevel), signal.GPUPowerLimit: by(asLevel), signal.HWEnergy: by(asRate),
		signal.HWTemperature: by(asLevel, signal.AttrHWSensor), signal.HWStatus: by(asLevel, signal.AttrHWState),
		signal.HWGPUMemoryUsage: by(asLevel), signal.HWGPUMemoryLimit: by(asLevel), signal.GPUClockFrequency: by(asLevel, signal.AttrGPUClock),
		signal.GPUXIDCount: by(asTotal, signal.AttrGPUXID), signal.HWErrors: by(asTotal, signal.AttrErrorType),
		signal.GPUMemoryRepair: by(asLevel, signal.AttrGPURepair),
		// Of a worker: which GPUs it has, and the power that it puts into each phase.
		signal.EngineGPUInfo: by(asLevel, signal.AttrHWID), signal.PhaseEnergy: by(asRate, signal.AttrPhase),
		signal.PhaseEnergyPerToken: by(asLevel, signal.AttrPhase),
	}
}

// shownPhases is what prefill in the same steps costs decode.
func shownPhases() map[string]shownMetric {
	level, rate := shownMetric{section: sectionPhases}, shownMetric{sectionPhases, asRate, nil}
	return map[string]shownMetric{
		signal.InterferenceLost: level, signal.InterferencePerToken: level, signal.InterferenceCounterfactual: level,
		signal.InterferenceDelay: rate, signal.InterferenceWait: rate, signal.InterferenceStalls: rate,
	}
}
