//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml

// Package llmenginenormalizerprocessor says what LLM inference engines report in one vocabulary, from metrics that the Prometheus
// receiver, an OTLP sender or anything else brought in under the engines' own names. It passes everything through and sends what it
// made of it as a second batch. Its tables are those of the llm_engine receiver, which costs less where the engines can be scraped
// directly.
package llmenginenormalizerprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/llmenginenormalizerprocessor"
