package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// one is a series of vLLM's rank 0.
func one(name string, extra ...label) string {
	return "vllm:" + name + labelText(and(extra, label{"engine", "0"}, label{"model_name", "org/model"}), true)
}

func TestVLLMCountsWhatItIsFed(t *testing.T) {
	b := newBook(t, NameVLLM, everything())
	feed(b)
	p := read(t, b)
	source := func(v string) label { return label{"source", v} }
	p.expect(t, map[string]float64{
		"process_start_time_seconds":                                                                         1732500000,
		one("num_requests_running"):                                                                          3,
		one("num_requests_waiting"):                                                                          6,
		one("kv_cache_usage_perc"):                                                                           0.25,
		one("num_preemptions_total"):                                                                         2,
		one("prompt_tokens_total"):                                                                           fedPrompt,
		one("generation_tokens_total"):                                                                       fedGenerated,
		one("num_requests_waiting_by_reason", label{"reason", "capacity"}):                                   4,
		one("num_requests_waiting_by_reason", label{"reason", "deferred"}):                                   2,
		one("prompt_tokens_by_source_total", source("local_compute")):                                        fedComputed,
		one("prompt_tokens_by_source_total", source("local_cache_hit")):                                      fedCached,
		one("prompt_tokens_by_source_total", source("external_kv_transfer")):                                 fedRemote,
		one("prompt_tokens_cached_total"):                                                                    fedCached + fedRemote,
		one("prompt_tokens_cached_by_source_total", source("device")):                                        fedCached,
		one("prompt_tokens_cached_by_source_total", source("p2p")):                                           fedRemote,
		one("prefix_cache_queries_total"):                                                                    fedPrompt,
		one("prefix_cache_hits_total"):                                                                       fedCached,
		one("external_prefix_cache_queries_total"):                                                           fedPrompt - fedCached,
		one("external_prefix_cache_hits_total"):                                                              fedRemote,
		one("request_success_total", label{"finished_reason", "stop"}):                                       3,
		one("request_success_total", label{"finished_reason", "length"}):                                     2,
		one("iteration_tokens_total_count"):                                                                  fedSteps,
		one("iteration_tokens_total_sum"):                                                                    fedComputed + fedGenerated,
		one("time_to_first_token_seconds_sum"):                                                               fedRequests * fedStep.Seconds(),
		one("inter_token_latency_seconds_count"):                                                             fedGenerated - fedRequests,
		one("request_time_per_output_token_seconds_sum"):                                                     fedRequests * fedStep.Seconds(),
		one("e2e_request_latency_seconds_sum"):                                                               fedRequests * 3 * fedStep.Seconds(),
		one("request_queue_time_seconds_sum"):                                                                fedRequests * 0.001,
		one("request_num_preemptions_sum"):                                                                   2,
		one("request_prefill_kv_computed_tokens_sum"):                                                        fedComputed,
		one("request_params_max_tokens_sum"):                                                                 fedRequests * (2048 - 300),
		one("spec_decode_num_drafts_total"):                                                                  10,
		one("spec_decode_num_draft_tokens_total"):                                                            20,
		one("spec_decode_num_accepted_tokens_total"):                                                         10,
		one("spec_decode_num_accepted_tokens_per_pos_total", label{"position", "0"}):                         10,
		one("spec_decode_num_accepted_tokens_per_pos_total", label{"position", "1"}):                         0,
		one("nixl_xfer_time_seconds_count"):                                                                  2,
		one("nixl_xfer_time_seconds_sum"):                                                                    0.04,
		one("nixl_post_time_seconds_sum"):                                                                    0.002,
		one("nixl_bytes_transferred_sum"):                                                                    2 << 20,
		one("nixl_num_descriptors_sum"):                                                                      128,
		one("nixl_num_failed_transfers_total"):                                                               1,
		one("nixl_num_failed_notifications_total"):                                                           1,
		one("nixl_num_kv_expired_reqs_total"):                                                                2,
		one("kv_block_lifetime_seconds_count"):                                                               1, // one block in two
		one("kv_block_lifetime_seconds_sum"):                                                                 20,
		one("kv_block_reuse_gap_seconds_sum"):                                                                4,
		one("estimated_flops_per_gpu_total"):                                                                 (fedComputed+10)*100 + (5*40000+10*301)*2,
		one("estimated_read_bytes_per_gpu_total"):                                                            fedSteps*1000 + (fedComputed+10*301)*10,
		one("estimated_write_bytes_per_gpu_total"):                                                           (fedComputed + 10) * 10,
		`vllm:lora_requests_info{max_lora="4",running_lora_adapters="chat,sql",waiting_lora_adapters="law"}`: 1732500000 + fedSteps*fedStep.Seconds(),
	})
}

func TestVLLMStepsWithoutOutputAreNoIterations(t *testing.T) {
	b := newBook(t, NameVLLM, facts())
	b.Step(&Step{PrefillTokens: 100, State: State{Running: 1, Waiting: 3}})
	p := read(t, b)
	p.expect(t, map[string]float64{
		one("iteration_tokens_total_count"): 0, one("num_requests_running"): 1, one("num_requests_waiting"): 3, one("prompt_tokens_total"): 0,
	})
}

func TestVLLMForgetsClientsThatWentAway(t *testing.T) {
	b := newBook(t, NameVLLM, facts())
	b.Finished(&Request{PromptTokens: 5, Aborted: true})
	p := read(t, b)
	p.expect(t, map[string]float64{
		one("request_success_total", label{"finished_reason", "abort"}): 0, one("request_prompt_tokens_count"): 0,
	})
}

func TestVLLMOptionsBringTheirFamilies(t *testing.T) {
	plain := read(t, newBook(t, NameVLLM, facts()))
	full := read(t, newBook(t, NameVLLM, everything()))
	var more []string
	for _, name := range full.order {
		if plain.families[name] == nil && !strings.HasSuffix(name, "_created") {
			more = append(more, name)
		}
	}
	want := []string{
		"vllm:spec_decode_num_drafts_total", "vllm:spec_decode_num_draft_tokens_total", "vllm:spec_decode_num_accepted_tokens_total",
		"vllm:spec_decode_num_accepted_tokens_per_pos_total", "vllm:nixl_xfer_time_seconds", "vllm:nixl_post_time_seconds",
		"vllm:nixl_bytes_transferred", "vllm:nixl_num_descriptors", "vllm:nixl_num_failed_transfers_total",
		"vllm:nixl_num_failed_notifications_total", "vllm:nixl_num_kv_expired_reqs_total", "vllm:kv_block_lifetime_seconds",
		"vllm:kv_block_idle_before_evict_seconds", "vllm:kv_block_reuse_gap_seconds", adapterName,
	}
	if !slices.Equal(more, want) {
		t.Errorf("got %v\nwant %v", more, want)
	}
}

// TestVLLMSeriesOfAdaptersStay: a combination that comes back has its series renewed, the others keep their times.
func TestVLLMSeriesOfAdaptersStay(t *testing.T) {
	b := newBook(t, NameVLLM, everything())
	for i, running := range [][]string{{"a"}, {"a", "b"}, {"a"}} {
		b.Step(&Step{End: time.Duration(i+1) * time.Second, Outputs: 1, State: State{RunningAdapters: running}})
	}
	p := read(t, b)
	p.expect(t, map[string]float64{
		`vllm:lora_requests_info{max_lora="4",running_lora_adapters="a",waiting_lora_adapters=""}`:   1732500003,
		`vllm:lora_requests_info{max_lora="4",running_lora_adapters="a,b",waiting_lora_adapters=""}`: 1732500002,
	})
	for i := range 2 * mostAdapterSeries {
		b.Step(&Step{End: time.Minute, Outputs: 1, State: State{RunningAdapters: []string{fmt.Sprint(i)}}})
	}
	if n := len(read(t, b).families[adapterName].series); n != mostAdapterSeries {
		t.Errorf("got %d series of adapters, want %d", n, mostAdapterSeries)
	}
}

func TestVLLMRanksShareAPage(t *testing.T) {
	f, g := facts(), facts()
	g.Rank = 1
	first, second := newBook(t, NameVLLM, f), newBook(t, NameVLLM, g)
	joint, err := Join(first, second)
	if err != nil {
		t.Fatal(err)
	}
	feed(second)
	p := read(t, joint)
	p.expect(t, map[string]float64{
		one("prompt_tokens_total"):                                             0,
		`vllm:prompt_tokens_total{engine="1",model_name="org/model"}`:          fedPrompt,
		`vllm:prompt_tokens_created{engine="1",model_name="org/model"}`:        1732500000,
		`vllm:request_prompt_tokens_sum{engine="1",model_name="org/model"}`:    fedPrompt,
		`vllm:kv_cache_usage_perc{engine="1",model_name="org/model"}`:          0.25,
		`vllm:iteration_tokens_total_count{engine="0",model_name="org/model"}`: 0,
	})
	if n := len(p.families["vllm:cache_config_info"].series); n != 2 {
		t.Errorf("got %d cache configurations, want 2", n)
	}
	for name, books := range map[string][]Book{
		"rank: got 0 twice":                 {newBook(t, NameVLLM, f), newBook(t, NameVLLM, f)},
		"ranks: got *engine.SGLang beside":  {newBook(t, NameVLLM, f), newBook(t, NameSGLang, f)},
		"ranks: got none":                   nil,
		"ranks: got *engine.TensorRT, only": {newBook(t, NameTensorRT, f)},
	} {
		if _, err := Join(books...); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %q", err, name)
		}
	}
}

func TestVLLMAPIServersObserveTheirShares(t *testing.T) {
	f := facts()
	f.APIServers = 2
	b := newBook(t, NameVLLM, f)
	b.Step(&Step{Outputs: 5, CreditedPrompt: 100, PrefillTokens: 100})
	b.Step(&Step{Outputs: 1})
	p := read(t, b)
	p.expect(t, map[string]float64{one("iteration_tokens_total_count"): 3, one("iteration_tokens_total_sum"): 106})
	for _, name := range p.order {
		if strings.HasSuffix(name, "_created") || strings.HasPrefix(name, "process_") {
			t.Errorf("%s on the page of several processes", name)
		}
	}
}
