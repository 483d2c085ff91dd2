package exposition

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// randomFamily is a family as a random engine exposes it.
type randomFamily struct {
	name, declared string
	label          string   // of the family's own, or ""
	values         []string // of that label
	bounds         []string
}

// randomEngine is what random pages of an engine are made of.
type randomEngine struct {
	rank, model string // labels
	families    []randomFamily
	always      randomFamily
}

func randomEngines() []randomEngine {
	seconds := []string{"0.01", "0.025", "+Inf"}
	return []randomEngine{
		{"engine", "model_name", append(randomVLLM(), randomVLLMHistograms()...), randomFamily{name: "vllm:num_preemptions_total", declared: "counter"}},
		{"dp_rank", "model_name", []randomFamily{
			{name: "sglang:num_running_reqs", declared: "gauge"},
			{name: "sglang:token_usage", declared: "gauge"},
			{name: "sglang:realtime_tokens_total", declared: "counter", label: "mode", values: []string{"prefill_compute", "decode", "new"}},
			{name: "sglang:generation_tokens_total", declared: "counter"},
			{name: "sglang:cached_tokens_total", declared: "counter", label: "cache_source", values: []string{"total", "device", "storage_file"}},
			{name: "sglang:lora_pool_slots_total", declared: "gauge"},
			{name: "sglang:gen_throughput", declared: "gauge"},
			{name: "sglang:mystery", declared: "gauge"},
			{name: "sglang:kv_transfer_latency_ms", declared: "histogram", bounds: []string{"1.0", "25.0", "+Inf"}},
			{name: "sglang:load_back_duration_seconds", declared: "histogram", bounds: seconds},
			{name: "sglang:per_stage_req_latency_seconds", declared: "histogram", label: "stage", values: []string{"a", "b"}, bounds: seconds},
			{name: "dynamo_component_gpu_cache_usage_percent", declared: "gauge"},
		}, randomFamily{name: "sglang:num_retracted_requests_total", declared: "counter"}},
		{"engine", "model_name", []randomFamily{
			{name: "lmdeploy:num_requests_running", declared: "gauge"},
			{name: "lmdeploy:num_requests_succeeded", declared: "gauge"},
			{name: "lmdeploy:request_success_total", declared: "counter", label: "finished_reason", values: []string{"stop", "length"}},
			{name: "lmdeploy:iteration_tokens_total", declared: "histogram", bounds: []string{"1.0", "8.0", "+Inf"}},
			{name: "lmdeploy:iter_token_latency", declared: "histogram", bounds: seconds},
			{name: "lmdeploy:prefix_cache_hit_rate", declared: "gauge"},
		}, randomFamily{name: "lmdeploy:prompt_tokens_total", declared: "counter"}},
		{"dp_rank", "model", []randomFamily{
			{name: "dynamo_component_inflight_requests", declared: "gauge"},
			{name: "dynamo_component_kvstats_gpu_cache_usage_percent", declared: "gauge"},
			{name: "dynamo_component_gpu_cache_usage_percent", declared: "gauge"},
			{name: "dynamo_component_errors_total", declared: "counter", label: "error_type", values: []string{"cancelled", "x"}},
			{name: "dynamo_component_request_duration_seconds", declared: "histogram", bounds: seconds},
			{name: "dynamo_component_novelty", declared: "gauge"},
		}, randomFamily{name: "dynamo_component_requests_total", declared: "counter"}},
	}
}

func randomVLLM() []randomFamily {
	return []randomFamily{
		{name: "vllm:num_requests_running", declared: "gauge"},
		{name: "vllm:num_requests_waiting", declared: "gauge"},
		{name: "vllm:num_requests_waiting_by_reason", declared: "gauge", label: "reason", values: []string{"capacity", "deferred"}},
		{name: "vllm:kv_cache_usage_perc", declared: "gauge"},
		{name: "vllm:gpu_cache_usage_perc", declared: "gauge"},
		{name: "vllm:prompt_tokens_total", declared: "counter"},
		{name: "vllm:prompt_tokens_by_source_total", declared: "counter", label: "source", values: []string{"local_compute", "p\\\"q", "x"}},
		{name: "vllm:request_success_total", declared: "counter", label: "finished_reason", values: []string{"stop", "length", "a b"}},
		{name: "vllm:mystery_total", declared: "counter"},
		{name: "http_requests_total", declared: "counter", label: "handler", values: []string{"/a", "/b"}},
	}
}

func randomVLLMHistograms() []randomFamily {
	return []randomFamily{
		{name: "vllm:iteration_tokens_total", declared: "histogram", bounds: []string{"1.0", "8.0", "16.0", "+Inf"}},
		{name: "vllm:inter_token_latency_seconds", declared: "histogram", bounds: []string{"0.01", "0.025", "+Inf"}},
		{name: "vllm:time_per_output_token_seconds", declared: "histogram", bounds: []string{"0.01", "0.025", "+Inf"}},
		{name: "vllm:model_forward_time_milliseconds", declared: "histogram", bounds: []string{"9.0", "25.0", "+Inf"}},
	}
}

// pick chooses what the engine exposes.
func (e randomEngine) pick(rng *rand.Rand) []randomFamily {
	all := slices.Clone(e.families)
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return append(all[:2+rng.IntN(len(all)-2)], e.always)
}

// page writes the families in random order, each with all its series for two ranks, in random label order.
func (e randomEngine) page(rng *rand.Rand, families []randomFamily, openMetrics bool) string {
	var page strings.Builder
	rng.Shuffle(len(families), func(i, j int) { families[i], families[j] = families[j], families[i] })
	for _, f := range families {
		name := f.name
		if openMetrics && f.declared == "counter" {
			name = strings.TrimSuffix(name, "_total")
		}
		fmt.Fprintf(&page, "# HELP %s Some help with a \\\\ in it.\n# TYPE %s %s\n", name, name, f.declared)
		for _, rank := range []string{"0", "1"} {
			values := f.values
			if f.label == "" {
				values = []string{""}
			}
			for _, v := range values {
				f.write(rng, &page, []string{e.model + `="org/m"`, fmt.Sprintf(`%s="%s"`, e.rank, rank)}, v)
			}
		}
		if !openMetrics && rng.IntN(4) == 0 {
			page.WriteString("\n# a comment\n\n")
		}
	}
	if openMetrics {
		page.WriteString("# EOF\n")
	}
	return page.String()
}

func (f randomFamily) write(rng *rand.Rand, page *strings.Builder, pairs []string, value string) {
	if f.label != "" {
		pairs = append(pairs, fmt.Sprintf(`%s="%s"`, f.label, value))
	}
	if f.declared != "histogram" {
		fmt.Fprintf(page, "%s{%s} %d\n", f.name, shuffled(rng, pairs), rng.IntN(1000))
		return
	}
	n := 0
	for _, bound := range f.bounds {
		n += rng.IntN(50)
		fmt.Fprintf(page, "%s_bucket{%s} %d.0\n", f.name, shuffled(rng, append(slices.Clone(pairs), fmt.Sprintf(`le="%s"`, bound))), n)
	}
	fmt.Fprintf(page, "%s_count{%s} %d\n%s_sum{%s} %v\n", f.name, shuffled(rng, pairs), n, f.name, shuffled(rng, pairs), rng.Float64()*100)
}

func shuffled(rng *rand.Rand, pairs []string) string {
	rng.Shuffle(len(pairs), func(i, j int) { pairs[i], pairs[j] = pairs[j], pairs[i] })
	return strings.Join(pairs, ",")
}
