package engine

// Effort is a model's cost by the analytic estimate that an engine makes of itself, per GPU.
type Effort struct {
	TokenFLOPs   float64 // per token computed, attention aside
	ContextFLOPs float64 // per token computed and token it attends to
	WeightBytes  float64 // read per step
	CacheBytes   float64 // KV of one token
}

// of estimates a step: operations, bytes read and bytes written. A prompt's own KV is read once, a decoding sequence's whole.
func (e Effort) of(t *Step) (flops, read, written float64) {
	if t.PrefillTokens+t.DecodeSequences == 0 {
		return 0, 0, 0
	}
	tokens := float64(t.PrefillTokens + t.DecodeSequences)
	flops = tokens*e.TokenFLOPs + (t.PrefillContext+t.DecodeContext)*e.ContextFLOPs
	read = e.WeightBytes + (float64(t.PrefillTokens)+t.DecodeContext)*e.CacheBytes
	return flops, read, tokens * e.CacheBytes
}
