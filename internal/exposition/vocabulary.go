package exposition // import "github.com/otelcol-inference/otelcol-inference/internal/exposition"

import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// Vocabulary is what books emit. It is never changed, and many books share one.
type Vocabulary struct {
	emitted map[string]bool // names of the metrics of the preset
	// Metrics that no engine tells.
	up, info, drift, missing, busy, iterations, handoffs, unaccounted signal.Metric
}

// NewVocabulary is that of a preset; empty is the default.
func NewVocabulary(p signal.Preset) *Vocabulary {
	table := signal.Index(signal.EngineMetrics())
	return &Vocabulary{
		emitted: p.Metrics(),
		up:      table[signal.Up], info: table[signal.EngineInfo], drift: table[signal.SourceDrift],
		missing: table[signal.SourceMissing], busy: table[signal.PhaseBusyTime], iterations: table[signal.Iterations],
		handoffs: table[signal.RequestHandoffs], unaccounted: table[signal.TokensUnaccounted],
	}
}
