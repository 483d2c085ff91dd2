package dialect // import "github.com/otelcol-inference/otelcol-inference/internal/dialect"

import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// EngineTensorRT is the value of llm.engine.name for TensorRT-LLM.
const EngineTensorRT = "tensorrt_llm"

// tensorRT is the dialect of trtllm-serve's Prometheus page, from 1.0 to 1.4 (tensorrt_llm/metrics/collector.py), and of what
// Dynamo's worker adds. Request families need return_perf_metrics, iteration families enable_iter_perf_stats.
func tensorRT() Table {
	rows := append(tensorRTRequests(), tensorRTCache()...)
	rows = append(rows, tensorRTIterations()...)
	rows = append(rows, tensorRTTransfers()...)
	rows = append(rows, tensorRTIgnored()...)
	return Table{
		Engine:     EngineTensorRT,
		Prefixes:   []string{"trtllm_", "trtllm:"},
		Renamed:    []Renamed{{"trtllm:", "trtllm_"}}, // in Dynamo 0.7
		ModelLabel: []string{"model_name"},
		About:      []About{{Path: "/version", Version: []string{"version"}}},
		Inputs:     tensorRTInputs(),
		Lacks:      tensorRTLacks(),
		Rows:       rows,
	}
}

func tensorRTRequests() []Row {
	phase := func(p string) []Attribute { return []Attribute{{signal.AttrPhase, p}} }
	spec := func(kind string) []Attribute { return []Attribute{{signal.AttrSpec, kind}} }
	return []Row{
		{Name: "trtllm_time_to_first_token_seconds", Kind: Histogram, Metric: signal.TTFT},
		{Name: "trtllm_time_per_output_token_seconds", Kind: Histogram, Metric: signal.TPOT},
		{Name: "trtllm_e2e_request_latency_seconds", Kind: Histogram, Metric: signal.RequestTime},
		{Name: "trtllm_request_queue_time_seconds", Kind: Histogram, Metric: signal.QueueTime},
		{Name: "trtllm_request_prefill_time_seconds", Kind: Histogram, Metric: signal.PhaseTime, Fixed: phase(signal.PhasePrefill)},
		{Name: "trtllm_request_decode_time_seconds", Kind: Histogram, Metric: signal.PhaseTime, Fixed: phase(signal.PhaseDecode)},
		{Name: "trtllm_request_inference_time_seconds", Kind: Histogram, Metric: signal.PhaseTime, Fixed: phase(signal.PhaseInference)},
		{
			Name: "trtllm_request_success", Kind: Counter, Metric: signal.RequestCount,
			Labels: []Label{{From: []string{"finished_reason"}, To: signal.AttrFinishReason}},
		},
		{
			Name: "trtllm_request_error", Kind: Counter, Metric: signal.RequestErrors,
			Labels: []Label{{From: []string{"http_code"}, To: signal.AttrErrorType}},
		},
		{
			Name: "trtllm_num_aborted_requests", Kind: Counter, Metric: signal.RequestErrors,
			Fixed: []Attribute{{signal.AttrErrorType, signal.FinishAbort}},
		},
		{Name: "trtllm_prompt_tokens", Kind: Counter, Metric: signal.TokensPrompt},
		{Name: "trtllm_generation_tokens", Kind: Counter, Metric: signal.TokensGenerated},
		{
			Name: "trtllm_prompt_cached_tokens", Kind: Counter, Metric: signal.TokensCached,
			YieldsTo: []string{"trtllm_prompt_cache_hit_tokens"},
		},
		{
			Name: "trtllm_prompt_cache_hit_tokens", Kind: Counter, Metric: signal.TokensCached,
			Labels: []Label{{From: []string{"cache_tier"}, To: signal.AttrCacheTier, Values: map[string]string{"gpu": signal.TierDevice, "cpu": signal.TierHost}}},
		},
		{Name: "trtllm_prompt_cached_tokens_per_request", Kind: Histogram, Metric: signal.RequestCachedTokens},
		{Name: "trtllm_spec_decode_num_draft_tokens", Kind: Counter, Metric: signal.SpecTokens, Fixed: spec(signal.SpecDrafted)},
		{Name: "trtllm_spec_decode_num_accepted_tokens", Kind: Counter, Metric: signal.SpecTokens, Fixed: spec(signal.SpecAccepted)},
		{
			Name: "trtllm_spec_decode_accepted_tokens", Kind: Counter, Metric: signal.SpecAcceptedTokens,
			Labels: []Label{{From: []string{"token_position"}, To: signal.AttrSpecPosition}},
		},
		{Name: "trtllm_spec_decode_acceptance_length", Kind: Gauge, Metric: signal.SpecAcceptLength},
	}
}

// tensorRTCache maps the KV cache. The counters of kv_cache_iter_* say more than the older ones of the same blocks.
func tensorRTCache() []Row {
	state := func(s string) []Attribute { return []Attribute{{signal.AttrKVState, s}} }
	result := func(r string) []Attribute { return []Attribute{{signal.AttrCacheResult, r}} }
	direction := func(d string) []Attribute { return []Attribute{{signal.AttrIODirection, d}} }
	local := []Attribute{{signal.AttrCacheScope, signal.CacheScopeLocal}}
	return []Row{
		{Name: "trtllm_kv_cache_utilization", Kind: Gauge, Metric: signal.KVUtilization},
		{
			Name: "trtllm_kv_cache_host_utilization", Kind: Gauge, Metric: signal.KVTierUtilization,
			Fixed: []Attribute{{signal.AttrCacheTier, signal.TierHost}},
		},
		{Name: "trtllm_kv_cache_max_blocks", Kind: Gauge, Metric: signal.KVCapacityTokens, Blocks: ToTokens},
		{Name: "trtllm_kv_cache_tokens_per_block", Kind: Gauge, Metric: signal.KVBlockSize},
		{Name: "trtllm_kv_cache_used_blocks", Kind: Gauge, Metric: signal.KVBlocks, Fixed: state(signal.KVUsed)},
		{Name: "trtllm_kv_cache_free_blocks", Kind: Gauge, Metric: signal.KVBlocks, Fixed: state(signal.KVFree)},
		{Name: "trtllm_kv_cache_reused_blocks", Kind: Counter, Metric: signal.KVHitTokens, Blocks: ToTokens, Fixed: local},
		{
			Name: "trtllm_kv_cache_iter_full_reused_blocks", Kind: Counter, Metric: signal.KVReuse, Fixed: result(signal.CacheFull),
		},
		{
			Name: "trtllm_kv_cache_iter_partial_reused_blocks", Kind: Counter, Metric: signal.KVReuse, Fixed: result(signal.CachePartial),
		},
		{Name: "trtllm_kv_cache_iter_missed_blocks", Kind: Counter, Metric: signal.KVReuse, Fixed: result(signal.CacheMiss)},
		// Those of an earlier release: a hit is not known to be whole there, so it has no place beside the newer ones.
		{
			Name: "trtllm_kv_cache_missed_blocks", Kind: Counter, Metric: signal.KVReuse, Fixed: result(signal.CacheMiss),
			YieldsTo: []string{"trtllm_kv_cache_iter_missed_blocks"},
		},
		{Name: "trtllm_kv_cache_onboard_bytes", Kind: Counter, Metric: signal.KVTierIO, Fixed: direction(signal.IOLoad)},
		{Name: "trtllm_kv_cache_offload_bytes", Kind: Counter, Metric: signal.KVTierIO, Fixed: direction(signal.IOStore)},
		{
			Name: "trtllm_kv_cache_disk_prefetch_blocks", Kind: Counter, Metric: signal.KVTierMoves,
			Fixed: []Attribute{{signal.AttrIODirection, signal.IOLoad}, {signal.AttrCacheTierFrom, signal.TierDisk}, {signal.AttrCacheTier, signal.TierHost}},
		},
		{Name: "trtllm_kv_cache_intra_device_copy_bytes", Kind: Counter, Metric: signal.KVCopies},
		{
			Name: "trtllm_kv_cache_config_info", Kind: Info, Facts: []Fact{
				{Attribute: signal.AttrPrefixCaching, As: Bool, AnyOf: [][]string{{"enable_block_reuse"}}},
				{Attribute: signal.AttrCacheDataType, As: Text, AnyOf: [][]string{{"cache_dtype"}, {"dtype"}}},
			},
		},
	}
}

func tensorRTIterations() []Row {
	phase := func(p string) []Attribute { return []Attribute{{signal.AttrPhase, p}} }
	use := func(u string) []Attribute { return []Attribute{{signal.AttrMemoryUse, u}} }
	return []Row{
		{Name: "trtllm_num_requests_running", Kind: Gauge, Metric: signal.Running},
		{Name: "trtllm_num_requests_waiting", Kind: Gauge, Metric: signal.Waiting},
		{Name: "trtllm_max_num_active_requests", Kind: Gauge, Metric: signal.RunningLimit},
		{Name: "trtllm_num_context_requests", Kind: Gauge, Metric: signal.Scheduled, Fixed: phase(signal.PhasePrefill)},
		{Name: "trtllm_num_generation_requests", Kind: Gauge, Metric: signal.Scheduled, Fixed: phase(signal.PhaseDecode)},
		{Name: "trtllm_iteration_latency_seconds", Kind: Gauge, Metric: signal.IterationTime},
		{Name: "trtllm_prefill_batch_tokens", Kind: Histogram, Metric: signal.IterationPrefill},
		{Name: "trtllm_gpu_memory_usage_bytes", Kind: Gauge, Metric: signal.MemoryUsage, Fixed: use(signal.MemoryGPU)},
		{Name: "trtllm_cpu_memory_usage_bytes", Kind: Gauge, Metric: signal.MemoryUsage, Fixed: use(signal.MemoryHost)},
		{Name: "trtllm_pinned_memory_usage_bytes", Kind: Gauge, Metric: signal.MemoryUsage, Fixed: use(signal.MemoryPinned)},
		{
			Name: "trtllm_model_config_info", Kind: Info, Facts: []Fact{
				{Attribute: signal.AttrDataType, As: Text, AnyOf: [][]string{{"dtype"}}},
				{Attribute: signal.AttrQuantization, As: Text, AnyOf: [][]string{{"quantization"}}},
			},
		},
		{
			Name: "trtllm_parallel_config_info", Kind: Info, Facts: []Fact{
				{Attribute: signal.AttrTensorParallel, AnyOf: [][]string{{"tp_size"}}},
				{Attribute: signal.AttrPipelineParallel, AnyOf: [][]string{{"pp_size"}}},
			},
		},
	}
}

// tensorRTTransfers maps what Dynamo's worker adds for disaggregated serving.
func tensorRTTransfers() []Row {
	engine := []Attribute{{signal.AttrKVBackend, signal.KVBackendEngine}}
	return []Row{
		{Name: "trtllm_kv_transfer_latency_seconds", Kind: Histogram, Metric: signal.KVTransferTime, Fixed: engine},
		{Name: "trtllm_kv_transfer_bytes", Kind: Histogram, Metric: signal.KVTransferSize, Fixed: engine},
		{Name: "trtllm_kv_transfer_speed_gb_s", Kind: Histogram, Metric: signal.KVTransferThroughput, Scale: Scale{Num: 1e9}, Fixed: engine},
		{Name: "trtllm_kv_transfer_success", Kind: Counter, Metric: signal.KVTransferCount, Fixed: engine},
	}
}

func tensorRTIgnored() []Row {
	const (
		ratio   = "a ratio over an interval of the engine's choice; the counters give it over any"
		limit   = "a limit that does not change while the engine serves, and is no limit of requests that run"
		doubled = "the sum of families that are mapped"
		quality = "of the text, not of the serving"
		sample  = "of the last iteration only, and without meaning apart from that one"
	)
	var rows []Row
	ignore := func(reason string, names ...string) {
		for _, name := range names {
			rows = append(rows, Row{Name: "trtllm_" + name, Ignored: reason})
		}
	}
	ignore(ratio, "kv_cache_hit_rate", "kv_cache_iter_reuse_rate", "spec_decode_draft_overhead")
	ignore(limit, "max_batch_size_static", "max_batch_size_runtime", "max_num_tokens_runtime", "speculative_config_info")
	ignore(doubled, "kv_cache_iter_reused_blocks", "num_requests_completed", "num_scheduled_requests", "spec_decode_drafted_tokens")
	ignore(quality, "prefill_perplexity", "generation_perplexity")
	ignore(sample, "total_context_tokens", "avg_decoded_tokens_per_iter", "prefill_batch_occupancy", "num_paused_requests",
		"scheduled_batch_size", "kv_cache_gen_alloc_blocks", "kv_cache_iter_gen_alloc_blocks")
	return rows
}
