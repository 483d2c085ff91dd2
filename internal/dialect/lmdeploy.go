package dialect // import "github.com/otelcol-inference/otelcol-inference/internal/dialect"

import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// EngineLMDeploy is the value of llm.engine.name for LMDeploy.
const EngineLMDeploy = "lmdeploy"

// lmdeploy is the dialect of LMDeploy 0.16. Its names follow vLLM's, its types do not: requests that ended are gauges there.
func lmdeploy() Table {
	phase := func(p string) []Attribute { return []Attribute{{signal.AttrPhase, p}} }
	kind := func(t string) []Attribute { return []Attribute{{signal.AttrTokenType, t}} }
	spec := func(kind string) []Attribute { return []Attribute{{signal.AttrSpec, kind}} }
	const ratio = "a ratio over an interval of the engine's choice; the counters give it over any"
	return Table{
		Engine:     EngineLMDeploy,
		Prefixes:   []string{"lmdeploy:"},
		RankLabel:  "engine",
		ModelLabel: []string{"model_name"},
		Lacks:      lmdeployLacks(),
		Rows: []Row{
			{Name: "lmdeploy:time_to_first_token_seconds", Kind: Histogram, Metric: signal.TTFT},
			{Name: "lmdeploy:time_per_output_token_seconds", Kind: Histogram, Metric: signal.TPOT},
			{Name: "lmdeploy:iter_token_latency", Kind: Histogram, Metric: signal.ITL},
			{Name: "lmdeploy:e2e_request_latency_seconds", Kind: Histogram, Metric: signal.RequestTime},
			{Name: "lmdeploy:request_queue_time_seconds", Kind: Histogram, Metric: signal.QueueTime},
			{Name: "lmdeploy:request_prefill_time_seconds", Kind: Histogram, Metric: signal.PhaseTime, Fixed: phase(signal.PhasePrefill)},
			{Name: "lmdeploy:request_decode_time_seconds", Kind: Histogram, Metric: signal.PhaseTime, Fixed: phase(signal.PhaseDecode)},
			{Name: "lmdeploy:request_inference_time_seconds", Kind: Histogram, Metric: signal.PhaseTime, Fixed: phase(signal.PhaseInference)},
			{Name: "lmdeploy:num_requests_running", Kind: Gauge, Metric: signal.Running},
			{Name: "lmdeploy:num_requests_waiting", Kind: Gauge, Metric: signal.Waiting},
			{
				Name: "lmdeploy:request_success", Kind: Counter, Metric: signal.RequestCount,
				Labels: []Label{{From: []string{"finished_reason"}, To: signal.AttrFinishReason}},
			},
			{
				Name: "lmdeploy:num_requests_succeeded", Kind: Counter, Lies: "gauge", Metric: signal.RequestCount,
				YieldsTo: []string{"lmdeploy:request_success"},
			},
			{Name: "lmdeploy:num_requests_failed", Kind: Counter, Lies: "gauge", Metric: signal.RequestErrors},
			{Name: "lmdeploy:prompt_tokens", Kind: Counter, Metric: signal.TokensPrompt},
			{Name: "lmdeploy:generation_tokens", Kind: Counter, Metric: signal.TokensGenerated},
			{Name: "lmdeploy:cached_tokens", Kind: Counter, Metric: signal.TokensCached},
			{Name: "lmdeploy:iteration_tokens", Kind: Histogram, Metric: signal.IterationTokens},
			{Name: "lmdeploy:request_prompt_tokens", Kind: Histogram, Metric: signal.RequestTokens, Fixed: kind(signal.TokenTypeInput)},
			{Name: "lmdeploy:request_generation_tokens", Kind: Histogram, Metric: signal.RequestTokens, Fixed: kind(signal.TokenTypeOutput)},
			{Name: "lmdeploy:request_cached_tokens", Kind: Histogram, Metric: signal.RequestCachedTokens},
			{Name: "lmdeploy:gpu_cache_usage_perc", Kind: Gauge, Metric: signal.KVUtilization},
			{Name: "lmdeploy:spec_decode_num_drafts", Kind: Counter, Metric: signal.SpecDrafts},
			{Name: "lmdeploy:spec_decode_num_draft_tokens", Kind: Counter, Metric: signal.SpecTokens, Fixed: spec(signal.SpecDrafted)},
			{Name: "lmdeploy:spec_decode_num_accepted_tokens", Kind: Counter, Metric: signal.SpecTokens, Fixed: spec(signal.SpecAccepted)},
			{
				Name: "lmdeploy:spec_decode_num_accepted_tokens_per_pos", Kind: Counter, Metric: signal.SpecAcceptedTokens,
				Labels: []Label{{From: []string{"position"}, To: signal.AttrSpecPosition}},
			},
			{Name: "lmdeploy:spec_decode_mean_accept_length", Kind: Gauge, Metric: signal.SpecAcceptLength},
			{Name: "lmdeploy:spec_decode_mean_accept_rate", Ignored: ratio},
			{Name: "lmdeploy:prefix_cache_hit_rate", Ignored: ratio},
			{Name: "lmdeploy:request_cache_hit_ratio", Kind: Histogram, Ignored: ratio},
			{Name: "lmdeploy:num_api_*", Ignored: "of the handles in front of the engine, whose own queue is told"},
			{Name: "lmdeploy:backend_config_info", Ignored: "the configuration in labels whose names are not settled"},
		},
	}
}
