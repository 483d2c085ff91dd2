package dialect // import "github.com/otelcol-inference/otelcol-inference/internal/dialect"

import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// vllmRouter is the dialect of production-stack's router, which writes vLLM's own prefix with the label server in place of rank
// and model. Closed: a name that it does not know is vLLM's.
func vllmRouter() Table {
	const (
		average = "an average over the router's own interval"
		engine  = "what the router read from an engine, whose own page says it"
	)
	return Table{
		Engine: "vllm_router", Prefixes: []string{"vllm:"}, ModelLabel: []string{"model"}, Closed: true, Companion: true,
		Observer: signal.ObserverRouter, Role: Role{Always: signal.RoleRouter},
		Rows: []Row{
			{Name: "vllm:num_requests_running", Kind: Gauge, Metric: signal.Running},
			{Name: "vllm:num_requests_waiting", Kind: Gauge, Metric: signal.Waiting},
			{Name: "vllm:num_prefill_requests", Kind: Gauge, Metric: signal.Scheduled, Fixed: []Attribute{{signal.AttrPhase, signal.PhasePrefill}}},
			{Name: "vllm:num_decoding_requests", Kind: Gauge, Metric: signal.Scheduled, Fixed: []Attribute{{signal.AttrPhase, signal.PhaseDecode}}},
			{Name: "vllm:num_incoming_requests", Kind: Counter, Metric: signal.RequestCount},
			{Name: "vllm:input_tokens", Kind: Counter, Metric: signal.TokensPrompt},
			{Name: "vllm:output_tokens", Kind: Counter, Metric: signal.TokensGenerated},
			{
				Name: "vllm:request_errors", Kind: Counter, Metric: signal.RequestErrors,
				Labels: []Label{{From: []string{"error_type"}, To: signal.AttrErrorType}},
			},
			{Name: "vllm:request_latency_seconds", Kind: Histogram, Metric: signal.RequestTime},
			{Name: "vllm:current_qps", Ignored: average},
			{Name: "vllm:avg_decoding_length", Ignored: average},
			{Name: "vllm:avg_latency", Ignored: average},
			{Name: "vllm:avg_itl", Ignored: average},
			{Name: "vllm:healthy_pods", Ignored: "what Kubernetes says better"},
			{Name: "vllm:gpu_prefix_cache_hit_rate", Ignored: engine},
			{Name: "vllm:gpu_prefix_cache_hits", Ignored: engine}, // a gauge, by the way
			{Name: "vllm:gpu_prefix_cache_queries", Ignored: engine},
			{Name: "vllm:gpu_cache_usage_perc", Ignored: engine},
			{Name: "vllm:kv_cache_usage_perc", Ignored: engine},
		},
	}
}

// sglangRouter is the dialect of SGLang's gateway (documentation of 2026), called sgl_router_ until December 2025.
func sglangRouter() Table {
	const inner = "of the gateway's own parts, not of serving"
	rows := []Row{
		{Name: "smg_router_ttft_seconds", Kind: Histogram, Metric: signal.TTFT},
		{Name: "smg_router_tpot_seconds", Kind: Histogram, Metric: signal.TPOT},
		{Name: "smg_router_generation_duration_seconds", Kind: Histogram, Metric: signal.RequestTime},
		{Name: "smg_router_requests", Kind: Counter, Metric: signal.RequestCount},
		{Name: "smg_router_tokens", Kind: Counter, Metric: signal.TokensPrompt, Only: Only{Label: "direction", Is: []string{"input", "prompt"}}},
		{
			Name: "smg_router_tokens", ID: "smg_router_tokens output", Kind: Counter, Metric: signal.TokensGenerated,
			Only: Only{Label: "direction", Is: []string{"output", "completion"}},
		},
	}
	for _, part := range []string{"http_*", "worker_*", "discovery_*", "mcp_*", "db_*", "router_*"} {
		rows = append(rows, Row{Name: "smg_" + part, Ignored: inner})
	}
	return Table{
		Engine: "sglang_router", Prefixes: []string{"smg_", "sgl_router_"}, Renamed: []Renamed{{"sgl_router_", "smg_router_"}},
		ModelLabel: []string{"model", "model_id"}, Companion: true, Observer: signal.ObserverRouter, Role: Role{Always: signal.RoleRouter},
		Rows: rows,
	}
}
