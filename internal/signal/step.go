package signal // import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// Metrics of the llm_engine receiver from forward passes, one message per engine step.
const (
	StepCount           = "llm.engine.step.count"
	StepTime            = "llm.engine.step.time"
	StepPrefillTokens   = "llm.engine.step.prefill.tokens"
	StepPrefillKVTokens = "llm.engine.step.prefill.kv.tokens"
	StepDecodeSequences = "llm.engine.step.decode.sequences"
	StepDecodeKVTokens  = "llm.engine.step.decode.kv.tokens"
	StepDuration        = "llm.engine.step.duration"
	StepHeartbeats      = "llm.engine.step.heartbeats"
	StepInfo            = "llm.engine.step.info"
)

// Point attributes of steps.
const (
	AttrComposition = "llm.step.composition" // prefill, decode or mixed
	AttrTimingScope = "llm.step.timing_scope"
)

// StepMetrics lists what the llm_engine receiver makes of forward passes.
func StepMetrics() []Metric {
	const c = "llm_engine"
	by := []string{AttrComposition}
	return []Metric{
		{StepCount, Sum, "{step}", by, c, "Engine steps, by what they computed."},
		{StepTime, Sum, "s", by, c, "Their duration. What it covers is on llm.engine.step.info."},
		{StepPrefillTokens, Sum, "{token}", by, c, "Prompt tokens that they computed; cached tokens are not in it."},
		{StepPrefillKVTokens, Sum, "{token}", by, c, "KV read for prefill: prefix hits and earlier chunks."},
		{StepDecodeSequences, Sum, "{sequence}", by, c, "Sequences in decode, each once a step."},
		{StepDecodeKVTokens, Sum, "{token}", by, c, "KV read for decode: the whole context of each sequence."},
		{StepDuration, Histogram, "s", by, c, "Duration of a step."},
		{StepHeartbeats, Sum, "{message}", nil, c, "Messages of an idle engine, about one a second."},
		{StepInfo, Gauge, "1", []string{AttrTimingScope}, c,
			"Always 1. execute_model_cuda: durations are GPU time; unstated: the host's from schedule to update (Dynamo) or a device timer's (SGLang); other."},
	}
}
