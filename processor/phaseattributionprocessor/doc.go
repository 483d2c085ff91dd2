//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml

// Package phaseattributionprocessor says how an LLM worker's time divides between prefill and decode, and which of the two
// holds it back. It reads the canonical engine metrics that the llm_engine receiver makes, passes everything through
// untouched, and sends what it derived as a second batch.
//
// It does not scrape, does not keep history and gives no advice.
package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"
