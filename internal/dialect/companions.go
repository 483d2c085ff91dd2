package dialect // import "github.com/otelcol-inference/otelcol-inference/internal/dialect"

import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// lmcache is the dialect of LMCache (lmcache/observability.py, 2026): alone on a port, or inside vLLM on vLLM's page. Each worker
// of a tensor-parallel group looks up the same tokens and moves bytes of its own.
func lmcache() Table {
	external := []Attribute{{signal.AttrCacheScope, signal.CacheScopeExternal}}
	direction := func(d string) []Attribute { return []Attribute{{signal.AttrIODirection, d}} }
	const (
		operations = "a count of calls; tokens and bytes say how much there was to them"
		ratio      = "a ratio or speed over an interval of its own; the counters give it over any"
		inner      = "an inner step of storing or retrieving"
		double     = "what the engine says of itself"
	)
	rows := []Row{
		{Name: "lmcache:num_lookup_tokens", Kind: Counter, Metric: signal.KVLookupTokens, Fixed: external},
		{Name: "lmcache:num_lookup_hits", Kind: Counter, Metric: signal.KVHitTokens, Fixed: external},
		{
			Name: "lmcache:num_hit_tokens", Kind: Counter, Metric: signal.TokensCached,
			Fixed: []Attribute{{signal.AttrCacheTier, signal.TierRemote}},
		},
		{Name: "lmcache:num_remote_read_bytes", Kind: Counter, Metric: signal.KVTierIO, Fixed: direction(signal.IOLoad), Shared: true},
		{Name: "lmcache:num_remote_write_bytes", Kind: Counter, Metric: signal.KVTierIO, Fixed: direction(signal.IOStore), Shared: true},
		{
			Name: "lmcache:local_cpu_evict_keys_count", Kind: Counter, Metric: signal.KVEvictions,
			Fixed: []Attribute{{signal.AttrCacheTier, signal.TierHost}}, Shared: true,
		},
		{Name: "lmcache:time_to_retrieve", Kind: Histogram, SumOnly: true, Metric: signal.KVTierIOTime, Fixed: direction(signal.IOLoad)},
		{Name: "lmcache:time_to_store", Kind: Histogram, SumOnly: true, Metric: signal.KVTierIOTime, Fixed: direction(signal.IOStore)},
		{
			Name: "lmcache:time_to_lookup", Kind: Histogram, Metric: signal.KVTierLookupTime,
			Fixed: []Attribute{{signal.AttrLookupMode, signal.LookupSync}},
		},
		{
			Name: "lmcache:p2p_time_to_transfer", Kind: Histogram, Metric: signal.KVTransferTime,
			Fixed: []Attribute{{signal.AttrKVBackend, signal.KVBackendLMCache}},
		},
		// Milliseconds, where the other times of LMCache are seconds.
		{Name: "lmcache:remote_time_to_get", Kind: Histogram, Metric: signal.KVStoreTime, Scale: Scale{Den: 1000}, Fixed: lmcacheRemote("get")},
		{Name: "lmcache:remote_time_to_put", Kind: Histogram, Metric: signal.KVStoreTime, Scale: Scale{Den: 1000}, Fixed: lmcacheRemote("put")},
		{Name: "lmcache:remote_cache_usage", Kind: Gauge, Metric: signal.KVStoreUsage, Fixed: []Attribute{{signal.AttrKVBackend, signal.KVBackendLMCache}}},
	}
	ignore := func(reason string, names ...string) {
		for _, name := range names {
			rows = append(rows, Row{Name: "lmcache:" + name, Ignored: reason})
		}
	}
	ignore(operations, "num_retrieve_requests", "num_store_requests", "num_lookup_requests", "num_remote_read_requests",
		"num_remote_write_requests", "local_cpu_evict_count", "local_cpu_evict_failed_count", "forced_unpin_count", "lookup_0_hit_requests")
	ignore(ratio, "retrieve_hit_rate", "lookup_hit_rate", "retrieve_speed", "store_speed", "p2p_transfer_speed", "request_cache_hit_rate")
	ignore(inner, "retrieve_*", "store_*", "remote_time_to_get_sync", "num_requested_tokens", "num_stored_tokens", "local_cache_usage",
		"local_storage_usage", "active_memory_objs_count", "pinned_memory_objs_count")
	ignore(double, "num_vllm_hit_tokens", "num_prompt_tokens")
	return Table{
		Engine: "lmcache", Prefixes: []string{"lmcache:"}, ModelLabel: []string{"model_name"}, Replicas: []string{"worker_id"},
		Companion: true, Observer: signal.ObserverCache, Rows: rows,
	}
}

func lmcacheRemote(operation string) []Attribute {
	return []Attribute{{signal.AttrKVBackend, signal.KVBackendLMCache}, {signal.AttrStoreOperation, operation}}
}

// mooncake is the dialect of Mooncake's master, client and TENT (2026-08). The names of the master begin with a word that is
// nobody's own, so nothing beyond its known names is taken for Mooncake's.
func mooncake() Table {
	backend := []Attribute{{signal.AttrKVBackend, signal.KVBackendMooncake}}
	with := func(direction string) []Attribute {
		return []Attribute{{signal.AttrKVBackend, signal.KVBackendMooncake}, {signal.AttrIODirection, direction}}
	}
	microseconds := Scale{Den: 1e6}
	return Table{
		Engine: "mooncake", Prefixes: []string{"master_", "mooncake_", "tent_"}, Closed: true, Companion: true,
		Observer: signal.ObserverCache,
		Rows: []Row{
			{Name: "master_allocated_bytes", Kind: Gauge, Metric: signal.KVStoreUsage, Fixed: backend},
			{Name: "master_total_capacity_bytes", Kind: Gauge, Metric: signal.KVStoreCapacity, Fixed: backend},
			{Name: "master_key_count", Kind: Gauge, Metric: signal.KVStoreEntries, Fixed: backend},
			{
				Name: "master_evicted_key_count", Kind: Counter, Metric: signal.KVEvictions,
				Fixed: []Attribute{{signal.AttrCacheTier, signal.TierRemote}},
			},
			{Name: "mooncake_transfer_read_bytes", Kind: Counter, Metric: signal.KVTransferIO, Fixed: with(signal.IOGet)},
			{Name: "mooncake_transfer_write_bytes", Kind: Counter, Metric: signal.KVTransferIO, Fixed: with(signal.IOSend)},
			{Name: "tent_read_bytes", Kind: Counter, Metric: signal.KVTransferIO, Fixed: with(signal.IOGet)},
			{Name: "tent_write_bytes", Kind: Counter, Metric: signal.KVTransferIO, Fixed: with(signal.IOSend)},
			{Name: "tent_read_latency_us", Kind: Histogram, Metric: signal.KVTransferTime, Scale: microseconds, Fixed: with(signal.IOGet)},
			{Name: "tent_write_latency_us", Kind: Histogram, Metric: signal.KVTransferTime, Scale: microseconds, Fixed: with(signal.IOSend)},
		},
	}
}

// nixl is the dialect of NIXL's Prometheus exporters (NIXL_TELEMETRY_EXPORTER=prometheus or prometheus_mp). Their word agent_ is
// nobody's own either.
func nixl() Table {
	backend := []Attribute{{signal.AttrKVBackend, signal.KVBackendNIXL}}
	with := func(direction string) []Attribute {
		return []Attribute{{signal.AttrKVBackend, signal.KVBackendNIXL}, {signal.AttrIODirection, direction}}
	}
	microseconds := Scale{Den: 1e6}
	const (
		registration = "memory that an agent registered, which the nixl receiver tells"
		last         = "of the last operation before the page was read"
	)
	return Table{
		Engine: "nixl", Prefixes: []string{"agent_"}, Closed: true, Companion: true, Observer: signal.ObserverTransfer,
		Rows: []Row{
			{Name: "agent_xfer_time_us", Kind: Histogram, Metric: signal.KVTransferTime, Scale: microseconds, Fixed: backend},
			{Name: "agent_xfer_post_time_us", Kind: Histogram, Metric: signal.KVTransferPostTime, Scale: microseconds, Fixed: backend},
			{Name: "agent_tx_bytes", Kind: Counter, Metric: signal.KVTransferIO, Fixed: with(signal.IOSend)},
			{Name: "agent_rx_bytes", Kind: Counter, Metric: signal.KVTransferIO, Fixed: with(signal.IOGet)},
			{Name: "agent_tx_requests_num", Kind: Counter, Metric: signal.KVTransferCount, Fixed: with(signal.IOSend)},
			{Name: "agent_rx_requests_num", Kind: Counter, Metric: signal.KVTransferCount, Fixed: with(signal.IOGet)},
			{
				Name: "agent_errors", Kind: Counter, Metric: signal.KVTransferFailures, Fixed: backend,
				Labels: []Label{{From: []string{"status"}, To: signal.AttrFailure}},
			},
			// A gauge of the last transfer has the counter's name without its _total.
			{
				Name: "agent_xfer_time", Kind: Counter, Metric: signal.KVTransferTotalTime, Scale: microseconds, Fixed: backend,
				YieldsTo: []string{"agent_xfer_time_us"},
			},
			{Name: "agent_xfer_time", ID: "agent_xfer_time (gauge)", Kind: Gauge, Ignored: last},
			{Name: "agent_xfer_post_time", Ignored: "no metric has this sum alone; the histogram has it"},
			{Name: "agent_memory_registered", Ignored: registration},
			{Name: "agent_memory_deregistered", Ignored: registration},
			{Name: "agent_memory_registered_last_bytes", Ignored: last},
			{Name: "agent_memory_deregistered_last_bytes", Ignored: last},
			{Name: "agent_tx_last_bytes", Ignored: last},
			{Name: "agent_rx_last_bytes", Ignored: last},
			{Name: "agent_telemetry_events_dropped", Ignored: "health of NIXL's telemetry, which the nixl receiver tells"},
		},
	}
}
