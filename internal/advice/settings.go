package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import (
	"fmt"
	"strings"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// Setting is something that engines let one set, whatever they call it.
type Setting string

// The settings that rules speak of.
const (
	TokenBudget   Setting = "token_budget"   // prompt and output tokens of one step
	MaxSequences  Setting = "max_sequences"  // requests that run at once
	MemoryShare   Setting = "memory_share"   // share of the GPU's memory, or of what is free, for weights and KV
	PrefixCaching Setting = "prefix_caching" // reuse the KV of prompts with the same beginning
	BlockSize     Setting = "block_size"     // tokens of a KV block
	MaxLength     Setting = "max_length"     // tokens of the longest context
	OffloadTier   Setting = "offload_tier"   // KV in host memory below the cache
	LeaseTime     Setting = "lease_time"     // s for which prefilled KV waits to be fetched
)

// spelling is how an engine spells a setting; %v stands for the value.
type spelling struct {
	engine  string
	setting Setting
	change  string
}

// spellings is the table. Flags as the engines' own documentation has them: vLLM v0.28 (vllm serve --help), SGLang 0.5 (server
// arguments), TensorRT-LLM 1.3 (trtllm-serve --help and its YAML of extra options), TGI 3 (launcher arguments), LMDeploy 0.9 (api_server),
// llama.cpp (llama-server). Dynamo passes the flags of the engine that it runs, and Triton's TensorRT-LLM backend has its own file.
func spellings() []spelling {
	return []spelling{
		{"vllm", TokenBudget, "--max-num-batched-tokens %v"},
		{"vllm", MaxSequences, "--max-num-seqs %v"},
		{"vllm", MemoryShare, "--gpu-memory-utilization %v"},
		{"vllm", PrefixCaching, "--enable-prefix-caching"},
		{"vllm", BlockSize, "--block-size %v"},
		{"vllm", MaxLength, "--max-model-len %v"},
		{"vllm", OffloadTier, `--kv-transfer-config '{"kv_connector":"LMCacheConnectorV1","kv_role":"kv_both"}'`},
		{"vllm", LeaseTime, "VLLM_NIXL_ABORT_REQUEST_TIMEOUT=%v"},
		{"sglang", BlockSize, "--page-size %v"},
		{"sglang", MaxLength, "--context-length %v"},
		{"sglang", OffloadTier, "--enable-hierarchical-cache"},
		{"tensorrt_llm", BlockSize, "--tokens_per_block %v"},
		{"tensorrt_llm", MaxLength, "--max_seq_len %v"},
		{"tensorrt_llm", OffloadTier, "kv_cache_config: {host_cache_size: <bytes>}"},
		{"lmdeploy", BlockSize, "--cache-block-seq-len %v"},
		{"lmdeploy", MaxLength, "--session-len %v"},
		{"llama_cpp", MaxLength, "--ctx-size %v"},
		{"sglang", TokenBudget, "--chunked-prefill-size %v"},
		{"sglang", MaxSequences, "--max-running-requests %v"},
		{"sglang", MemoryShare, "--mem-fraction-static %v"},
		{"sglang", PrefixCaching, "remove --disable-radix-cache"},
		{"tensorrt_llm", TokenBudget, "--max_num_tokens %v"},
		{"tensorrt_llm", MaxSequences, "--max_batch_size %v"},
		{"tensorrt_llm", MemoryShare, "--kv_cache_free_gpu_memory_fraction %v"},
		{"tensorrt_llm", PrefixCaching, "kv_cache_config: {enable_block_reuse: true}"},
		{"tgi", TokenBudget, "--max-batch-prefill-tokens %v"},
		{"tgi", MaxSequences, "--max-batch-size %v"},
		{"tgi", MemoryShare, "--cuda-memory-fraction %v"},
		{"tgi", PrefixCaching, "PREFIX_CACHING=1"},
		{"lmdeploy", TokenBudget, "--max-prefill-token-num %v"},
		{"lmdeploy", MaxSequences, "--max-batch-size %v"},
		{"lmdeploy", MemoryShare, "--cache-max-entry-count %v"},
		{"lmdeploy", PrefixCaching, "--enable-prefix-caching"},
		{"llama_cpp", TokenBudget, "--ubatch-size %v"},
		{"llama_cpp", MaxSequences, "--parallel %v"},
		{"llama_cpp", PrefixCaching, "--cache-reuse 256"},
	}
}

// Change returns how the worker's engine spells a setting with a value; "" where the engine has none or is not known.
func (r *Reading) Change(s Setting, value any) string {
	engine, _ := r.Fact(signal.AttrEngineName)
	for _, x := range spellings() {
		if x.engine == engine && x.setting == s {
			if !strings.Contains(x.change, "%v") {
				return x.change
			}
			return fmt.Sprintf(x.change, value)
		}
	}
	return ""
}

// Engine is the name and version of a worker's engine, such as "vllm 0.28.1".
func (r *Reading) Engine() string {
	name, _ := r.Fact(signal.AttrEngineName)
	version, _ := r.Fact(signal.AttrEngineVersion)
	return strings.TrimSpace(name + " " + version)
}
