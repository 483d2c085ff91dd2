package dialect // import "github.com/otelcol-inference/otelcol-inference/internal/dialect"

import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// EngineLlamaCpp is the value of llm.engine.name for the server of llama.cpp.
const EngineLlamaCpp = "llama_cpp"

// llamaCpp is the dialect of llama.cpp's server with --metrics (tools/server/README.md, 2026). It names no model on its page.
func llamaCpp() Table {
	source := func(s string) []Attribute { return []Attribute{{signal.AttrTokenSource, s}} }
	spec := func(kind string) []Attribute { return []Attribute{{signal.AttrSpec, kind}} }
	// A real server with four slots, under load for 8 s, told 31.5 s of generating (tests/engines/recordings).
	const slots = "adds up the slots, which work at the same time: with several it is more than the time that passed"
	const average = "an average that is reset by every scrape; the counters give the exact rate"
	return Table{
		Engine:   EngineLlamaCpp,
		Prefixes: []string{"llamacpp:"},
		About:    []About{{Path: "/props", Version: []string{"build_info"}}},
		Lacks:    llamaCppLacks(),
		Rows: []Row{
			{Name: "llamacpp:prompt_tokens", Kind: Counter, Metric: signal.TokensPrompt, Fixed: source(signal.TokenSourceLocalCompute)},
			{Name: "llamacpp:prompt_tokens_cached", Kind: Counter, Metric: signal.TokensPrompt, Fixed: source(signal.TokenSourceLocalHit)}, // from 2026 on
			{Name: "llamacpp:tokens_predicted", Kind: Counter, Metric: signal.TokensGenerated},
			{Name: "llamacpp:requests_processing", Kind: Gauge, Metric: signal.Running},
			{Name: "llamacpp:requests_deferred", Kind: Gauge, Metric: signal.Waiting},
			{Name: "llamacpp:n_decode", Kind: Counter, Metric: signal.Iterations},
			{Name: "llamacpp:kv_cache_usage_ratio", Kind: Gauge, Metric: signal.KVUtilization}, // until 2025
			{Name: "llamacpp:spec_decode_num_drafts", Kind: Counter, Metric: signal.SpecDrafts},
			{Name: "llamacpp:spec_decode_num_draft_tokens", Kind: Counter, Metric: signal.SpecTokens, Fixed: spec(signal.SpecDrafted)},
			{Name: "llamacpp:spec_decode_num_accepted_tokens", Kind: Counter, Metric: signal.SpecTokens, Fixed: spec(signal.SpecAccepted)},
			{
				Name: "llamacpp:spec_decode_num_accepted_tokens_per_pos", Kind: Counter, Metric: signal.SpecAcceptedTokens,
				Labels: []Label{{From: []string{"position"}, To: signal.AttrSpecPosition}},
			},
			{Name: "llamacpp:prompt_seconds", Ignored: slots},
			{Name: "llamacpp:tokens_predicted_seconds", Ignored: slots},
			{Name: "llamacpp:prompt_tokens_seconds", Ignored: average},
			{Name: "llamacpp:predicted_tokens_seconds", Ignored: average},
			{Name: "llamacpp:n_busy_slots_per_decode", Ignored: average},
			{Name: "llamacpp:n_tokens_max", Ignored: "the longest sequence ever seen, a high-water mark that is declared a counter"},
			{Name: "llamacpp:kv_cache_tokens", Ignored: "the tokens behind kv_cache_usage_ratio, without their limit"},
		},
	}
}
