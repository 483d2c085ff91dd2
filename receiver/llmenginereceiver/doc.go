// Package llmenginereceiver scrapes the metrics pages of LLM inference engines and says what they report in the vocabulary of
// internal/signal: one resource per worker, cumulative sums and histograms with true start times.
//
// It transports and decodes. It discovers no engines (receiver_creator does), derives no estimates and keeps no history but
// what it needs to recognise a series and a restart.
//
//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml
package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"
