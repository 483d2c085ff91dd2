package signal // import "github.com/otelcol-inference/otelcol-inference/internal/signal"

import "slices"

// Preset says how many of an engine's metrics are emitted. The empty Preset is the default one.
type Preset string

const (
	// PresetMinimal has what the estimators of this distribution need.
	PresetMinimal Preset = "minimal"
	// PresetDefault leaves out what few look at.
	PresetDefault Preset = "default"
	// PresetFull has everything.
	PresetFull Preset = "full"
)

// Presets lists the names of the presets.
func Presets() []string {
	return []string{string(PresetMinimal), string(PresetDefault), string(PresetFull)}
}

// Metrics returns the metrics of EngineMetrics that the preset has, by name.
func (p Preset) Metrics() map[string]bool {
	has := make(map[string]bool)
	for _, m := range EngineMetrics() {
		switch p {
		case PresetFull:
			has[m.Name] = true
		case PresetMinimal:
			has[m.Name] = slices.Contains(minimal(), m.Name)
		default:
			has[m.Name] = !slices.Contains(onlyFull(), m.Name)
		}
	}
	return has
}

// minimal are the metrics that estimators read.
func minimal() []string {
	return []string{
		Up, EngineInfo, SourceDrift, SourceMissing,
		TTFT, TPOT, RequestTime, ITL, QueueTime, PhaseTime, Running, Waiting, RequestCount, RequestHandoffs, RequestErrors, TokensPrompt, TokensCached,
		TokensGenerated, RequestTokens, ComputedTokens, IterationTokens, Iterations, Preemptions, PhaseBusyTime, DisaggQueue,
		KVUtilization, KVCapacityTokens, KVCapacityBlocks, KVBlockSize, KVLookupTokens, KVHitTokens, KVBlocks, KVDecodeTokens, KVEvictions,
		KVTransferTime, KVTransferSize, KVTransferFailures, FLOPs, MemoryIO, SpecTokens, SpecDrafts,
	}
}

// onlyFull are the metrics of little use beyond looking at one engine, or with one point per value of an open label.
func onlyFull() []string {
	return []string{
		ToolCallParses, RequestBestOf, RequestChoices, MultimodalLookups, MultimodalHits, KVTierDeepLookup, KVSparseLookups,
		KVSparseLoad, KVPoolUtilization,
	}
}
