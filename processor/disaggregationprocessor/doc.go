//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml

// Package disaggregationprocessor looks at whole fleets: what the transfers of KV between prefill and decode workers cost, how well the
// split does, which phase holds the fleet back and which split would do better. It reads the canonical metrics of the llm_engine and
// nixl receivers, passes everything through untouched, and sends what it derived as a second batch.
//
// It gives no advice: it publishes forecasts.
package disaggregationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"
