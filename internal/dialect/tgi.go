package dialect // import "github.com/otelcol-inference/otelcol-inference/internal/dialect"

import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// EngineTGI is the value of llm.engine.name for Text Generation Inference.
const EngineTGI = "tgi"

// tgi is the dialect of Text Generation Inference 3.3 (maintenance). It names no model. Two of its counters end in _count, as if
// they were parts of histograms.
func tgi() Table {
	method := []Label{{From: []string{"method"}, To: signal.AttrPhase}}
	kind := func(t string) []Attribute { return []Attribute{{signal.AttrTokenType, t}} }
	const (
		inner   = "an inner step of a batch; the forward pass is what counts"
		limit   = "a limit of the batch, of no meaning outside"
		doubled = "requests that came; those that ended are counted by outcome"
	)
	return Table{
		Engine:   EngineTGI,
		Prefixes: []string{"tgi_"},
		About:    []About{{Path: "/info", Version: []string{"version"}}},
		Inputs:   tgiInputs(),
		Lacks:    tgiLacks(),
		Rows: []Row{
			{Name: "tgi_request_duration", Kind: Histogram, Metric: signal.RequestTime},
			{Name: "tgi_request_queue_duration", Kind: Histogram, Metric: signal.QueueTime},
			{
				Name: "tgi_request_inference_duration", Kind: Histogram, Metric: signal.PhaseTime,
				Fixed: []Attribute{{signal.AttrPhase, signal.PhaseInference}},
			},
			{
				Name: "tgi_request_validation_duration", Kind: Histogram, Metric: signal.RequestStageTime,
				Fixed: []Attribute{{signal.AttrStage, "validation"}},
			},
			{Name: "tgi_request_mean_time_per_token_duration", Kind: Histogram, Metric: signal.TPOT},
			{Name: "tgi_request_input_length", Kind: Histogram, Metric: signal.RequestTokens, Fixed: kind(signal.TokenTypeInput)},
			{Name: "tgi_request_generated_tokens", Kind: Histogram, Metric: signal.RequestTokens, Fixed: kind(signal.TokenTypeOutput)},
			{Name: "tgi_request_max_new_tokens", Kind: Histogram, Metric: signal.RequestMaxTokens},
			{Name: "tgi_request_success", Kind: Counter, Metric: signal.RequestCount},
			{
				Name: "tgi_request_failure", Kind: Counter, Metric: signal.RequestErrors,
				Labels: []Label{{From: []string{"err"}, To: signal.AttrErrorType}},
			},
			{Name: "tgi_queue_size", Kind: Gauge, Metric: signal.Waiting},
			{Name: "tgi_batch_current_size", Kind: Gauge, Metric: signal.Running},
			{Name: "tgi_batch_forward_duration", Kind: Histogram, SumOnly: true, Metric: signal.PhaseBusyTime, Labels: method},
			{Name: "tgi_batch_inference_count", Kind: Counter, Metric: signal.Iterations, Labels: method},

			{Name: "tgi_request_count", Ignored: doubled},
			{Name: "tgi_request_skipped_tokens", Kind: Histogram, Ignored: "speculated tokens per request, a figure that no other engine has"},
			{Name: "tgi_batch_current_max_tokens", Ignored: limit},
			{Name: "tgi_batch_next_size", Kind: Histogram, Ignored: "1024 buckets of a batch's size, which the gauge of the running batch tells"},
			{Name: "tgi_batch_*", Ignored: inner},
		},
	}
}
