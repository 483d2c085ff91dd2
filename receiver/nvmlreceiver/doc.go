// Package nvmlreceiver reads NVIDIA GPUs by NVML and says what they do in the semantic conventions of hardware and the vocabulary
// of internal/signal: one resource per GPU and per MIG device, known by UUID.
//
// What the hardware counts is reported as it is counted. What it only shows at a moment, such as the activity of its units, is
// sampled and integrated here, so that no scrape interval loses anything. NVML is read and never written.
//
//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml
package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"
