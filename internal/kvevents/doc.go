// Package kvevents decodes the KV cache events that vLLM, SGLang and TensorRT-LLM publish, in every wire form that they have had:
// batches and events as maps or as arrays, with more or fewer fields, hashes as unsigned or signed integers or as bytes.
//
// The fields are those of vllm/distributed/kv_events.py (vLLM 0.32.0), sglang/srt/disaggregation/kv_events.py (SGLang 0.5.23) and
// tensorrt_llm/_torch/pyexecutor/kv_cache_events.py (commit 13599e9). A decoder allocates nothing once it has seen its longest event,
// believes no length, and skips what it does not know.
package kvevents // import "github.com/otelcol-inference/otelcol-inference/internal/kvevents"
