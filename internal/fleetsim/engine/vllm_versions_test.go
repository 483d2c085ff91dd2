package engine

import (
	"slices"
	"strings"
	"testing"
)

// TestVLLMVersions checks which names the releases have. Sources: engines.md of the reference, section 3.1 and its aliases.
func TestVLLMVersions(t *testing.T) {
	watched := []string{
		"vllm:num_requests_swapped", "vllm:gpu_cache_usage_perc", "vllm:kv_cache_usage_perc", "vllm:gpu_prefix_cache_hit_rate",
		"vllm:gpu_prefix_cache_queries_total", "vllm:prefix_cache_queries_total", "vllm:external_prefix_cache_queries_total",
		"vllm:time_in_queue_requests", "vllm:time_per_output_token_seconds", "vllm:inter_token_latency_seconds",
		"vllm:prompt_tokens_by_source_total", "vllm:num_requests_waiting_by_reason", "vllm:request_num_preemptions",
		"vllm:admission_rejections_total", "vllm:iteration_tokens_total",
	}
	v0 := []int{0, 1, 3, 7, 8}
	v1 := []int{2, 5, 9, 14}
	for release, want := range map[string][]int{
		"0.6.4.post1": v0,
		"0.8.5":       append(slices.Clone(v0), 14),
		"0.9.2":       {1, 2, 4, 5, 8, 14},
		"0.10.0":      {1, 2, 4, 5, 8, 14},
		"0.11.0":      {2, 5, 8, 9, 14},
		"0.12.0":      append(slices.Clone(v1), 6),
		"0.16.1":      append(slices.Clone(v1), 6, 10),
		"0.24.0":      append(slices.Clone(v1), 6, 10, 11),
		"0.30.0":      append(slices.Clone(v1), 6, 10, 11, 12),
		"0.32.0":      append(slices.Clone(v1), 6, 10, 11, 12, 13),
	} {
		f := facts()
		f.Version = release
		b := newBook(t, NameVLLM, f)
		feed(b)
		p := read(t, b)
		var names []string
		for _, i := range want {
			names = append(names, watched[i])
		}
		var got []string
		for _, name := range watched {
			if p.families[name] != nil {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		slices.Sort(names)
		if !slices.Equal(got, names) {
			t.Errorf("%s:\n got %v\nwant %v", release, got, names)
		}
	}
}

// TestVLLMV0 checks the habits of V0: prompt tokens as they are computed, every step an iteration, no label engine, no creation times.
func TestVLLMV0(t *testing.T) {
	f := everything()
	f.Version = "0.8.5"
	b := newBook(t, NameVLLM, f)
	quiet := read(t, b)
	if quiet.families["vllm:time_to_first_token_seconds"] != nil || quiet.families["vllm:request_success_total"] != nil {
		t.Error("families of requests before the first request")
	}
	feed(b)
	b.Step(&Step{PrefillTokens: 50, State: fedState()})
	p := read(t, b)
	model := `{model_name="org/model"}`
	p.expect(t, map[string]float64{
		"vllm:prompt_tokens_total" + model:                                          fedComputed + 50,
		"vllm:iteration_tokens_total_sum" + model:                                   fedComputed + fedGenerated + 50,
		"vllm:iteration_tokens_total_count" + model:                                 fedSteps + 1,
		"vllm:gpu_cache_usage_perc" + model:                                         0.25,
		"vllm:gpu_prefix_cache_hit_rate" + model:                                    float64(fedCached) / fedPrompt,
		"vllm:num_requests_swapped" + model:                                         0,
		"vllm:time_in_queue_requests_sum" + model:                                   fedRequests * 0.001,
		"vllm:spec_decode_draft_acceptance_rate" + model:                            0.5,
		"vllm:spec_decode_num_emitted_tokens_total" + model:                         20,
		`vllm:request_success_total{finished_reason="stop",model_name="org/model"}`: 3,
	})
	for key := range p.values {
		if strings.Contains(key, `engine="`) || strings.Contains(key, "_created") {
			t.Errorf("V0 has no %s", key)
		}
	}
}

// TestVLLMRust compares the Rust front end's page with the Python one's: the same series, in another form.
func TestVLLMRust(t *testing.T) {
	f := everything()
	python := newBook(t, NameVLLM, f)
	f.FrontEnd = "rust"
	rust := newBook(t, NameVLLM, f)
	feed(python)
	feed(rust)
	body := string(pageOf(t, rust))
	for _, want := range []string{
		"# HELP vllm:num_requests_running Number of requests in model execution batches..\n# TYPE vllm:num_requests_running gauge\n" +
			"vllm:num_requests_running{model_name=\"org/model\",engine=\"0\"} 3\n",
		"# TYPE vllm:prompt_tokens counter\nvllm:prompt_tokens_total{model_name=\"org/model\",engine=\"0\"} 1500\n",
		"vllm:kv_cache_usage_perc{model_name=\"org/model\",engine=\"0\"} 0.25\n",
		"vllm:time_to_first_token_seconds_bucket{le=\"0.001\",model_name=\"org/model\",engine=\"0\"} 0\n",
		"vllm:request_prompt_tokens_bucket{le=\"2048.0\",model_name=\"org/model\",engine=\"0\"} 5\n",
		"vllm:request_success_total{finished_reason=\"stop\",model_name=\"org/model\",engine=\"0\"} 3\n",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if !strings.HasSuffix(body, "\n# EOF\n") || strings.Contains(body, "_created") || strings.Contains(body, "process_") {
		t.Error("the page does not end, or has creation times")
	}
	r, p := read(t, rust), read(t, python)
	for key, v := range p.values {
		name, _, _ := strings.Cut(key, "{")
		if strings.HasSuffix(name, "_created") || strings.HasPrefix(name, "process_") || strings.Contains(key, "le=") {
			continue
		}
		if got := r.value(t, key); got != v {
			t.Errorf("%s: got %g, want %g", key, got, v)
		}
	}
}

func TestVLLMEarlyRust(t *testing.T) {
	f := facts()
	f.FrontEnd, f.Version = "rust", "0.27.0"
	p := read(t, newBook(t, NameVLLM, f))
	p.expect(t, map[string]float64{
		one("estimated_flops_per_gpu_total_total"):                     0,
		one("request_success_total", label{"finish_reason", "length"}): 0,
	})
	for _, name := range []string{"vllm:cache_config_info", "vllm:engine_sleep_state", "vllm:num_requests_waiting_by_reason", "vllm:iteration_tokens_total"} {
		if p.families[name] != nil {
			t.Errorf("%s on an early page", name)
		}
	}
}
