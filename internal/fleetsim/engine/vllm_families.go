package engine

// scheduler adds what the scheduler is at.
func (p *vllmPage) scheduler() {
	s := p.sheet
	p.gauge("num_requests_running", "Number of requests in model execution batches.", func(t *vllmStats) *float64 { return &t.running })
	p.gauge("num_requests_waiting", "Number of requests waiting to be processed.", func(t *vllmStats) *float64 { return &t.waiting })
	if p.from(0, 19) && !p.earlyRust() {
		s.gauge("vllm:num_requests_waiting_by_reason",
			"Number of waiting requests by reason. Reason labels: 'capacity' = waiting for scheduling capacity; "+
				"'deferred' = deferred by transient constraints (LoRA budget, KV transfer, blocked status). "+
				"Sum of all reasons equals vllm:num_requests_waiting.",
			append(p.set(func(t *vllmStats) *float64 { return &t.capacity }, label{"reason", "capacity"}),
				p.set(func(t *vllmStats) *float64 { return &t.deferred }, label{"reason", "deferred"})...)...)
	}
	if p.from(0, 12) && !p.earlyRust() {
		awake := func(*vllmStats) *float64 { one := 1.0; return &one }
		points := p.each(awake, label{"sleep_state", "awake"})
		points = append(points, p.each(nothing, label{"sleep_state", "weights_offloaded"})...)
		points = append(points, p.each(nothing, label{"sleep_state", "discard_all"})...)
		s.gauge("vllm:engine_sleep_state",
			"Engine sleep state; awake = 0 means engine is sleeping; awake = 1 means engine is awake; "+
				"weights_offloaded = 1 means sleep level 1; discard_all = 1 means sleep level 2.", points...)
	}
	if !p.from(0, 11) { // deprecated in 0.9, hidden since
		p.ratio("gpu_cache_usage_perc", "KV-cache usage of the GPU. 1 means 100 percent usage.", func(t *vllmStats) *float64 { return &t.usage })
	}
	p.ratio("kv_cache_usage_perc", "KV-cache usage. 1 means 100 percent usage.", func(t *vllmStats) *float64 { return &t.usage })
}

// prefixCache adds the lookups.
func (p *vllmPage) prefixCache() {
	queries := func(t *vllmStats) *float64 { return &t.prefixQueries }
	hits := func(t *vllmStats) *float64 { return &t.prefixHits }
	if !p.from(0, 11) {
		p.counter("gpu_prefix_cache_queries", "Prefix cache queries of the GPU, in terms of number of queried tokens.", queries)
		p.counter("gpu_prefix_cache_hits", "Prefix cache hits of the GPU, in terms of number of cached tokens.", hits)
	}
	p.counter("prefix_cache_queries", "Prefix cache queries, in terms of number of queried tokens.", queries)
	p.counter("prefix_cache_hits", "Prefix cache hits, in terms of number of cached tokens.", hits)
	if !p.from(0, 12) {
		return
	}
	p.counter("external_prefix_cache_queries",
		"External prefix cache queries from KV connector cross-instance cache sharing, in terms of number of queried tokens.",
		func(t *vllmStats) *float64 { return &t.remoteQueries })
	p.counter("external_prefix_cache_hits",
		"External prefix cache hits from KV connector cross-instance cache sharing, in terms of number of cached tokens.",
		func(t *vllmStats) *float64 { return &t.remoteHits })
	p.counter("mm_cache_queries", "Multi-modal cache queries, in terms of number of queried items.", nothing)
	p.counter("mm_cache_hits", "Multi-modal cache hits, in terms of number of cached items.", nothing)
}

// tokens adds the token counters.
func (p *vllmPage) tokens() {
	p.counter("num_preemptions", "Cumulative number of preemption from the engine.", func(t *vllmStats) *float64 { return &t.preemptions })
	p.counter("prompt_tokens", "Number of prefill tokens processed.", func(t *vllmStats) *float64 { return &t.promptTokens })
	if p.from(0, 16) {
		points := p.each(func(t *vllmStats) *float64 { return &t.computed }, label{"source", "local_compute"})
		points = append(points, p.each(func(t *vllmStats) *float64 { return &t.localCached }, label{"source", "local_cache_hit"})...)
		points = append(points, p.each(func(t *vllmStats) *float64 { return &t.fetched }, label{"source", "external_kv_transfer"})...)
		p.sheet.counter("vllm:prompt_tokens_by_source", "Number of prompt tokens by source.", points...)
		p.counter("prompt_tokens_cached", "Number of cached prompt tokens (local + external).", func(t *vllmStats) *float64 { return &t.cached })
	}
	if p.from(0, 32) {
		points := p.each(func(t *vllmStats) *float64 { return &t.prefixHits }, label{"source", "device"})
		points = append(points, p.each(nothing, label{"source", "host"})...)
		points = append(points, p.each(func(t *vllmStats) *float64 { return &t.remoteHits }, label{"source", "p2p"})...)
		points = append(points, p.each(nothing, label{"source", "disk"})...)
		points = append(points, p.each(nothing, label{"source", "external_unspecified"})...)
		p.sheet.counter("vllm:prompt_tokens_cached_by_source",
			"Prefix-cache hit tokens by the cache tier that supplied them: device (local HBM), host (offloaded to DRAM), disk, p2p "+
				"(transferred from another vLLM instance) or external_unspecified. Counted at admission; sums to "+
				"vllm:prefix_cache_hits + vllm:external_prefix_cache_hits.", points...)
	}
	p.counter("generation_tokens", "Number of generation tokens processed.", func(t *vllmStats) *float64 { return &t.generationTokens })
}

// requests adds the request counters.
func (p *vllmPage) requests() {
	reason := "finished_reason"
	if p.earlyRust() {
		reason = "finish_reason"
	}
	points := p.each(func(t *vllmStats) *float64 { return &t.stopped }, label{reason, "stop"})
	points = append(points, p.each(func(t *vllmStats) *float64 { return &t.lengthLimited }, label{reason, "length"})...)
	others := []string{"abort", "error", "repetition"}
	switch {
	case !p.from(0, 12):
		others = others[:1]
	case !p.from(0, 24):
		others = others[:2]
	}
	for _, other := range others {
		points = append(points, p.each(nothing, label{reason, other})...)
	}
	p.sheet.counter("vllm:request_success", "Count of successfully processed requests.", points...)
	if !p.from(0, 32) {
		return
	}
	// The admission control sits before the engines: no engine label.
	p.sheet.counter("vllm:admission_rejections", "Number of admission attempts rejected by a queue limit, by reason.",
		point{labels: []label{{"reason", "max_num_queued_reqs"}, {"model_name", p.facts.ServedModel}}, at: new(float64)},
		point{labels: []label{{"reason", "max_num_queued_tokens"}, {"model_name", p.facts.ServedModel}}, at: new(float64)})
}

// lengths adds the histograms of counts.
func (p *vllmPage) lengths() {
	p.histogram("request_prompt_tokens", "Number of prefill tokens processed.", func(t *vllmStats) *histogram { return &t.promptLength })
	p.histogram("request_generation_tokens", "Number of generation tokens processed.", func(t *vllmStats) *histogram { return &t.outputLength })
	if !p.earlyRust() {
		p.histogram("iteration_tokens_total", "Histogram of number of tokens per engine_step.", func(t *vllmStats) *histogram { return &t.iterationTokens })
	}
	p.histogram("request_max_num_generation_tokens", "Histogram of maximum number of requested generation tokens.", func(t *vllmStats) *histogram { return &t.longestOutput })
	p.histogram("request_params_n", "Histogram of the n request parameter.", func(t *vllmStats) *histogram { return &t.choices })
	p.histogram("request_params_max_tokens", "Histogram of the max_tokens request parameter.", func(t *vllmStats) *histogram { return &t.maxTokens })
}

// latencies adds the histograms of times, and what is registered behind them.
func (p *vllmPage) latencies() {
	p.histogram("time_to_first_token_seconds", "Histogram of time to first token in seconds.", func(t *vllmStats) *histogram { return &t.ttft })
	if !p.from(0, 12) { // the name of before, deprecated in 0.11
		p.histogram("time_per_output_token_seconds", "Seconds between output tokens.", func(t *vllmStats) *histogram { return &t.itl })
	}
	if p.from(0, 11) {
		p.histogram("inter_token_latency_seconds", "Histogram of inter-token latency in seconds.", func(t *vllmStats) *histogram { return &t.itl })
		p.histogram("request_time_per_output_token_seconds", "Histogram of time_per_output_token_seconds per request.", func(t *vllmStats) *histogram { return &t.tpot })
	}
	p.histogram("e2e_request_latency_seconds", "Histogram of e2e request latency in seconds.", func(t *vllmStats) *histogram { return &t.e2e })
	p.histogram("request_queue_time_seconds", "Histogram of time spent in WAITING phase for request.", func(t *vllmStats) *histogram { return &t.queue })
	p.histogram("request_inference_time_seconds", "Histogram of time spent in RUNNING phase for request.", func(t *vllmStats) *histogram { return &t.inference })
	p.histogram("request_prefill_time_seconds", "Histogram of time spent in PREFILL phase for request.", func(t *vllmStats) *histogram { return &t.prefill })
	p.histogram("request_decode_time_seconds", "Histogram of time spent in DECODE phase for request.", func(t *vllmStats) *histogram { return &t.decode })
	if p.from(0, 30) {
		p.histogram("request_num_preemptions", "Histogram of the number of times a request was preempted.", func(t *vllmStats) *histogram { return &t.requestPreemptions })
	}
	if p.from(0, 14) {
		p.histogram("request_prefill_kv_computed_tokens", "Histogram of new KV tokens computed during prefill (excluding cached tokens).", func(t *vllmStats) *histogram { return &t.kvComputed })
	}
}
