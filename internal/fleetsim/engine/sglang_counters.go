package engine

// execution adds the counters of work done.
func (p *sglangPage) execution() {
	evicted := "evicted_tokens"
	if !p.modern() {
		evicted = "eviction_num_tokens"
	}
	if p.from(0, 5) {
		p.counter("num_retracted_requests", "Requests retracted.", func(s *sglangStats) *float64 { return &s.retractions })
		p.counter(evicted, "Tokens evicted from the device.", func(s *sglangStats) *float64 { return &s.evicted })
	}
	if !p.modern() {
		return
	}
	p.byLabel("realtime_tokens", "Tokens processed, as of the last log.", "mode", []string{"prefill_compute", "prefill_cache", "decode"},
		func(s *sglangStats) []*float64 { return []*float64{&s.realCompute, &s.realCache, &s.realDecode} })
	// The one counter whose series exist from the start.
	points := p.each(func(s *sglangStats) *float64 { return &s.input }, label{"mode", "input"})
	points = append(points, p.each(func(s *sglangStats) *float64 { return &s.deviceHit }, label{"mode", "device_hit"})...)
	points = append(points, p.each(still(0), label{"mode", "host_hit"})...)
	points = append(points, p.each(still(0), label{"mode", "storage_hit"})...)
	p.sheet.counter("sglang:prefill_effective_tokens", "Prompt tokens without those of retracted requests, as of the last log.", points...)
	p.byLabel("forward_execution_seconds", "Seconds the GPU spent in forward passes.", "category", []string{"extend", "decode", "mixed"},
		func(s *sglangStats) []*float64 { return []*float64{&s.extend, &s.decode, &s.mixed} })
	p.byLabel("cuda_graph_passes", "Forward passes by use of CUDA graphs.", "mode", []string{"decode_cuda_graph", "prefill_none"},
		func(s *sglangStats) []*float64 { return []*float64{&s.decodeGraph, &s.prefillPlain} })
	p.counter("estimated_flops_per_gpu", "Floating point operations per GPU, estimated.", func(s *sglangStats) *float64 { return &s.flops })
	p.counter("estimated_read_bytes_per_gpu", "Bytes read from memory per GPU, estimated.", func(s *sglangStats) *float64 { return &s.readBytes })
	p.counter("estimated_write_bytes_per_gpu", "Bytes written to memory per GPU, estimated.", func(s *sglangStats) *float64 { return &s.writtenBytes })
}

// byLabel adds a counter with a series for each value of a label.
func (p *sglangPage) byLabel(name, help, key string, values []string, of func(*sglangStats) []*float64) {
	var points []point
	for i, v := range values {
		points = append(points, p.each(func(s *sglangStats) *float64 { return of(s)[i] }, label{key, v})...)
	}
	p.sheet.counter("sglang:"+name, help, lazy(points)...)
}

// scheduling adds the scheduler's histograms.
func (p *sglangPage) scheduling() {
	if !p.from(0, 5) {
		return
	}
	p.histogram("queue_time_seconds", "Seconds in the queue.", func(s *sglangStats) *histogram { return &s.queue })
	var spreads []spread
	for i, stage := range stageNames() {
		for _, c := range p.cores {
			spreads = append(spreads, spread{labels: p.ofScheduler(c, label{"stage", stage}), of: &c.stats.stages[i], lazy: true})
		}
	}
	p.sheet.histogram("sglang:per_stage_req_latency_seconds", "Seconds of a request's stages.", spreads...)
}

// tokenizer adds what the tokenizer process counts.
func (p *sglangPage) tokenizer() {
	c := p.cores[0]
	s := c.front
	streaming := []label{}
	source := []label{}
	if p.modern() {
		streaming, source = []label{{"is_streaming", "true"}}, []label{{"cache_source", "device"}}
	}
	count := func(name, help string, at *float64, extra ...label) {
		p.sheet.counter("sglang:"+name, help, point{labels: p.ofTokenizer(c, extra...), at: at, lazy: true})
	}
	spreadOf := func(name, help string, of *histogram, extra ...label) {
		p.sheet.histogram("sglang:"+name, help, spread{labels: p.ofTokenizer(c, extra...), of: of, lazy: true})
	}
	count("prompt_tokens", "Prompt tokens of finished requests.", &s.prompts, streaming...)
	count("generation_tokens", "Generated tokens of finished requests.", &s.generated, streaming...)
	count("cached_tokens", "Cached prompt tokens of finished requests.", &s.cached, source...)
	count("num_requests", "Requests finished.", &s.requests, streaming...)
	count("num_aborted_requests", "Requests aborted.", &s.aborted)
	if p.from(0, 5) {
		spreadOf("prompt_tokens_histogram", "Prompt lengths.", &s.promptLength)
		spreadOf("generation_tokens_histogram", "Answer lengths.", &s.outputLength)
	}
	if p.modern() {
		spreadOf("uncached_prompt_tokens_histogram", "Prompt lengths without what was cached.", &s.uncachedLength)
	}
	spreadOf("time_to_first_token_seconds", "Seconds to the first token.", &s.ttft, streaming...)
	if !p.from(0, 5) {
		spreadOf("time_per_output_token_seconds", "Seconds per output token.", &s.itl)
	}
	spreadOf("inter_token_latency_seconds", "Seconds between tokens.", &s.itl)
	spreadOf("e2e_request_latency_seconds", "Seconds of a request from end to end.", &s.e2e, streaming...)
	p.sheet.histogram("sglang:func_latency_seconds", "Seconds of a function.",
		spread{labels: []label{{"name", "generate_request"}}, of: &s.function, lazy: true})
}
