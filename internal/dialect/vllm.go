package dialect // import "github.com/otelcol-inference/otelcol-inference/internal/dialect"

import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// EngineVLLM is the value of llm.engine.name for vLLM.
const EngineVLLM = "vllm"

// Variants of vLLM.
const (
	VariantV0   = "v0"
	VariantV1   = "v1"
	VariantRust = "rust" // V1 engine behind the Rust front end
)

// vllm is the dialect of vLLM: V0, V1 with the Python front end and V1 with the Rust one, up to v0.32.
func vllm() Table {
	rows := append(vllmLatencies(), vllmRequests()...)
	rows = append(rows, vllmTokens()...)
	rows = append(rows, vllmCache()...)
	rows = append(rows, vllmTransfers()...)
	rows = append(rows, vllmIgnored()...)
	return Table{
		Engine:     EngineVLLM,
		Prefixes:   []string{"vllm:", "ray_vllm_"},
		Renamed:    []Renamed{{"ray_vllm_", "vllm:"}}, // on Ray
		RankLabel:  "engine",
		ModelLabel: []string{"model_name"},
		Router:     "server",
		About: []About{
			{Path: "/version", Version: []string{"version"}},
			// Answered in development mode only. Asked once per start, where a KV connector makes the role worth knowing; kv_both tells nothing.
			{
				Path: "/server_info?config_format=json", Detail: "vllm:nixl_xfer_time_seconds",
				Role:  []string{"vllm_config", "kv_transfer_config", "kv_role"},
				Roles: map[string]string{"kv_producer": signal.RolePrefill, "kv_consumer": signal.RoleDecode},
			},
		},
		Inputs: vllmInputs(),
		Rows:   rows,
		Variants: []Variant{
			{VariantRust, func(e Evidence) bool { return e.Ranked && !e.Python && (e.DoubleStop || e.EOF) }},
			{VariantV1, func(e Evidence) bool { return e.Ranked }},
			{VariantV0, func(e Evidence) bool {
				return e.Has("vllm:num_requests_swapped") || e.Has("vllm:gpu_cache_usage_perc") && !e.Has("vllm:kv_cache_usage_perc")
			}},
		},
	}
}

func vllmLatencies() []Row {
	milliseconds := Scale{Den: 1000}
	phase := func(p string) []Attribute { return []Attribute{{signal.AttrPhase, p}} }
	return []Row{
		{Name: "vllm:time_to_first_token_seconds", Kind: Histogram, Metric: signal.TTFT},
		{Name: "vllm:request_time_per_output_token_seconds", Kind: Histogram, Metric: signal.TPOT},
		{Name: "vllm:e2e_request_latency_seconds", Kind: Histogram, Metric: signal.RequestTime},
		{Name: "vllm:inter_token_latency_seconds", Kind: Histogram, Metric: signal.ITL},
		{Name: "vllm:time_per_output_token_seconds", AliasOf: "vllm:inter_token_latency_seconds"},
		{Name: "vllm:request_queue_time_seconds", Kind: Histogram, Metric: signal.QueueTime},
		{Name: "vllm:time_in_queue_requests", AliasOf: "vllm:request_queue_time_seconds"},
		{Name: "vllm:request_prefill_time_seconds", Kind: Histogram, Metric: signal.PhaseTime, Fixed: phase(signal.PhasePrefill)},
		{Name: "vllm:request_decode_time_seconds", Kind: Histogram, Metric: signal.PhaseTime, Fixed: phase(signal.PhaseDecode)},
		{Name: "vllm:request_inference_time_seconds", Kind: Histogram, Metric: signal.PhaseTime, Fixed: phase(signal.PhaseInference)},
		{Name: "vllm:model_forward_time_milliseconds", Kind: Histogram, Metric: signal.ModelForwardTime, Scale: milliseconds},
		{Name: "vllm:model_execute_time_milliseconds", Kind: Histogram, Metric: signal.ModelExecuteTime, Scale: milliseconds},
	}
}

func vllmRequests() []Row {
	return []Row{
		{Name: "vllm:num_requests_running", Kind: Gauge, Metric: signal.Running},
		{Name: "vllm:num_requests_swapped", Kind: Gauge, Metric: signal.Swapped},
		{
			Name: "vllm:num_requests_waiting", Kind: Gauge, Metric: signal.Waiting,
			YieldsTo: []string{"vllm:num_requests_waiting_by_reason"},
		},
		{
			Name: "vllm:num_requests_waiting_by_reason", Kind: Gauge, Metric: signal.Waiting,
			Labels: []Label{{From: []string{"reason"}, To: signal.AttrWaitReason}},
		},
		{
			Name: "vllm:request_success", Kind: Counter, Metric: signal.RequestCount,
			Labels: []Label{{From: []string{"finished_reason", "finish_reason"}, To: signal.AttrFinishReason}},
		},
		{
			Name: "vllm:admission_rejections", Kind: Counter, Metric: signal.RequestRejections,
			Labels: []Label{{From: []string{"reason"}, To: signal.AttrRejectReason}},
		},
		{Name: "vllm:corrupted_requests", Kind: Counter, Metric: signal.RequestCorrupted},
		{Name: "vllm:num_preemptions", Kind: Counter, Metric: signal.Preemptions},
		{Name: "vllm:request_num_preemptions", Kind: Histogram, Metric: signal.RequestPreemptions},
		{Name: "vllm:request_params_n", Kind: Histogram, Metric: signal.RequestChoices},
		{Name: "vllm:request_params_best_of", Kind: Histogram, Metric: signal.RequestBestOf},
		{Name: "vllm:request_params_max_tokens", Kind: Histogram, Metric: signal.RequestMaxTokens},
		{
			Name: "vllm:engine_sleep_state", Kind: Gauge, Metric: signal.SleepState,
			Labels: []Label{{From: []string{"sleep_state"}, To: signal.AttrSleepState}},
		},
		{
			Name: "vllm:tool_call_parser_invocations", Kind: Counter, Metric: signal.ToolCallParses,
			Labels: []Label{
				{From: []string{"mode"}, To: signal.AttrToolMode},
				{From: []string{"outcome"}, To: signal.AttrToolOutcome},
				{From: []string{"request_type", "type"}, To: signal.AttrToolRequest},
			},
		},
		{
			Name: "vllm:lora_requests_info", Kind: Info, Facts: []Fact{
				{
					Metric: signal.LoRAAdapters, Fixed: []Attribute{{signal.AttrLoRAState, signal.LoRARunning}},
					As: Entries, AnyOf: [][]string{{"running_lora_adapters"}},
				},
				{
					Metric: signal.LoRAAdapters, Fixed: []Attribute{{signal.AttrLoRAState, signal.LoRAWaiting}},
					As: Entries, AnyOf: [][]string{{"waiting_lora_adapters"}},
				},
				{Metric: signal.LoRAAdapterLimit, AnyOf: [][]string{{"max_lora"}}},
			},
		},
	}
}

func vllmTokens() []Row {
	spec := func(kind string) []Attribute { return []Attribute{{signal.AttrSpec, kind}} }
	direction := func(d string) []Attribute { return []Attribute{{signal.AttrIODirection, d}} }
	return []Row{
		{
			Name: "vllm:prompt_tokens", Kind: Counter, Metric: signal.TokensPrompt,
			YieldsTo: []string{"vllm:prompt_tokens_by_source"}, Sums: true,
		},
		{
			Name: "vllm:prompt_tokens_by_source", Kind: Counter, Metric: signal.TokensPrompt,
			Labels: []Label{{From: []string{"source"}, To: signal.AttrTokenSource}},
		},
		{Name: "vllm:prompt_tokens_cached", Kind: Counter, Metric: signal.TokensCached},
		// Counted at admission and equal to the prefix cache's hits, so it is not a split of prompt_tokens_cached.
		{
			Name: "vllm:prompt_tokens_cached_by_source", Kind: Counter, Metric: signal.KVHitTierTokens,
			Labels: []Label{{From: []string{"source"}, To: signal.AttrCacheTier, Values: map[string]string{
				"p2p": signal.TierRemote, "external_unspecified": signal.TierRemote, // another instance, and whatever a connector reads
			}}},
		},
		{Name: "vllm:prompt_tokens_recomputed", Kind: Counter, Metric: signal.TokensRecomputed},
		{Name: "vllm:generation_tokens", Kind: Counter, Metric: signal.TokensGenerated},
		{
			Name: "vllm:request_prompt_tokens", Kind: Histogram, Metric: signal.RequestTokens,
			Fixed: []Attribute{{signal.AttrTokenType, signal.TokenTypeInput}},
		},
		{
			Name: "vllm:request_generation_tokens", Kind: Histogram, Metric: signal.RequestTokens,
			Fixed: []Attribute{{signal.AttrTokenType, signal.TokenTypeOutput}},
		},
		{Name: "vllm:request_max_num_generation_tokens", Kind: Histogram, Metric: signal.RequestLongest},
		{Name: "vllm:request_prefill_kv_computed_tokens", Kind: Histogram, Metric: signal.ComputedTokens},
		{Name: "vllm:iteration_tokens", Kind: Histogram, Metric: signal.IterationTokens}, // on the wire: iteration_tokens_total

		{Name: "vllm:spec_decode_num_drafts", Kind: Counter, Metric: signal.SpecDrafts},
		{Name: "vllm:spec_decode_num_draft_tokens", Kind: Counter, Metric: signal.SpecTokens, Fixed: spec(signal.SpecDrafted)},
		{Name: "vllm:spec_decode_num_accepted_tokens", Kind: Counter, Metric: signal.SpecTokens, Fixed: spec(signal.SpecAccepted)},
		{Name: "vllm:spec_decode_num_emitted_tokens", Kind: Counter, Metric: signal.SpecTokens, Fixed: spec(signal.SpecEmitted)},
		{
			Name: "vllm:spec_decode_num_accepted_tokens_per_pos", Kind: Counter, Metric: signal.SpecAcceptedTokens,
			Labels: []Label{{From: []string{"position"}, To: signal.AttrSpecPosition}},
		},

		{Name: "vllm:estimated_flops_per_gpu", Kind: Counter, Metric: signal.FLOPs},
		{Name: "vllm:estimated_read_bytes_per_gpu", Kind: Counter, Metric: signal.MemoryIO, Fixed: direction(signal.IORead)},
		{Name: "vllm:estimated_write_bytes_per_gpu", Kind: Counter, Metric: signal.MemoryIO, Fixed: direction(signal.IOWrite)},
	}
}

func vllmIgnored() []Row {
	const (
		average  = "an average that V0 computed over its own interval; the counters give the exact rate"
		ratio    = "a ratio over an interval of the engine's choice; the counters give it over any"
		unstable = "names and units of the tiering manager still change between releases"
		server   = "the HTTP server's own metrics, by handler: not what the engine did"
		process  = "the Python process's own metrics"
	)
	return []Row{
		{Name: "vllm:avg_prompt_throughput_toks_per_s", Ignored: average},
		{Name: "vllm:avg_generation_throughput_toks_per_s", Ignored: average},
		{Name: "vllm:gpu_prefix_cache_hit_rate", Ignored: ratio},
		{Name: "vllm:cpu_prefix_cache_hit_rate", Ignored: ratio},
		{Name: "vllm:spec_decode_draft_acceptance_rate", Ignored: ratio},
		{Name: "vllm:spec_decode_efficiency", Ignored: ratio},
		{Name: "vllm:kv_offload_tiering_*", Ignored: unstable},
		{Name: "http_*", Ignored: server},
		{Name: "python_*", Ignored: process},
		{Name: "process_*", Ignored: process},
	}
}
