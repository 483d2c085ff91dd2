package engine

// layOutV0 adds the families of V0 (vllm/engine/metrics.py of 0.6 to 0.8), in its order. They have no label engine. What only
// detailed traces fill (model_forward_time_milliseconds) never appears.
func (p *vllmPage) layOutV0() {
	p.gauge("num_requests_running", "Requests that run on the GPU.", func(t *vllmStats) *float64 { return &t.running })
	p.gauge("num_requests_waiting", "Number of requests waiting to be processed.", func(t *vllmStats) *float64 { return &t.waiting })
	p.adapterFamily()
	p.gauge("num_requests_swapped", "Requests swapped out to the CPU.", nothing)
	p.ratio("gpu_cache_usage_perc", "KV-cache usage of the GPU. 1 means 100 percent usage.", func(t *vllmStats) *float64 { return &t.usage })
	p.ratio("cpu_cache_usage_perc", "KV-cache usage of the CPU. 1 means 100 percent usage.", nothing)
	unused := func(*vllmStats) *float64 { none := -1.0; return &none }
	p.ratio("cpu_prefix_cache_hit_rate", "Hit rate of prefix blocks on the CPU.", unused)
	p.ratio("gpu_prefix_cache_hit_rate", "Hit rate of prefix blocks on the GPU.", func(t *vllmStats) *float64 { return &t.hitRate })
	p.counter("num_preemptions", "Cumulative number of preemption from the engine.", func(t *vllmStats) *float64 { return &t.preemptions })
	p.counter("prompt_tokens", "Number of prefill tokens processed.", func(t *vllmStats) *float64 { return &t.promptTokens })
	p.counter("generation_tokens", "Number of generation tokens processed.", func(t *vllmStats) *float64 { return &t.generationTokens })
	if p.from(0, 7) {
		p.histogram("iteration_tokens_total", "Histogram of number of tokens per engine_step.", func(t *vllmStats) *histogram { return &t.iterationTokens })
	}
	p.latenciesV0()
	p.lengthsV0()
	stop := p.each(func(t *vllmStats) *float64 { return &t.stopped }, label{"finished_reason", "stop"})
	length := p.each(func(t *vllmStats) *float64 { return &t.lengthLimited }, label{"finished_reason", "length"})
	stop[0].lazy, length[0].lazy = true, true
	p.sheet.counter("vllm:request_success", "Count of successfully processed requests.", append(stop, length...)...)
	p.speculationV0()
	p.cacheConfig()
}

func (p *vllmPage) latenciesV0() {
	p.histogram("time_to_first_token_seconds", "Histogram of time to first token in seconds.", func(t *vllmStats) *histogram { return &t.ttft })
	p.histogram("time_per_output_token_seconds", "Seconds between output tokens.", func(t *vllmStats) *histogram { return &t.itl })
	p.histogram("e2e_request_latency_seconds", "Histogram of e2e request latency in seconds.", func(t *vllmStats) *histogram { return &t.e2e })
	p.histogram("request_queue_time_seconds", "Histogram of time spent in WAITING phase for request.", func(t *vllmStats) *histogram { return &t.queue })
	p.histogram("request_inference_time_seconds", "Histogram of time spent in RUNNING phase for request.", func(t *vllmStats) *histogram { return &t.inference })
	p.histogram("request_prefill_time_seconds", "Histogram of time spent in PREFILL phase for request.", func(t *vllmStats) *histogram { return &t.prefill })
	p.histogram("request_decode_time_seconds", "Histogram of time spent in DECODE phase for request.", func(t *vllmStats) *histogram { return &t.decode })
	p.histogram("time_in_queue_requests", "Seconds a request was in the queue.", func(t *vllmStats) *histogram { return &t.queue })
}

func (p *vllmPage) lengthsV0() {
	p.histogram("request_prompt_tokens", "Number of prefill tokens processed.", func(t *vllmStats) *histogram { return &t.promptLength })
	p.histogram("request_generation_tokens", "Number of generation tokens processed.", func(t *vllmStats) *histogram { return &t.outputLength })
	p.histogram("request_max_num_generation_tokens", "Histogram of maximum number of requested generation tokens.", func(t *vllmStats) *histogram { return &t.longestOutput })
	p.histogram("request_params_n", "Histogram of the n request parameter.", func(t *vllmStats) *histogram { return &t.choices })
	p.histogram("request_params_max_tokens", "Histogram of the max_tokens request parameter.", func(t *vllmStats) *histogram { return &t.maxTokens })
}

func (p *vllmPage) speculationV0() {
	if p.facts.SpeculativeTokens == 0 {
		return
	}
	p.ratio("spec_decode_draft_acceptance_rate", "Share of drafted tokens that were accepted.", func(t *vllmStats) *float64 { return &t.acceptanceRate })
	p.ratio("spec_decode_efficiency", "Tokens emitted by speculative decoding, as a share of the most there could be.",
		func(t *vllmStats) *float64 { return &t.efficiency })
	p.counter("spec_decode_num_accepted_tokens", "Drafted tokens that were accepted.", func(t *vllmStats) *float64 { return &t.accepted })
	p.counter("spec_decode_num_draft_tokens", "Tokens drafted.", func(t *vllmStats) *float64 { return &t.drafted })
	p.counter("spec_decode_num_emitted_tokens", "Tokens emitted by speculative decoding.", func(t *vllmStats) *float64 { return &t.emitted })
}
