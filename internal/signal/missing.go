package signal // import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// SourceMissing names inputs that would sharpen an estimate and are off.
const SourceMissing = "llm.source.missing"

// Attributes of SourceMissing.
const (
	AttrSource     = "llm.source"
	AttrSourceHint = "llm.source.hint" // how to switch it on
)

// Values of AttrSource that the receiver reads itself when it is told where.
const (
	SourceKVEvents      = "kv_events"
	SourceForwardPasses = "forward_passes"
)
