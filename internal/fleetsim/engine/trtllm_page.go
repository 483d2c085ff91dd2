package engine

import "strconv"

// trtllmPage lays out /prometheus/metrics of trtllm-serve (tensorrt_llm/metrics/collector.py at 050f80d; the server mounts the
// page of several processes, so its gauges have a label pid). What the simulation has no figure for is left out: onboarding,
// offloading and copies of blocks, blocks allocated in generation, memory of the host, perplexity.
type trtllmPage struct {
	sheet  *sheet
	labels []label
	begun  *bool // an iteration has been
	version
}

func newTensorRTSheet(f Facts, v version, s *trtllmStats) *sheet {
	p := &trtllmPage{
		sheet: newSheet(processesForm()), labels: []label{{"model_name", f.ServedModel}, {"engine_type", "trtllm"}},
		begun: &s.begun, version: v,
	}
	p.requests(s)
	p.cache(s)
	if v.from(1, 2) {
		p.load(f, s)
		p.batch(f, s)
		p.configuration(f)
	}
	return p.sheet.arrange()
}

// gauge adds a gauge that exists from the first iteration on.
func (p *trtllmPage) gauge(name, help string, at *float64) {
	p.sheet.gauge("trtllm_"+name, help, point{labels: and(p.labels, label{"pid", "1"}), at: at, lazy: true, after: p.begun})
}

// fixed adds a gauge of the iterations that does not change.
func (p *trtllmPage) fixed(name, help string, v float64) { p.gauge(name, help, &v) }

// info adds a gauge of 1 that is set at the start.
func (p *trtllmPage) info(name, help string, extra ...label) {
	set := 1.0
	p.sheet.gauge("trtllm_"+name, help, point{labels: and(and(p.labels, label{"pid", "1"}), extra...), at: &set})
}

func (p *trtllmPage) counter(name, help string, at *float64) {
	p.sheet.counter("trtllm_"+name, help, point{labels: p.labels, at: at, lazy: true})
}

func (p *trtllmPage) histogram(name, help string, of *histogram) {
	p.sheet.histogram("trtllm_"+name, help, spread{labels: p.labels, of: of, lazy: true})
}

func (p *trtllmPage) requests(s *trtllmStats) {
	reason := func(v string) []label { return and(p.labels, label{"finished_reason", v}) }
	p.sheet.counter("trtllm_request_success", "Requests answered.",
		point{labels: reason("stop"), at: &s.stopped, lazy: true}, point{labels: reason("length"), at: &s.lengthLimited, lazy: true})
	p.histogram("e2e_request_latency_seconds", "Seconds of a request from end to end.", &s.e2e)
	p.histogram("time_to_first_token_seconds", "Seconds to the first token.", &s.ttft)
	p.histogram("time_per_output_token_seconds", "Seconds per output token, mean of a request.", &s.tpot)
	p.histogram("request_queue_time_seconds", "Seconds in the queue.", &s.queue)
	if !p.from(1, 2) {
		return
	}
	p.histogram("request_prefill_time_seconds", "Seconds from the first scheduling to the first token.", &s.prefill)
	p.histogram("request_decode_time_seconds", "Seconds from the first to the last token.", &s.decode)
	p.histogram("request_inference_time_seconds", "Seconds from the first scheduling to the last token.", &s.inference)
	p.counter("prompt_tokens", "Prompt tokens of finished requests.", &s.prompts)
	p.counter("generation_tokens", "Generated tokens of finished requests.", &s.generated)
	// The one counter whose series exists from the start.
	p.sheet.counter("trtllm_prompt_cached_tokens", "Prompt tokens that came from the KV cache.", point{labels: p.labels, at: &s.cached})
	p.histogram("prompt_cached_tokens_per_request", "Prompt tokens of a request that came from the KV cache.", &s.cachedPerRequest)
	if p.from(1, 4) {
		tier := and(p.labels, label{"cache_level", "0"}, label{"cache_tier", "gpu"})
		p.sheet.counter("trtllm_prompt_cache_hit_tokens", "Prompt tokens that came from a level of the KV cache.", point{labels: tier, at: &s.cached})
	}
}

func (p *trtllmPage) cache(s *trtllmStats) {
	p.gauge("kv_cache_hit_rate", "Share of block lookups that hit, since the start.", &s.hitRate)
	p.gauge("kv_cache_utilization", "Share of the KV blocks in use.", &s.usage)
	if !p.from(1, 2) {
		return
	}
	p.counter("kv_cache_reused_blocks", "Blocks reused.", &s.reused)
	p.counter("kv_cache_missed_blocks", "Blocks missed.", &s.missed)
	if !p.from(1, 3) {
		return
	}
	p.gauge("kv_cache_iter_reuse_rate", "Share of block lookups of an iteration that hit.", &s.iterReuse)
	p.counter("kv_cache_iter_reused_blocks", "Blocks reused, whole or in part.", &s.reused)
	p.counter("kv_cache_iter_full_reused_blocks", "Blocks reused whole.", &s.fullReused)
	p.counter("kv_cache_iter_partial_reused_blocks", "Blocks reused in part.", &s.partialReused)
	p.counter("kv_cache_iter_missed_blocks", "Blocks of prompts that were missed.", &s.missed)
}

func (p *trtllmPage) load(f Facts, s *trtllmStats) {
	p.gauge("num_requests_running", "Requests that are active.", &s.running)
	p.gauge("num_requests_waiting", "Requests in the queue.", &s.waiting)
	p.counter("num_requests_completed", "Requests completed.", &s.allCompleted)
	p.fixed("max_num_active_requests", "Most requests that can be active.", float64(f.MaxNumSeqs))
	p.gauge("iteration_latency_seconds", "Seconds of the last iteration.", &s.latency)
	if f.MemoryBytes > 0 {
		p.fixed("gpu_memory_usage_bytes", "Memory used on the GPU.", f.MemoryBytes*f.MemoryShare)
	}
	p.fixed("max_batch_size_static", "Largest batch, as configured.", float64(f.MaxNumSeqs))
	p.fixed("max_batch_size_runtime", "Largest batch, at present.", float64(f.MaxNumSeqs))
	p.fixed("max_num_tokens_runtime", "Most tokens of an iteration, at present.", float64(f.MaxBatchedTokens))
	p.fixed("kv_cache_max_blocks", "KV blocks.", float64(max(f.Blocks-1, 0)))
	p.gauge("kv_cache_free_blocks", "KV blocks that are free.", &s.free)
	p.gauge("kv_cache_used_blocks", "KV blocks in use.", &s.used)
	p.fixed("kv_cache_tokens_per_block", "Tokens of a KV block.", float64(f.BlockSize))
}

func (p *trtllmPage) batch(f Facts, s *trtllmStats) {
	p.gauge("num_context_requests", "Requests in their context phase.", &s.context)
	p.gauge("num_generation_requests", "Requests in their generation phase.", &s.generation)
	p.gauge("num_paused_requests", "Requests paused.", &s.paused)
	p.gauge("num_scheduled_requests", "Requests scheduled.", &s.scheduled)
	p.gauge("total_context_tokens", "Context tokens of the last iteration.", &s.contextTokens)
	p.gauge("avg_decoded_tokens_per_iter", "Tokens per generating request and iteration.", &s.decoded)
	p.gauge("prefill_batch_occupancy", "Share of the active slots that context requests take.", &s.occupancy)
	p.histogram("prefill_batch_tokens", "Context tokens of an iteration.", &s.contextTokensOfStep)
	if f.SpeculativeTokens > 0 {
		p.counter("spec_decode_num_draft_tokens", "Tokens drafted.", &s.drafted)
		p.counter("spec_decode_num_accepted_tokens", "Drafted tokens that were accepted.", &s.accepted)
		p.gauge("spec_decode_acceptance_length", "Tokens per draft that were accepted, and one of the model itself.", &s.acceptanceLength)
	}
}

func (p *trtllmPage) configuration(f Facts) {
	dtype := f.CacheDataType
	if dtype == "" {
		dtype = "auto"
	}
	yes := map[bool]string{true: "True", false: "False"}
	p.info("model_config_info", "Configuration of the model.", label{"model", f.ServedModel})
	p.info("parallel_config_info", "Configuration of parallelism.",
		label{"tp_size", strconv.Itoa(max(f.TensorParallel, 1))}, label{"pp_size", "1"})
	p.info("kv_cache_config_info", "Configuration of the KV cache.",
		label{"page_size", strconv.Itoa(f.BlockSize)}, label{"enable_block_reuse", yes[f.PrefixCaching]}, label{"cache_dtype", dtype})
	if f.SpeculativeTokens > 0 {
		p.info("speculative_config_info", "Configuration of speculative decoding.",
			label{"max_draft_len", strconv.Itoa(f.SpeculativeTokens)})
	}
}
