//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml

// Package kvfragmentationprocessor says what fills the KV cache of LLM workers, what misses it and why, and what another size of it would
// do. It reads the canonical engine metrics that the llm_engine receiver makes, those of KV events and forward passes among them, passes
// everything through untouched, and sends what it derived as a second batch.
//
// It follows no blocks itself: that is done at the edge, by the receiver. It gives no advice.
package kvfragmentationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/kvfragmentationprocessor"
