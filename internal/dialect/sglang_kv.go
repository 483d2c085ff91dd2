package dialect // import "github.com/otelcol-inference/otelcol-inference/internal/dialect"

import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// sglangTiers maps the hierarchical cache: host memory below the GPU, storage below that.
func sglangTiers() []Row {
	direction := func(d string) []Attribute { return []Attribute{{signal.AttrIODirection, d}} }
	host := []Attribute{{signal.AttrCacheTier, signal.TierHost}}
	return []Row{
		{Name: "sglang:hicache_host_used_tokens", Kind: Gauge, Metric: signal.KVTierUsed, Fixed: host},
		{Name: "sglang:hicache_host_total_tokens", Kind: Gauge, Metric: signal.KVTierCapacity, Fixed: host},
		{Name: "sglang:load_back_bytes", Kind: Counter, Metric: signal.KVTierIO, Fixed: direction(signal.IOLoad)},
		{Name: "sglang:hicache_backup_bytes", Kind: Counter, Metric: signal.KVTierIO, Fixed: direction(signal.IOStore)},
		{
			Name: "sglang:load_back_duration_seconds", Kind: Histogram, SumOnly: true, Metric: signal.KVTierIOTime,
			Fixed: direction(signal.IOLoad),
		},
		{
			Name: "sglang:hicache_backup_duration_seconds", Kind: Histogram, SumOnly: true, Metric: signal.KVTierIOTime,
			Fixed: direction(signal.IOStore),
		},
		{
			Name: "sglang:hicache_dropped_tokens", Kind: Counter, Metric: signal.KVTierDropped,
			Labels: []Label{{From: []string{"reason"}, To: signal.AttrReason}},
		},
	}
}

// sglangTransfers maps what prefill workers say of the KV that they send. Up to 0.5.10 these families are gauges of the last
// transfer, which say nothing of those between two scrapes.
func sglangTransfers() []Row {
	engine := []Attribute{{signal.AttrKVBackend, signal.KVBackendEngine}}
	waits := func(w string) []Attribute {
		return []Attribute{{signal.AttrKVBackend, signal.KVBackendEngine}, {signal.AttrKVWait, w}}
	}
	failed := func(what string) []Attribute {
		return []Attribute{{signal.AttrKVBackend, signal.KVBackendEngine}, {signal.AttrFailure, what}}
	}
	milliseconds := Scale{Den: 1000}
	rows := []Row{
		{Name: "sglang:kv_transfer_latency_ms", Kind: Histogram, Metric: signal.KVTransferTime, Scale: milliseconds, Fixed: engine},
		// Taken as 10^6 bytes; whether the engine means 2^20 is not settled.
		{Name: "sglang:kv_transfer_total_mb", Kind: Histogram, Metric: signal.KVTransferSize, Scale: Scale{Num: 1e6}, Fixed: engine},
		{Name: "sglang:kv_transfer_speed_gb_s", Kind: Histogram, Metric: signal.KVTransferThroughput, Scale: Scale{Num: 1e9}, Fixed: engine},
		{Name: "sglang:kv_transfer_bootstrap_ms", Kind: Histogram, Metric: signal.KVTransferWait, Scale: milliseconds, Fixed: waits(signal.WaitBootstrap)},
		{Name: "sglang:kv_transfer_alloc_ms", Kind: Histogram, Metric: signal.KVTransferWait, Scale: milliseconds, Fixed: waits(signal.WaitAlloc)},
		{Name: "sglang:num_transfer_failed_reqs", Kind: Counter, Metric: signal.KVTransferFailures, Fixed: failed(signal.FailureTransfer)},
		{Name: "sglang:num_bootstrap_failed_reqs", Kind: Counter, Metric: signal.KVTransferFailures, Fixed: failed(signal.FailureBootstrap)},
	}
	for _, row := range rows {
		if row.Kind == Histogram {
			rows = append(rows, Row{
				Name: row.Name, ID: row.Name + " last", Kind: Gauge, Ignored: "a gauge of the last transfer only, in releases before 0.5.11",
			})
		}
	}
	return rows
}

// sglangWork maps forward passes. SGLang is the only engine that measures them by what they did.
func sglangWork() []Row {
	direction := func(d string) []Attribute { return []Attribute{{signal.AttrIODirection, d}} }
	const seconds, passes = "sglang:forward_execution_seconds", "sglang:cuda_graph_passes"
	return []Row{
		{
			Name: seconds, Kind: Counter, Metric: signal.PhaseBusyTime, Only: Only{Label: "category", Is: []string{"extend", "decode", "mixed"}},
			Labels: []Label{{From: []string{"category"}, To: signal.AttrPhase, Values: map[string]string{"extend": signal.PhasePrefill}}},
		},
		{
			Name: passes, Kind: Counter, Metric: signal.Iterations,
			Labels: []Label{{From: []string{"mode"}, To: signal.AttrPhase, Values: map[string]string{
				"decode_*": signal.PhaseDecode, "prefill_*": signal.PhasePrefill,
			}}},
		},
		{Name: "sglang:estimated_flops_per_gpu", Kind: Counter, Metric: signal.FLOPs},
		{Name: "sglang:estimated_read_bytes_per_gpu", Kind: Counter, Metric: signal.MemoryIO, Fixed: direction(signal.IORead)},
		{Name: "sglang:estimated_write_bytes_per_gpu", Kind: Counter, Metric: signal.MemoryIO, Fixed: direction(signal.IOWrite)},
	}
}

func sglangIgnored() []Row {
	const (
		stale    = "a figure of the last log interval, which stays when the engine idles; the counters give it over any interval"
		ratio    = "a ratio over an interval of the engine's choice; the counters give it over any"
		parts    = "the same in tokens or operations as families that are mapped in bytes or blocks"
		internal = "an inner figure of the scheduler, of no meaning outside"
		startup  = "of the start or of renewed weights: it does not change while the engine serves"
		http     = "the HTTP server's own metrics, by endpoint: not what the engine did"
		storage  = "of the storage tier's own operations, whose names and units still change between releases"
		cpu      = "CPU time of the server's processes: not what the engine did"
		balance  = "how even the ranks of a step are, told by one of them; the load of each rank is its own"
		dp       = "the same work again by the number of ranks in prefill: one point per number would be added up wrongly"
	)
	var rows []Row
	ignore := func(reason string, names ...string) {
		for _, name := range names {
			rows = append(rows, Row{Name: "sglang:" + name, Ignored: reason})
		}
	}
	ignore(stale, "gen_throughput", "cache_hit_rate", "num_retracted_reqs", "num_paused_reqs", "is_cuda_graph", "fwd_occupancy", "utilization")
	ignore(ratio, "spec_accept_rate", "lora_pool_utilization", "pending_prealloc_token_usage",
		"prealloc_full_token_usage", "prealloc_swa_token_usage")
	ignore(parts, "num_used_tokens", "swa_available_tokens", "swa_evictable_tokens", "swa_used_tokens", "mamba_available_tokens",
		"mamba_evictable_tokens", "mamba_used_tokens", "load_back_tokens", "hicache_backup_tokens", "max_total_num_tokens_swa",
		"num_retracted_input_tokens", "num_retracted_output_tokens", "lora_pool_slots_used")
	ignore(internal, "new_token_ratio", "spec_num_steps", "spec_num_draft_tokens", "spec_cap_length", "spec_block_accept_length",
		"prefill_delayer_*", "max_running_requests_under_SLO", "func_latency_seconds", "get_loads_duration_seconds",
		"eplb_balancedness", "routing_key_*", "num_unique_running_routing_keys", "num_prefill_retries", "num_so_requests",
		"num_grammar", "num_grammar_*", "grammar_*", "num_streaming_sessions", "streaming_session_held_tokens", "routing_keys_active",
		"scheduler_stage_seconds", "scheduler_idle_seconds", "num_decode_host_receive_queue_reqs", "num_decode_deferred_kv_release_reqs")
	ignore(cpu, "process_cpu_seconds", "scheduler_process_cpu_seconds")
	ignore(startup, "weight_load_duration_seconds", "startup_*")
	ignore(http, "http_*")
	ignore(storage, "hicache_prefetch_*", "hicache_backup_dropped_tokens", "prefetched_tokens", "backuped_tokens", "prefetch_bandwidth",
		"backup_bandwidth", "prefetch_pgs", "backup_pgs", "encoder_*")
	ignore(dp, "dp_cooperation_*")
	ignore(balance, "dp_attention_*")
	return rows
}
