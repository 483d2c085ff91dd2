package engine

import (
	"io"
	"strconv"
)

// VLLMVersion is the release whose /metrics the workers speak; its pages are recorded under tests/engines/recordings.
const VLLMVersion = "0.32.0"

// VLLMContentType is the media type of that page.
const VLLMContentType = "text/plain; version=1.0.0; charset=utf-8"

// vllmHead is the part of the page that never changes and is the same for all workers.
type vllmHead struct {
	start       float64 // Unix time of simulated time 0, s
	created     string
	model       string
	base        []label // engine, model_name
	cacheConfig []label
}

func newVLLMHead(f Facts) vllmHead {
	start := float64(f.Start.UnixNano()) / 1e9
	rank := strconv.Itoa(f.Rank)
	return vllmHead{
		start: start, created: pyFloat(start), model: f.ServedModel,
		base:        []label{{"engine", rank}, {"model_name", f.ServedModel}},
		cacheConfig: cacheConfigLabels(f),
	}
}

// cacheConfigLabels lists vLLM's cache configuration as it shows it: every field as text, most of them at their defaults.
func cacheConfigLabels(f Facts) []label {
	yes := map[bool]string{true: "True", false: "False"}
	tokens := f.Blocks * f.BlockSize
	return []label{
		{"_block_size_resolved", "True"},
		{"block_size", strconv.Itoa(f.BlockSize)},
		{"cache_dtype", "auto"},
		{"cache_hit_alignment_tokens", "None"},
		{"effective_attention_block_size", strconv.Itoa(f.BlockSize)},
		{"enable_mamba_shared_prefix_checkpoint", "False"},
		{"enable_prefix_caching", yes[f.PrefixCaching]},
		{"engine", strconv.Itoa(f.Rank)},
		{"gpu_memory_utilization", pyRepr(f.MemoryShare)},
		{"hash_block_size", "None"},
		{"is_attention_free", "False"},
		{"kv_cache_dtype_skip_layers", "[]"},
		{"kv_cache_layout", "None"},
		{"kv_cache_max_concurrency", pyRepr(float64(tokens) / float64(f.MaxModelTokens))},
		{"kv_cache_memory_bytes", "None"},
		{"kv_cache_size_tokens", strconv.Itoa(tokens)},
		{"kv_offloading_backend", "native"},
		{"kv_offloading_size", "None"},
		{"kv_sharing_fast_prefill", "False"},
		{"mamba_block_size", "None"},
		{"mamba_cache_dtype", "auto"},
		{"mamba_cache_mode", "none"},
		{"mamba_page_size_padded", "None"},
		{"mamba_ssm_cache_dtype", "auto"},
		{"num_cpu_blocks", "None"},
		{"num_gpu_blocks", strconv.Itoa(f.Blocks)},
		{"num_gpu_blocks_override", "None"},
		{"prefix_cache_retention_interval", "0"},
		{"prefix_caching_hash_algo", "sha256"},
		{"prefix_match_unit", "None"},
		{"replayssm_buffer_len", "16"},
		{"skip_page_size_padded", "None"},
		{"sliding_window", "None"},
		{"swa_bounded_replay", "True"},
		{"use_kda_recoverssm", "False"},
		{"use_replayssm", "False"},
		{"user_specified_block_size", "False"},
	}
}

// WritePage writes the /metrics page. As in vLLM the figures are those of the end of the last step: requests that arrived since
// are not in them.
func (s *VLLM) WritePage(w io.Writer) error {
	h := &s.head
	p := &page{created: h.created}
	p.gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", point{value: h.start})
	h.modelFLOPs(p)
	h.scheduler(p, s)
	h.prefixCache(p, s)
	h.tokens(p, s)
	h.requests(p, s)
	h.lengths(p, s)
	h.latencies(p, s)
	p.gauge("vllm:cache_config_info", "Information of the LLMEngine CacheConfig", point{h.cacheConfig, 1})
	_, err := p.WriteTo(w)
	return err
}

// with returns the base labels and one more.
func (h *vllmHead) with(name, value string) []label {
	return append(append([]label(nil), h.base...), label{name, value})
}

// modelFLOPs writes the analytic counters, which stay at 0 unless the engine is started with --enable-mfu-metrics.
func (h *vllmHead) modelFLOPs(p *page) {
	zero := point{labels: h.base}
	p.counter("vllm:estimated_flops_per_gpu", "Estimated number of floating point operations per GPU (for Model Flops Utilization calculations).", zero)
	p.counter("vllm:estimated_read_bytes_per_gpu", "Estimated number of bytes read from memory per GPU (for Model Flops Utilization calculations).", zero)
	p.counter("vllm:estimated_write_bytes_per_gpu", "Estimated number of bytes written to memory per GPU (for Model Flops Utilization calculations).", zero)
}

func (h *vllmHead) scheduler(p *page, s *VLLM) {
	p.gauge("vllm:num_requests_running", "Number of requests in model execution batches.", point{h.base, float64(s.state.Running)})
	p.gauge("vllm:num_requests_waiting", "Number of requests waiting to be processed.", point{h.base, float64(s.state.Waiting)})
	p.gauge("vllm:num_requests_waiting_by_reason",
		"Number of waiting requests by reason. Reason labels: 'capacity' = waiting for scheduling capacity; "+
			"'deferred' = deferred by transient constraints (LoRA budget, KV transfer, blocked status). "+
			"Sum of all reasons equals vllm:num_requests_waiting.",
		point{h.with("reason", "capacity"), float64(s.state.Waiting)}, point{h.with("reason", "deferred"), 0})
	p.gauge("vllm:engine_sleep_state",
		"Engine sleep state; awake = 0 means engine is sleeping; awake = 1 means engine is awake; "+
			"weights_offloaded = 1 means sleep level 1; discard_all = 1 means sleep level 2.",
		point{h.with("sleep_state", "awake"), 1}, point{h.with("sleep_state", "weights_offloaded"), 0}, point{h.with("sleep_state", "discard_all"), 0})
	p.gauge("vllm:kv_cache_usage_perc", "KV-cache usage. 1 means 100 percent usage.", point{h.base, s.usage()})
}

func (h *vllmHead) prefixCache(p *page, s *VLLM) {
	p.counter("vllm:prefix_cache_queries", "Prefix cache queries, in terms of number of queried tokens.", point{h.base, float64(s.prefixQueries)})
	p.counter("vllm:prefix_cache_hits", "Prefix cache hits, in terms of number of cached tokens.", point{h.base, float64(s.prefixHits)})
	p.counter("vllm:external_prefix_cache_queries",
		"External prefix cache queries from KV connector cross-instance cache sharing, in terms of number of queried tokens.", point{h.base, 0})
	p.counter("vllm:external_prefix_cache_hits",
		"External prefix cache hits from KV connector cross-instance cache sharing, in terms of number of cached tokens.", point{h.base, 0})
	p.counter("vllm:mm_cache_queries", "Multi-modal cache queries, in terms of number of queried items.", point{h.base, 0})
	p.counter("vllm:mm_cache_hits", "Multi-modal cache hits, in terms of number of cached items.", point{h.base, 0})
}

func (h *vllmHead) tokens(p *page, s *VLLM) {
	p.counter("vllm:num_preemptions", "Cumulative number of preemption from the engine.", point{h.base, float64(s.preemptions)})
	p.counter("vllm:prompt_tokens", "Number of prefill tokens processed.", point{h.base, float64(s.promptTokens)})
	p.counter("vllm:prompt_tokens_by_source", "Number of prompt tokens by source.",
		point{h.with("source", "local_compute"), float64(s.computedTokens)},
		point{h.with("source", "local_cache_hit"), float64(s.cachedTokens)},
		point{h.with("source", "external_kv_transfer"), 0})
	p.counter("vllm:prompt_tokens_cached", "Number of cached prompt tokens (local + external).", point{h.base, float64(s.cachedTokens)})
	p.counter("vllm:prompt_tokens_cached_by_source",
		"Prefix-cache hit tokens by the cache tier that supplied them: device (local HBM), host (offloaded to DRAM), disk, p2p "+
			"(transferred from another vLLM instance) or external_unspecified. Counted at admission; sums to "+
			"vllm:prefix_cache_hits + vllm:external_prefix_cache_hits.",
		point{h.with("source", "device"), float64(s.prefixHits)},
		point{h.with("source", "host"), 0}, point{h.with("source", "p2p"), 0},
		point{h.with("source", "disk"), 0}, point{h.with("source", "external_unspecified"), 0})
	p.counter("vllm:generation_tokens", "Number of generation tokens processed.", point{h.base, float64(s.generationTokens)})
}

func (h *vllmHead) requests(p *page, s *VLLM) {
	p.counter("vllm:request_success", "Count of successfully processed requests.",
		point{h.with("finished_reason", "stop"), float64(s.stopped)},
		point{h.with("finished_reason", "length"), float64(s.lengthLimited)},
		point{h.with("finished_reason", "abort"), 0},
		point{h.with("finished_reason", "error"), 0},
		point{h.with("finished_reason", "repetition"), 0})
	// The admission control sits before the engines: no engine label.
	p.counter("vllm:admission_rejections", "Number of admission attempts rejected by a queue limit, by reason.",
		point{[]label{{"model_name", h.model}, {"reason", "max_num_queued_reqs"}}, 0},
		point{[]label{{"model_name", h.model}, {"reason", "max_num_queued_tokens"}}, 0})
}

func (h *vllmHead) lengths(p *page, s *VLLM) {
	p.histogram("vllm:request_prompt_tokens", "Number of prefill tokens processed.", h.base, &s.promptLength)
	p.histogram("vllm:request_generation_tokens", "Number of generation tokens processed.", h.base, &s.outputLength)
	p.histogram("vllm:iteration_tokens_total", "Histogram of number of tokens per engine_step.", h.base, &s.iterationTokens)
	p.histogram("vllm:request_max_num_generation_tokens", "Histogram of maximum number of requested generation tokens.", h.base, &s.maxOutputLength)
	p.histogram("vllm:request_params_n", "Histogram of the n request parameter.", h.base, &s.paramN)
	p.histogram("vllm:request_params_max_tokens", "Histogram of the max_tokens request parameter.", h.base, &s.maxTokensParam)
}

func (h *vllmHead) latencies(p *page, s *VLLM) {
	p.histogram("vllm:time_to_first_token_seconds", "Histogram of time to first token in seconds.", h.base, &s.ttft)
	p.histogram("vllm:inter_token_latency_seconds", "Histogram of inter-token latency in seconds.", h.base, &s.itl)
	p.histogram("vllm:request_time_per_output_token_seconds", "Histogram of time_per_output_token_seconds per request.", h.base, &s.tpot)
	p.histogram("vllm:e2e_request_latency_seconds", "Histogram of e2e request latency in seconds.", h.base, &s.e2e)
	p.histogram("vllm:request_queue_time_seconds", "Histogram of time spent in WAITING phase for request.", h.base, &s.queue)
	p.histogram("vllm:request_inference_time_seconds", "Histogram of time spent in RUNNING phase for request.", h.base, &s.inference)
	p.histogram("vllm:request_prefill_time_seconds", "Histogram of time spent in PREFILL phase for request.", h.base, &s.prefill)
	p.histogram("vllm:request_decode_time_seconds", "Histogram of time spent in DECODE phase for request.", h.base, &s.decode)
	p.histogram("vllm:request_num_preemptions", "Histogram of the number of times a request was preempted.", h.base, &s.requestPreemptions)
	p.histogram("vllm:request_prefill_kv_computed_tokens", "Histogram of new KV tokens computed during prefill (excluding cached tokens).", h.base, &s.kvComputed)
}

// usage is the share of blocks that requests hold; cached blocks nobody holds count as free.
func (s *VLLM) usage() float64 {
	return float64(s.state.UsedBlocks) / float64(max(s.facts.Blocks-1, 1))
}
