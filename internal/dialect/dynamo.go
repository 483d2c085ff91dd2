package dialect // import "github.com/otelcol-inference/otelcol-inference/internal/dialect"

import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// EngineDynamo is the value of llm.engine.name for Dynamo, whose workers show their engine's own families too.
const EngineDynamo = "dynamo"

// dynamoComponent is the dialect of what Dynamo's runtime says of a worker, on the page that also has the engine's own families
// (lib/runtime/src/metrics/prometheus_names.rs, 0.x and 1.x).
func dynamoComponent() Table {
	// A worker also answers questions of routers about its cache, at endpoints of other names.
	served := Only{Label: "dynamo_endpoint", Is: []string{"generate", ""}}
	rows := []Row{
		// "percent" is a ratio.
		{Name: "dynamo_component_gpu_cache_usage_percent", Kind: Gauge, Metric: signal.KVUtilization},
		{Name: "dynamo_component_kvstats_gpu_cache_usage_percent", AliasOf: "dynamo_component_gpu_cache_usage_percent"},
		{Name: "dynamo_component_total_blocks", Kind: Gauge, Metric: signal.KVCapacityTokens, Blocks: ToTokens},
		{Name: "dynamo_component_kvstats_total_blocks", AliasOf: "dynamo_component_total_blocks"},
		{
			Name: "dynamo_component_kvstats_active_blocks", Kind: Gauge, Metric: signal.KVBlocks,
			Fixed: []Attribute{{signal.AttrKVState, signal.KVUsed}},
		},
		{Name: "dynamo_component_inflight_requests", Kind: Gauge, Metric: signal.Running, Only: served},
		{Name: "dynamo_component_requests", Kind: Counter, Metric: signal.RequestCount, Only: served},
		{Name: "dynamo_component_request_duration_seconds", Kind: Histogram, Metric: signal.RequestTime, Only: served},
		{
			Name: "dynamo_component_errors", Kind: Counter, Metric: signal.RequestErrors, Only: served,
			Labels: []Label{{From: []string{"error_type"}, To: signal.AttrErrorType}},
		},
		{Name: "dynamo_component_time_to_first_response_seconds", Kind: Histogram, Metric: signal.TTFT},
	}
	return Table{
		Engine:     EngineDynamo,
		Prefixes:   []string{"dynamo_component_", "dynamo_request_plane_", "dynamo_transport_", "dynamo_kvindexer_", "dynamo_work_"},
		RankLabel:  "dp_rank",
		ModelLabel: []string{"model", "model_name"},
		Companion:  true,
		Inputs:     dynamoInputs(),
		Lacks:      dynamoLacks(),
		Role: Role{Labels: []string{"worker_type", "dynamo_component"}, Values: map[string]string{
			"aggregated": signal.RoleAggregated, "prefill": signal.RolePrefill, "decode": signal.RoleDecode, "encoder": signal.RoleEncode,
		}},
		Rows: append(rows, dynamoIgnored()...),
	}
}

func dynamoIgnored() []Row {
	const (
		transport = "of Dynamo's transport between its processes, by endpoint: not what the engine did"
		router    = "what a router in the same process sees; the front end's own families say it"
		indexer   = "of Dynamo's index of KV events, not of the cache"
		process   = "of the process, and no figure of serving"
	)
	var rows []Row
	ignore := func(reason string, names ...string) {
		for _, name := range names {
			rows = append(rows, Row{Name: name, Ignored: reason})
		}
	}
	ignore(transport, "dynamo_component_request_bytes", "dynamo_component_response_bytes", "dynamo_component_network_transit_seconds",
		"dynamo_component_cancellation*", "dynamo_request_plane_*", "dynamo_transport_*", "dynamo_work_*")
	ignore(router, "dynamo_component_router_*")
	ignore(indexer, "dynamo_component_kv_*", "dynamo_component_ckf_*", "dynamo_kvindexer_*")
	ignore(process, "dynamo_component_uptime_seconds", "dynamo_component_system_uptime_seconds", "dynamo_component_model_load_time_seconds",
		"dynamo_component_tokio_*", "dynamo_component_nats_*")
	return rows
}

// dynamoFrontend is the dialect of Dynamo's HTTP front end with its router. Its latencies are those of clients: to the engines'
// own they are the same requests seen from outside, and never added to them.
func dynamoFrontend() Table {
	direction := func(t string) []Attribute { return []Attribute{{signal.AttrTokenType, t}} }
	return Table{
		Engine:     EngineDynamo,
		Prefixes:   []string{"dynamo_frontend_", "dynamo_router_", "dynamo_planner_"},
		ModelLabel: []string{"model"},
		Companion:  true,
		Observer:   signal.ObserverFrontend,
		Role:       Role{Always: signal.RoleRouter},
		Rows: append([]Row{
			{Name: "dynamo_frontend_time_to_first_token_seconds", Kind: Histogram, Metric: signal.TTFT},
			{Name: "dynamo_frontend_inter_token_latency_seconds", Kind: Histogram, Metric: signal.ITL},
			{Name: "dynamo_frontend_request_duration_seconds", Kind: Histogram, Metric: signal.RequestTime},
			{Name: "dynamo_frontend_input_sequence_tokens", Kind: Histogram, Metric: signal.RequestTokens, Fixed: direction(signal.TokenTypeInput)},
			{Name: "dynamo_frontend_output_sequence_tokens", Kind: Histogram, Metric: signal.RequestTokens, Fixed: direction(signal.TokenTypeOutput)},
			{Name: "dynamo_frontend_cached_tokens", Kind: Histogram, Metric: signal.RequestCachedTokens},
			{Name: "dynamo_frontend_output_tokens", Kind: Counter, Metric: signal.TokensGenerated},
			{Name: "dynamo_frontend_inflight_requests", Kind: Gauge, Metric: signal.Running},
			// queued_requests also has those in prefill, and is no queue.
			{Name: "dynamo_frontend_router_queue_pending_requests", Kind: Gauge, Metric: signal.Waiting},
			{Name: "dynamo_frontend_requests", Kind: Counter, Metric: signal.RequestCount, Only: Only{Label: "status", Not: []string{"error"}}},
			{
				Name: "dynamo_frontend_requests", ID: "dynamo_frontend_requests error", Kind: Counter, Metric: signal.RequestErrors,
				Only: Only{Label: "status", Is: []string{"error"}}, Labels: []Label{{From: []string{"error_type"}, To: signal.AttrErrorType}},
			},
			{
				Name: "dynamo_frontend_stage_duration_seconds", Kind: Histogram, Metric: signal.RequestStageTime,
				Labels: []Label{{From: []string{"stage"}, To: signal.AttrStage}},
			},
		}, dynamoFrontendIgnored()...),
	}
}

func dynamoFrontendIgnored() []Row {
	const (
		ours    = "of a worker, whose own page says it: here it would be counted to the front end"
		queue   = "requests without a first token, those in prefill included: neither a queue nor a batch"
		text    = "of tokenizing and templates in the front end, not of the engine"
		guess   = "the router's forecast, not what happened"
		planner = "of the autoscaler's decisions, not of serving"
		process = "of the front end's process"
		again   = "requests that are counted otherwise already: by their end, and while they run"
		content = "pictures, videos and sounds in prompts: what they cost is in the tokens"
	)
	var rows []Row
	ignore := func(reason string, names ...string) {
		for _, name := range names {
			rows = append(rows, Row{Name: name, Ignored: reason})
		}
	}
	ignore(ours, "dynamo_frontend_model_*", "dynamo_frontend_worker_*")
	ignore(queue, "dynamo_frontend_queued_requests", "dynamo_frontend_disconnected_clients")
	ignore(text, "dynamo_frontend_tokenize*", "dynamo_frontend_template_*", "dynamo_frontend_detokenize*")
	ignore(guess, "dynamo_frontend_kv_hit_rate", "dynamo_router_*", "dynamo_frontend_router_*")
	ignore(planner, "dynamo_planner_*")
	ignore(process, "dynamo_frontend_event_loop_*", "dynamo_frontend_tokio_*")
	ignore(again, "dynamo_frontend_requests_started", "dynamo_frontend_active_requests", "dynamo_frontend_stage_requests")
	ignore(content, "dynamo_frontend_audio_per_request", "dynamo_frontend_images_per_request", "dynamo_frontend_image_tokens_per_request", "dynamo_frontend_videos_per_request")
	return rows
}

// dynamoKVBM is the dialect of Dynamo's KV block manager, on a port of its own. Its counters have no _total.
func dynamoKVBM() Table {
	move := func(direction, from, to string) []Attribute {
		return []Attribute{{signal.AttrIODirection, direction}, {signal.AttrCacheTierFrom, from}, {signal.AttrCacheTier, to}}
	}
	moved := func(name, direction, from, to string) Row {
		return Row{Name: "kvbm_" + name, Kind: Counter, Metric: signal.KVTierMoves, Fixed: move(direction, from, to)}
	}
	const ratio = "a ratio over a sliding window; the counters give it over any"
	return Table{
		Engine: "dynamo_kvbm", Prefixes: []string{"kvbm_"}, Companion: true, Observer: signal.ObserverCache,
		Rows: []Row{
			// The same letters mean other tiers on the way down and up: h2d is host to disk here, host to device there.
			moved("offload_blocks_d2h", signal.IOStore, signal.TierDevice, signal.TierHost),
			moved("offload_blocks_h2d", signal.IOStore, signal.TierHost, signal.TierDisk),
			moved("offload_blocks_d2d", signal.IOStore, signal.TierDevice, signal.TierDisk),
			moved("offload_blocks_d2o", signal.IOStore, signal.TierDevice, signal.TierRemote),
			moved("onboard_blocks_h2d", signal.IOLoad, signal.TierHost, signal.TierDevice),
			moved("onboard_blocks_d2d", signal.IOLoad, signal.TierDisk, signal.TierDevice),
			moved("onboard_blocks_o2d", signal.IOLoad, signal.TierRemote, signal.TierDevice),
			{
				Name: "kvbm_matched_tokens", Kind: Counter, Metric: signal.KVHitTokens,
				Fixed: []Attribute{{signal.AttrCacheScope, signal.CacheScopeExternal}},
			},
			{
				Name: "kvbm_offload_bytes_object", Kind: Counter, Metric: signal.KVTierIO, Fixed: []Attribute{{signal.AttrIODirection, signal.IOStore}},
			},
			{
				Name: "kvbm_onboard_bytes_object", Kind: Counter, Metric: signal.KVTierIO, Fixed: []Attribute{{signal.AttrIODirection, signal.IOLoad}},
			},
			{Name: "kvbm_host_cache_hit_rate", Ignored: ratio},
			{Name: "kvbm_disk_cache_hit_rate", Ignored: ratio},
			{Name: "kvbm_object_cache_hit_rate", Ignored: ratio},
			{Name: "kvbm_object_read_failures", Ignored: "of the object store's own operations, without a unit in common with other stores"},
			{Name: "kvbm_object_write_failures", Ignored: "of the object store's own operations, without a unit in common with other stores"},
		},
	}
}
