package dialect // import "github.com/otelcol-inference/otelcol-inference/internal/dialect"

import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// EngineSGLang is the value of llm.engine.name for SGLang.
const EngineSGLang = "sglang"

// sglang is the dialect of SGLang from 0.4 to 0.5.2x (python/sglang/srt/observability/metrics_collector.py).
func sglang() Table {
	rows := append(sglangRequests(), sglangTokens()...)
	rows = append(rows, sglangPools()...)
	rows = append(rows, sglangTiers()...)
	rows = append(rows, sglangTransfers()...)
	rows = append(rows, sglangWork()...)
	rows = append(rows, sglangIgnored()...)
	return Table{
		Engine:     EngineSGLang,
		Prefixes:   []string{"sglang:", "ray_sglang_"},
		Renamed:    []Renamed{{"ray_sglang_", "sglang:"}},
		RankLabel:  "dp_rank",
		ModelLabel: []string{"model_name"},
		// With --enable-metrics-for-all-schedulers every scheduler of a tensor-parallel group says the same.
		Replicas: []string{"pp_rank", "tp_rank", "moe_ep_rank"},
		Role: Role{
			Labels: []string{"engine_type"},
			Values: map[string]string{"unified": signal.RoleAggregated, "prefill": signal.RolePrefill, "decode": signal.RoleDecode},
		},
		About:  []About{sglangServer("/server_info", "sglang:page_size"), sglangServer("/get_server_info", "sglang:cache_config_info")},
		Inputs: sglangInputs(),
		Lacks:  sglangLacks(),
		Rows:   rows,
	}
}

// sglangServer is the page on which SGLang tells of itself, whose path changed about when a family of the metrics did.
func sglangServer(path, detail string) About {
	return About{
		Path: path, Detail: detail, Version: []string{"version"}, Role: []string{"disaggregation_mode"},
		Roles: map[string]string{"prefill": signal.RolePrefill, "decode": signal.RoleDecode},
		Facts: map[string][]string{signal.AttrTensorParallel: {"tp_size"}, signal.AttrPipelineParallel: {"pp_size"}},
	}
}

// total selects the sum over priorities, which is on the page beside its parts.
func total() Only { return Only{Label: "priority", Is: []string{""}} }

func sglangRequests() []Row {
	queue := func(q string) []Attribute { return []Attribute{{signal.AttrDisaggQueue, q}} }
	// Streaming requests apart from others is more than the vocabulary tells; the label is left out and the series are added up.
	return []Row{
		{Name: "sglang:time_to_first_token_seconds", Kind: Histogram, Metric: signal.TTFT},
		{Name: "sglang:inter_token_latency_seconds", Kind: Histogram, Metric: signal.ITL},
		{Name: "sglang:time_per_output_token_seconds", AliasOf: "sglang:inter_token_latency_seconds"},
		{Name: "sglang:request_time_per_output_token_seconds", Kind: Histogram, Metric: signal.TPOT},
		{Name: "sglang:e2e_request_latency_seconds", Kind: Histogram, Metric: signal.RequestTime},
		{Name: "sglang:queue_time_seconds", Kind: Histogram, Metric: signal.QueueTime},
		{
			Name: "sglang:per_stage_req_latency_seconds", Kind: Histogram, Metric: signal.RequestStageTime,
			Labels: []Label{{From: []string{"stage"}, To: signal.AttrStage}},
		},
		{Name: "sglang:num_running_reqs", Kind: Gauge, Metric: signal.Running, Only: total()},
		{Name: "sglang:num_queue_reqs", Kind: Gauge, Metric: signal.Waiting, Only: total()},
		{
			Name: "sglang:num_grammar_queue_reqs", Kind: Gauge, Metric: signal.Waiting, Only: total(),
			Fixed: []Attribute{{signal.AttrWaitReason, "grammar"}},
		},
		// Requests are counted by the tokenizer, in front of the ranks.
		{Name: "sglang:num_requests", Kind: Counter, Metric: signal.RequestCount},
		{
			Name: "sglang:num_aborted_requests", Kind: Counter, Metric: signal.RequestErrors,
			Fixed: []Attribute{{signal.AttrErrorType, signal.FinishAbort}},
		},
		{Name: "sglang:num_retracted_requests", Kind: Counter, Metric: signal.Preemptions},
		{Name: "sglang:num_prefill_bootstrap_queue_reqs", Kind: Gauge, Metric: signal.DisaggQueue, Fixed: queue(signal.QueuePrefillBootstrap)},
		{Name: "sglang:num_prefill_prealloc_queue_reqs", AliasOf: "sglang:num_prefill_bootstrap_queue_reqs"},
		{Name: "sglang:num_prefill_inflight_queue_reqs", Kind: Gauge, Metric: signal.DisaggQueue, Fixed: queue(signal.QueuePrefillInflight)},
		{Name: "sglang:num_decode_prealloc_queue_reqs", Kind: Gauge, Metric: signal.DisaggQueue, Fixed: queue(signal.QueueDecodePrealloc)},
		{Name: "sglang:num_decode_transfer_queue_reqs", Kind: Gauge, Metric: signal.DisaggQueue, Fixed: queue(signal.QueueDecodeTransfer)},
	}
}

func sglangTokens() []Row {
	source := func(s string) []Attribute { return []Attribute{{signal.AttrTokenSource, s}} }
	mode := func(values ...string) Only { return Only{Label: "mode", Is: values} }
	kind := func(t string) []Attribute { return []Attribute{{signal.AttrTokenType, t}} }
	const realtime = "sglang:realtime_tokens"
	// The scheduler's counters move while requests run; the tokenizer's, of whole requests, stand in where those are not yet. The
	// effective counters exist from the start of every release that has the others.
	better := []string{realtime + " decode", "sglang:prefill_effective_tokens"}
	return []Row{
		{
			Name: realtime, ID: realtime + " compute", Kind: Counter, Metric: signal.TokensPrompt, Only: mode("prefill_compute"),
			Fixed: source(signal.TokenSourceLocalCompute),
		},
		{
			Name: realtime, ID: realtime + " cache", Kind: Counter, Metric: signal.TokensPrompt, Only: mode("prefill_cache"),
			Fixed: source(signal.TokenSourceLocalHit),
		},
		// The first token of each request comes of prefill, which this leaves out; decode's front end tells when it came. In front of
		// several ranks it does not tell whose; a scheduler of each observes a request's wait once, also of one that it retracts.
		{
			Name: realtime, ID: realtime + " decode", Kind: Counter, Metric: signal.TokensGenerated, Only: mode("decode"),
			Plus: []string{"sglang:time_to_first_token_seconds", "sglang:queue_time_seconds"},
		},
		{Name: "sglang:prompt_tokens", Kind: Counter, Metric: signal.TokensPrompt, YieldsTo: better},
		{Name: "sglang:generation_tokens", Kind: Counter, Metric: signal.TokensGenerated, YieldsTo: better},
		{
			Name: "sglang:cached_tokens", Kind: Counter, Metric: signal.TokensCached, Only: Only{Label: "cache_source", Not: []string{"total"}},
			Labels: []Label{{From: []string{"cache_source"}, To: signal.AttrCacheTier, Values: map[string]string{
				"gpu": signal.TierDevice, "cpu": signal.TierHost, "storage_file": signal.TierDisk, "storage_*": signal.TierRemote,
			}}},
		},
		{
			Name: "sglang:cached_tokens", ID: "sglang:cached_tokens total", Kind: Counter, Metric: signal.TokensCached,
			Only: Only{Label: "cache_source", Is: []string{"total"}}, YieldsTo: []string{"sglang:cached_tokens"},
		},
		// Net of what retracted requests count again. "input" is what no cache had, so all modes together are what was looked up.
		{
			Name: "sglang:prefill_effective_tokens", Kind: Counter, Metric: signal.KVLookupTokens,
			Fixed: []Attribute{{signal.AttrCacheScope, signal.CacheScopeLocal}},
		},
		{
			Name: "sglang:prefill_effective_tokens", ID: "sglang:prefill_effective_tokens hit", Kind: Counter, Metric: signal.KVHitTokens,
			Only:  mode("device_hit", "host_hit", "storage_hit"),
			Fixed: []Attribute{{signal.AttrCacheScope, signal.CacheScopeLocal}},
		},
		{
			Name: "sglang:prefill_effective_tokens", ID: "sglang:prefill_effective_tokens tiers", Kind: Counter, Metric: signal.KVHitTierTokens,
			Only: mode("device_hit", "host_hit", "storage_hit"),
			Labels: []Label{{From: []string{"mode"}, To: signal.AttrCacheTier, Values: map[string]string{
				"device_hit": signal.TierDevice, "host_hit": signal.TierHost, "storage_hit": signal.TierRemote,
			}}},
		},
		{Name: "sglang:prompt_tokens_histogram", Kind: Histogram, Metric: signal.RequestTokens, Fixed: kind(signal.TokenTypeInput)},
		{Name: "sglang:generation_tokens_histogram", Kind: Histogram, Metric: signal.RequestTokens, Fixed: kind(signal.TokenTypeOutput)},
		{Name: "sglang:uncached_prompt_tokens_histogram", Kind: Histogram, Metric: signal.ComputedTokens},
		{Name: "sglang:spec_accept_length", Kind: Gauge, Metric: signal.SpecAcceptLength},
		{Name: "sglang:spec_verify_calls", Kind: Counter, Metric: signal.SpecDrafts},
	}
}

func sglangPools() []Row {
	state := func(s string) []Attribute { return []Attribute{{signal.AttrKVState, s}} }
	pool := func(p string) []Attribute { return []Attribute{{signal.AttrKVPool, p}} }
	use := func(u string) []Attribute { return []Attribute{{signal.AttrMemoryUse, u}} }
	gigabytes := Scale{Num: 1e9}
	return []Row{
		{Name: "sglang:token_usage", Kind: Gauge, Metric: signal.KVUtilization}, // of the fullest pool
		{Name: "sglang:full_token_usage", Kind: Gauge, Metric: signal.KVPoolUtilization, Fixed: pool(signal.PoolFull)},
		{Name: "sglang:swa_token_usage", Kind: Gauge, Metric: signal.KVPoolUtilization, Fixed: pool(signal.PoolSWA)},
		{Name: "sglang:mamba_usage", Kind: Gauge, Metric: signal.KVPoolUtilization, Fixed: pool(signal.PoolMamba)},
		{Name: "sglang:kv_used_tokens", Kind: Gauge, Metric: signal.KVBlocks, Blocks: ToBlocks, Fixed: state(signal.KVUsed)},
		{Name: "sglang:kv_available_tokens", Kind: Gauge, Metric: signal.KVBlocks, Blocks: ToBlocks, Fixed: state(signal.KVFree)},
		{Name: "sglang:kv_evictable_tokens", Kind: Gauge, Metric: signal.KVBlocks, Blocks: ToBlocks, Fixed: state(signal.KVEvictable)},
		{Name: "sglang:decode_sum_seq_lens", Kind: Gauge, Metric: signal.KVDecodeTokens},
		{Name: "sglang:max_total_num_tokens", Kind: Gauge, Metric: signal.KVCapacityTokens},
		{Name: "sglang:page_size", Kind: Gauge, Metric: signal.KVBlockSize},
		// Before 0.5.11 the pages were labels; afterwards they are gauges, and the capacity is told in tokens too.
		{
			Name: "sglang:cache_config_info", Kind: Info, YieldsTo: []string{"sglang:page_size"}, Facts: []Fact{
				{Metric: signal.KVBlockSize, AnyOf: [][]string{{"page_size"}}},
				{Metric: signal.KVCapacityTokens, AnyOf: [][]string{{"num_pages", "page_size"}}},
			},
		},
		{
			Name: "sglang:num_pages", Kind: Gauge, Metric: signal.KVCapacityTokens, Blocks: ToTokens,
			YieldsTo: []string{"sglang:max_total_num_tokens"},
		},
		{
			Name: "sglang:evicted_tokens", Kind: Counter, Metric: signal.KVEvictions, Blocks: ToBlocks,
			Fixed: []Attribute{{signal.AttrCacheTier, signal.TierDevice}},
		},
		{Name: "sglang:eviction_num_tokens", AliasOf: "sglang:evicted_tokens"},
		{Name: "sglang:eviction_duration_seconds", Kind: Histogram, Metric: signal.KVEvictionTime},
		{Name: "sglang:context_len", Kind: Gauge, Metric: signal.ContextLimit},
		{Name: "sglang:weight_memory_usage_gb", Kind: Gauge, Metric: signal.MemoryUsage, Scale: gigabytes, Fixed: use(signal.MemoryWeights)},
		{Name: "sglang:kv_cache_memory_usage_gb", Kind: Gauge, Metric: signal.MemoryUsage, Scale: gigabytes, Fixed: use(signal.MemoryKVPool)},
		{Name: "sglang:graph_memory_usage_gb", Kind: Gauge, Metric: signal.MemoryUsage, Scale: gigabytes, Fixed: use(signal.MemoryGraphs)},
		{Name: "sglang:lora_pool_slots", Kind: Gauge, Metric: signal.LoRAAdapterLimit},
	}
}
