package dialect // import "github.com/otelcol-inference/otelcol-inference/internal/dialect"

import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// vllmCache maps what vLLM says of its KV cache: use, configuration, prefix cache, block residency and offload tiers.
func vllmCache() []Row {
	scope := func(s string) []Attribute { return []Attribute{{signal.AttrCacheScope, s}} }
	return append([]Row{
		{Name: "vllm:kv_cache_usage_perc", Kind: Gauge, Metric: signal.KVUtilization},
		{Name: "vllm:gpu_cache_usage_perc", AliasOf: "vllm:kv_cache_usage_perc"},
		{Name: "vllm:cpu_cache_usage_perc", Kind: Gauge, Metric: signal.KVSwapUtilization},
		{
			Name: "vllm:cache_config_info", Kind: Info, Facts: []Fact{
				{Metric: signal.KVBlockSize, AnyOf: [][]string{{"block_size"}}},
				// Blocks times block size is wrong where layers of different kinds share the pool.
				{Metric: signal.KVCapacityTokens, AnyOf: [][]string{{"kv_cache_size_tokens"}, {"num_gpu_blocks", "block_size"}}},
				{Metric: signal.KVCapacityBlocks, AnyOf: [][]string{{"num_gpu_blocks"}}},
				{Attribute: signal.AttrCacheDataType, As: Text, AnyOf: [][]string{{"cache_dtype"}}},
				{Attribute: signal.AttrPrefixCaching, As: Bool, AnyOf: [][]string{{"enable_prefix_caching"}}},
				{Attribute: signal.AttrMemoryUtilization, AnyOf: [][]string{{"gpu_memory_utilization"}}},
			},
		},
		// Queries count a request again each time it is looked at while it waits. They are kept as they are: the share of
		// prompt tokens that came from a cache is in prompt_tokens_by_source.
		{Name: "vllm:prefix_cache_queries", Kind: Counter, Metric: signal.KVLookupTokens, Fixed: scope(signal.CacheScopeLocal)},
		{Name: "vllm:gpu_prefix_cache_queries", AliasOf: "vllm:prefix_cache_queries"},
		{Name: "vllm:prefix_cache_hits", Kind: Counter, Metric: signal.KVHitTokens, Fixed: scope(signal.CacheScopeLocal)},
		{Name: "vllm:gpu_prefix_cache_hits", AliasOf: "vllm:prefix_cache_hits"},
		{Name: "vllm:external_prefix_cache_queries", Kind: Counter, Metric: signal.KVLookupTokens, Fixed: scope(signal.CacheScopeExternal)},
		{Name: "vllm:external_prefix_cache_hits", Kind: Counter, Metric: signal.KVHitTokens, Fixed: scope(signal.CacheScopeExternal)},
		{Name: "vllm:mm_cache_queries", Kind: Counter, Metric: signal.MultimodalLookups},
		{Name: "vllm:mm_cache_hits", Kind: Counter, Metric: signal.MultimodalHits},

		{Name: "vllm:kv_block_lifetime_seconds", Kind: Histogram, Metric: signal.KVBlockLifetime},
		{Name: "vllm:kv_block_idle_before_evict_seconds", Kind: Histogram, Metric: signal.KVBlockIdle},
		{Name: "vllm:kv_block_reuse_gap_seconds", Kind: Histogram, Metric: signal.KVBlockReuseGap},

		{
			Name: "vllm:hisparse_cache_hits", Kind: Counter, Metric: signal.KVSparseLookups,
			Fixed: []Attribute{{signal.AttrCacheResult, signal.CacheHit}},
		},
		{
			Name: "vllm:hisparse_cache_misses", Kind: Counter, Metric: signal.KVSparseLookups,
			Fixed: []Attribute{{signal.AttrCacheResult, signal.CacheMiss}},
		},
		{Name: "vllm:hisparse_host_to_device_bytes", Kind: Counter, Metric: signal.KVSparseLoad},
	}, vllmOffload()...)
}

// vllmOffload maps the offload tiers. Up to v0.26 a family has both directions as label values, afterwards each has its own.
func vllmOffload() []Row {
	direction := func(d string) []Attribute { return []Attribute{{signal.AttrIODirection, d}} }
	mode := func(m string) []Attribute { return []Attribute{{signal.AttrLookupMode, m}} }
	transfer := []Label{{
		From: []string{"transfer_type"}, To: signal.AttrIODirection,
		Values: map[string]string{"CPU_to_GPU": signal.IOLoad, "GPU_to_CPU": signal.IOStore},
	}}
	return []Row{
		{Name: "vllm:kv_offload_load_bytes", Kind: Counter, Metric: signal.KVTierIO, Fixed: direction(signal.IOLoad)},
		{Name: "vllm:kv_offload_store_bytes", Kind: Counter, Metric: signal.KVTierIO, Fixed: direction(signal.IOStore)},
		{
			Name: "vllm:kv_offload_total_bytes", Kind: Counter, Metric: signal.KVTierIO, Labels: transfer,
			YieldsTo: []string{"vllm:kv_offload_load_bytes", "vllm:kv_offload_store_bytes"},
		},
		{Name: "vllm:kv_offload_load_time", Kind: Counter, Metric: signal.KVTierIOTime, Fixed: direction(signal.IOLoad)},
		{Name: "vllm:kv_offload_store_time", Kind: Counter, Metric: signal.KVTierIOTime, Fixed: direction(signal.IOStore)},
		{
			Name: "vllm:kv_offload_total_time", Kind: Counter, Metric: signal.KVTierIOTime, Labels: transfer,
			YieldsTo: []string{"vllm:kv_offload_load_time", "vllm:kv_offload_store_time"},
		},
		{Name: "vllm:kv_offload_load_size", Kind: Histogram, Metric: signal.KVTierIOSize, Fixed: direction(signal.IOLoad)},
		{Name: "vllm:kv_offload_store_size", Kind: Histogram, Metric: signal.KVTierIOSize, Fixed: direction(signal.IOStore)},
		{
			Name: "vllm:kv_offload_size", Kind: Histogram, Metric: signal.KVTierIOSize, Labels: transfer,
			YieldsTo: []string{"vllm:kv_offload_load_size", "vllm:kv_offload_store_size"},
		},
		{Name: "vllm:kv_offload_lookup_sync_delay_seconds", Kind: Histogram, Metric: signal.KVTierLookupTime, Fixed: mode(signal.LookupSync)},
		{Name: "vllm:kv_offload_lookup_async_delay_seconds", Kind: Histogram, Metric: signal.KVTierLookupTime, Fixed: mode(signal.LookupAsync)},
		{
			Name: "vllm:kv_offload_tiering_lookup_sync_delay_seconds", Kind: Histogram, Metric: signal.KVTierDeepLookup,
			Fixed: mode(signal.LookupSync),
		},
		{
			Name: "vllm:kv_offload_tiering_lookup_async_delay_seconds", Kind: Histogram, Metric: signal.KVTierDeepLookup,
			Fixed: mode(signal.LookupAsync),
		},
		{Name: "vllm:kv_offload_allocation_failure", Kind: Counter, Metric: signal.KVTierFailures},
		{Name: "vllm:kv_offload_stores_skipped", Kind: Counter, Metric: signal.KVTierSkipped},
		{
			Name: "vllm:kv_offload_cpu_cache_usage_perc", Kind: Gauge, Metric: signal.KVTierPinned,
			YieldsTo: []string{"vllm:kv_offload_cpu_cache_read_usage_perc", "vllm:kv_offload_cpu_cache_write_usage_perc"},
		},
		{
			Name: "vllm:kv_offload_cpu_cache_read_usage_perc", Kind: Gauge, Metric: signal.KVTierPinned,
			Fixed: direction(signal.IOLoad),
		},
		{
			Name: "vllm:kv_offload_cpu_cache_write_usage_perc", Kind: Gauge, Metric: signal.KVTierPinned,
			Fixed: direction(signal.IOStore),
		},
	}
}

// vllmTransfers maps the KV connectors: NIXL and Mooncake.
func vllmTransfers() []Row {
	nixl := []Attribute{{signal.AttrKVBackend, signal.KVBackendNIXL}}
	mooncake := []Attribute{{signal.AttrKVBackend, signal.KVBackendMooncake}}
	failed := func(what string) []Attribute {
		return []Attribute{{signal.AttrKVBackend, signal.KVBackendNIXL}, {signal.AttrFailure, what}}
	}
	store := []Label{
		{From: []string{"operation"}, To: signal.AttrStoreOperation},
		{From: []string{"status"}, To: signal.AttrStoreStatus},
	}
	return []Row{
		{Name: "vllm:nixl_xfer_time_seconds", Kind: Histogram, Metric: signal.KVTransferTime, Fixed: nixl},
		{Name: "vllm:nixl_post_time_seconds", Kind: Histogram, Metric: signal.KVTransferPostTime, Fixed: nixl},
		{Name: "vllm:nixl_bytes_transferred", Kind: Histogram, Metric: signal.KVTransferSize, Fixed: nixl},
		{Name: "vllm:nixl_num_descriptors", Kind: Histogram, Metric: signal.KVTransferPieces, Fixed: nixl},
		{Name: "vllm:nixl_num_failed_transfers", Kind: Counter, Metric: signal.KVTransferFailures, Fixed: failed(signal.FailureTransfer)},
		{Name: "vllm:nixl_num_failed_notifications", Kind: Counter, Metric: signal.KVTransferFailures, Fixed: failed(signal.FailureNotification)},
		{Name: "vllm:nixl_num_notifications_after_expiry", Ignored: "of requests that expired, one for each rank of the reader: nixl_num_kv_expired_reqs has the requests"},
		{Name: "vllm:num_requests_kv_fetch_by_stage", Ignored: "requests that wait for KV of others, which num_requests_waiting_by_reason counts as deferred"},
		{Name: "vllm:nixl_num_kv_expired_reqs", Kind: Counter, Metric: signal.KVTransferFailures, Fixed: failed(signal.FailureExpired)},

		{Name: "vllm:mooncake_xfer_time_seconds", Kind: Histogram, Metric: signal.KVTransferTime, Fixed: mooncake},
		{Name: "vllm:mooncake_store_operation", Kind: Counter, Metric: signal.KVStoreOperations, Fixed: mooncake, Labels: store},
		{Name: "vllm:mooncake_store_operation_time_seconds", Kind: Histogram, Metric: signal.KVStoreTime, Fixed: mooncake, Labels: store},
		{Name: "vllm:mooncake_store_operation_keys", Kind: Counter, Metric: signal.KVStoreKeys, Fixed: mooncake, Labels: store},
		{Name: "vllm:mooncake_store_operation_failed_keys", Kind: Counter, Metric: signal.KVStoreFailedKeys, Fixed: mooncake, Labels: store},
		{Name: "vllm:mooncake_store_operation_bytes", Kind: Counter, Metric: signal.KVStoreIO, Fixed: mooncake, Labels: store},
	}
}
