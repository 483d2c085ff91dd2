// Package passes decodes forward-pass metrics, one message per engine step, and reduces them to sums by the composition of the step.
//
// The messages are those of dynamo/common/forward_pass_metrics.py (Dynamo 1.6.1), sglang/srt/observability/forward_pass_metrics.py
// (SGLang 0.5.23) and vllm/v1/metrics/forward_pass_metrics.py (vllm#52061): a msgpack struct, sent as a map with field names and, as a
// comment in SGLang claims, perhaps as an array. Both are read.
package passes // import "github.com/otelcol-inference/otelcol-inference/internal/passes"
