package engine

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// ofScheduler is a series of SGLang's scheduler of rank 0.
func ofScheduler(name, engineType string, extra ...label) string {
	return "sglang:" + name + labelText(and(extra, label{"engine_type", engineType}, label{"model_name", "org/model"},
		label{"moe_ep_rank", "0"}, label{"pp_rank", "0"}, label{"tp_rank", "0"}), true)
}

// ofTokenizer is a series of SGLang's tokenizer process.
func ofTokenizer(name string, extra ...label) string {
	return "sglang:" + name + labelText(and(extra, label{"engine_type", "unified"}, label{"model_name", "org/model"}), true)
}

// sglangShapes are the families of a prefill engine that has done everything, by kind, name and labels: the table of SGLang in
// the reference (metrics_collector.py at 016d860), less what is left out.
func sglangShapes() []string {
	const scheduler = "engine_type,model_name,moe_ep_rank,pp_rank,tp_rank"
	const tokenizer = "engine_type,model_name"
	with := func(more string) string {
		names := append(strings.Split(scheduler, ","), more)
		slices.Sort(names)
		return strings.Join(names, ",")
	}
	streaming := "engine_type,is_streaming,model_name"
	var out []string
	add := func(kind, labels string, names ...string) {
		for _, n := range names {
			out = append(out, "sglang:"+n+" "+kind+" "+labels)
		}
	}
	add("gauge", scheduler, "num_running_reqs", "num_queue_reqs", "num_grammar_queue_reqs", "gen_throughput", "cache_hit_rate",
		"decode_sum_seq_lens", "token_usage", "full_token_usage", "swa_token_usage", "mamba_usage", "num_used_tokens",
		"kv_available_tokens", "kv_evictable_tokens", "kv_used_tokens", "swa_available_tokens", "swa_evictable_tokens", "swa_used_tokens",
		"mamba_available_tokens", "mamba_evictable_tokens", "mamba_used_tokens", "spec_accept_length", "spec_accept_rate",
		"spec_cap_length", "spec_block_accept_length", "spec_num_steps", "spec_num_draft_tokens", "num_prefill_bootstrap_queue_reqs",
		"num_prefill_inflight_queue_reqs", "num_decode_prealloc_queue_reqs", "num_decode_transfer_queue_reqs", "utilization",
		"fwd_occupancy", "is_cuda_graph", "lora_pool_slots_used", "lora_pool_slots_total", "lora_pool_utilization",
		"max_total_num_tokens", "page_size", "num_pages", "context_len")
	add("gauge", with("pid"), "num_retracted_reqs", "num_paused_reqs")
	add("counter", scheduler, "num_retracted_requests_total", "num_transfer_failed_reqs_total", "evicted_tokens_total",
		"estimated_flops_per_gpu_total", "estimated_read_bytes_per_gpu_total", "estimated_write_bytes_per_gpu_total")
	add("counter", with("mode"), "realtime_tokens_total", "prefill_effective_tokens_total", "cuda_graph_passes_total")
	add("counter", with("category"), "forward_execution_seconds_total")
	add("counter", streaming, "prompt_tokens_total", "generation_tokens_total", "num_requests_total")
	add("counter", "cache_source,"+tokenizer, "cached_tokens_total")
	add("counter", tokenizer, "num_aborted_requests_total")
	add("histogram", scheduler, "kv_transfer_speed_gb_s", "kv_transfer_latency_ms", "kv_transfer_bootstrap_ms", "kv_transfer_alloc_ms",
		"kv_transfer_total_mb", "queue_time_seconds")
	add("histogram", with("stage"), "per_stage_req_latency_seconds")
	add("histogram", tokenizer, "prompt_tokens_histogram", "uncached_prompt_tokens_histogram", "generation_tokens_histogram",
		"inter_token_latency_seconds")
	add("histogram", streaming, "time_to_first_token_seconds", "e2e_request_latency_seconds")
	add("histogram", "name", "func_latency_seconds")
	slices.Sort(out)
	return out
}

func TestSGLangHasTheFamiliesOfTheReference(t *testing.T) {
	f := everything()
	f.Role = rolePrefill
	b := newBook(t, NameSGLang, f)
	feed(b)
	b.Finished(&Request{Aborted: true})
	got := read(t, b).shapes()
	slices.Sort(got)
	if want := sglangShapes(); !slices.Equal(got, want) {
		for _, s := range got {
			if !slices.Contains(want, s) {
				t.Errorf("not in the reference: %s", s)
			}
		}
		for _, s := range want {
			if !slices.Contains(got, s) {
				t.Errorf("not on the page: %s", s)
			}
		}
	}
}

func TestSGLangCountsWhatItIsFed(t *testing.T) {
	b := newBook(t, NameSGLang, everything())
	feed(b)
	p := read(t, b)
	u := func(name string, extra ...label) string { return ofScheduler(name, "unified", extra...) }
	stream := label{"is_streaming", "true"}
	p.expect(t, map[string]float64{
		u("num_running_reqs"):               3,
		u("num_queue_reqs"):                 4,
		u("token_usage"):                    0.25,
		u("num_used_tokens"):                25 * 16,
		u("kv_used_tokens"):                 25 * 16,
		u("kv_evictable_tokens"):            15 * 16,
		u("kv_available_tokens"):            60 * 16,
		u("max_total_num_tokens"):           1600,
		u("page_size"):                      16,
		u("num_pages"):                      100,
		u("cache_hit_rate"):                 64.0 / 300,
		u("num_retracted_requests_total"):   2,
		u("evicted_tokens_total"):           32,
		u("num_transfer_failed_reqs_total"): 3,
		u("realtime_tokens_total", label{"mode", "prefill_compute"}):              fedComputed,
		u("realtime_tokens_total", label{"mode", "prefill_cache"}):                fedCached,
		u("prefill_effective_tokens_total", label{"mode", "input"}):               fedComputed,
		u("prefill_effective_tokens_total", label{"mode", "device_hit"}):          fedCached,
		u("prefill_effective_tokens_total", label{"mode", "host_hit"}):            0,
		u("forward_execution_seconds_total", label{"category", "extend"}):         fedRequests * fedStep.Seconds(),
		u("forward_execution_seconds_total", label{"category", "decode"}):         2 * fedRequests * fedStep.Seconds(),
		u("cuda_graph_passes_total", label{"mode", "decode_cuda_graph"}):          10,
		u("estimated_flops_per_gpu_total"):                                        (fedComputed+10)*100 + (5*40000+10*301)*2,
		u("queue_time_seconds_sum"):                                               fedRequests * 0.001,
		u("kv_transfer_speed_gb_s_sum"):                                           50,
		u("kv_transfer_latency_ms_sum"):                                           10,
		u("kv_transfer_total_mb_sum"):                                             500,
		u("kv_transfer_bootstrap_ms_sum"):                                         3,
		u("kv_transfer_alloc_ms_sum"):                                             4,
		u("per_stage_req_latency_seconds_sum", label{"stage", "prefill_forward"}): fedRequests * 0.018,
		ofTokenizer("prompt_tokens_total", stream):                                fedPrompt,
		ofTokenizer("generation_tokens_total", stream):                            fedGenerated,
		ofTokenizer("cached_tokens_total", label{"cache_source", "device"}):       fedCached,
		ofTokenizer("num_requests_total", stream):                                 fedRequests,
		ofTokenizer("time_to_first_token_seconds_sum", stream):                    fedRequests * fedStep.Seconds(),
		ofTokenizer("inter_token_latency_seconds_count"):                          fedGenerated - fedRequests,
		ofTokenizer("uncached_prompt_tokens_histogram_sum"):                       fedComputed,
		`sglang:func_latency_seconds_count{name="generate_request"}`:              fedRequests,
	})
	if _, live := p.values[u("realtime_tokens_total", label{"mode", "decode"})]; live {
		t.Error("decoded tokens are on the page before the first log of decode batches")
	}
}

// TestSGLangRenewsGaugesOnlyWhenItLogs: with every step that has prefill, with each 40th other one, and when it runs empty.
func TestSGLangRenewsGaugesOnlyWhenItLogs(t *testing.T) {
	b := newBook(t, NameSGLang, facts())
	if quiet := read(t, b); quiet.families["sglang:num_running_reqs"] != nil || quiet.families["sglang:page_size"] == nil {
		t.Error("a quiet engine has constants and no gauges")
	}
	u := func(name string, extra ...label) string { return ofScheduler(name, "unified", extra...) }
	b.Step(&Step{PrefillTokens: 10, State: State{Running: 1}})
	for i := range decodeLogEvery - 1 {
		b.Step(&Step{End: time.Duration(i+1) * 10 * time.Millisecond, DecodeSequences: 7, Outputs: 7, State: State{Running: 7}})
	}
	read(t, b).expect(t, map[string]float64{u("num_running_reqs"): 1, u("gen_throughput"): 0})
	b.Step(&Step{End: 400 * time.Millisecond, DecodeSequences: 7, Outputs: 7, Drafts: 7, Drafted: 14, Accepted: 7, State: State{Running: 7}})
	read(t, b).expect(t, map[string]float64{
		u("spec_accept_length"): 2, u("spec_accept_rate"): 0.5,
		u("num_running_reqs"): 7, u("gen_throughput"): 7 * decodeLogEvery / 0.4,
		u("realtime_tokens_total", label{"mode", "decode"}): 7 * decodeLogEvery,
	})
	b.Step(&Step{End: time.Second, DecodeSequences: 7, Outputs: 7})
	read(t, b).expect(t, map[string]float64{
		u("num_running_reqs"): 0, u("gen_throughput"): 7 * decodeLogEvery / 0.4, // stale from here on
		u("realtime_tokens_total", label{"mode", "decode"}): 7 * decodeLogEvery,
	})
}

func TestSGLangQueuesOfDisaggregation(t *testing.T) {
	for role, want := range map[string]map[string]float64{
		rolePrefill: {"num_prefill_bootstrap_queue_reqs": 2, "num_prefill_inflight_queue_reqs": 5},
		roleDecode:  {"num_prefill_bootstrap_queue_reqs": 0, "num_decode_prealloc_queue_reqs": 6, "num_decode_transfer_queue_reqs": 7},
	} {
		f := facts()
		f.Role = role
		b := newBook(t, NameSGLang, f)
		feed(b)
		p := read(t, b)
		for name, v := range want {
			p.expect(t, map[string]float64{ofScheduler(name, role): v})
		}
		stage := "prefill_forward"
		if role == roleDecode {
			stage = "decode_transferred"
		}
		p.expect(t, map[string]float64{ofScheduler("per_stage_req_latency_seconds_count", role, label{"stage", stage}): fedRequests})
	}
}

// TestSGLangVersions checks the renames and changes of kind that the reference names.
func TestSGLangVersions(t *testing.T) {
	for release, want := range map[string]map[string]string{
		"0.4.9": {
			"sglang:cache_config_info": "gauge", "sglang:kv_transfer_speed_gb_s": "gauge", "sglang:num_prefill_prealloc_queue_reqs": "gauge",
			"sglang:time_per_output_token_seconds": "histogram", "sglang:page_size": "", "sglang:forward_execution_seconds_total": "",
		},
		"0.5.10": {
			"sglang:cache_config_info": "gauge", "sglang:kv_transfer_latency_ms": "gauge", "sglang:eviction_num_tokens_total": "counter",
			"sglang:time_per_output_token_seconds": "", "sglang:page_size": "", "sglang:num_prefill_prealloc_queue_reqs": "gauge",
		},
		"0.5.11": {
			"sglang:cache_config_info": "", "sglang:kv_transfer_latency_ms": "histogram", "sglang:evicted_tokens_total": "counter",
			"sglang:page_size": "gauge", "sglang:num_prefill_bootstrap_queue_reqs": "gauge", "sglang:num_prefill_prealloc_queue_reqs": "",
		},
	} {
		f := facts()
		f.Version = release
		b := newBook(t, NameSGLang, f)
		feed(b)
		p := read(t, b)
		for name, kind := range want {
			got := ""
			if family := p.families[name]; family != nil {
				got = family.kind
			}
			if got != kind {
				t.Errorf("%s: %s: got kind %q, want %q", release, name, got, kind)
			}
		}
		if release == "0.4.9" {
			p.expect(t, map[string]float64{
				`sglang:cached_tokens_total{engine_type="unified",model_name="org/model"}`:                            fedCached,
				`sglang:kv_transfer_latency_ms{engine_type="unified",model_name="org/model",pp_rank="0",tp_rank="0"}`: 10,
			})
		}
	}
}

func TestSGLangRanksShareAPage(t *testing.T) {
	f := facts()
	g := f
	g.Rank = 1
	first, second := newBook(t, NameSGLang, f), newBook(t, NameSGLang, g)
	joint, err := Join(first, second)
	if err != nil {
		t.Fatal(err)
	}
	feed(first)
	feed(second)
	p := read(t, joint)
	for _, rank := range []string{"0", "1"} {
		p.expect(t, map[string]float64{ofScheduler("num_running_reqs", "unified", label{"dp_rank", rank}): 3})
	}
	p.expect(t, map[string]float64{ofTokenizer("num_requests_total", label{"is_streaming", "true"}): 2 * fedRequests})
}
