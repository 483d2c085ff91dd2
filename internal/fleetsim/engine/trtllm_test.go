package engine

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"time"
)

func ofTensorRT(name string, extra ...label) string {
	return "trtllm_" + name + labelText(and(extra, label{"engine_type", "trtllm"}, label{"model_name", "org/model"}), true)
}

// trtllmShapes are the families of trtllm-serve by the table of the reference (collector.py at 050f80d), less what is left out.
func trtllmShapes() []string {
	var out []string
	add := func(kind, labels string, names ...string) {
		for _, n := range names {
			out = append(out, "trtllm_"+n+" "+kind+" "+labels)
		}
	}
	add("gauge", "engine_type,model_name,pid", "kv_cache_hit_rate", "kv_cache_utilization", "kv_cache_iter_reuse_rate",
		"num_requests_running", "num_requests_waiting", "max_num_active_requests", "iteration_latency_seconds", "gpu_memory_usage_bytes",
		"max_batch_size_static", "max_batch_size_runtime", "max_num_tokens_runtime", "kv_cache_max_blocks", "kv_cache_free_blocks",
		"kv_cache_used_blocks", "kv_cache_tokens_per_block", "num_context_requests", "num_generation_requests", "num_paused_requests",
		"num_scheduled_requests", "total_context_tokens", "avg_decoded_tokens_per_iter", "prefill_batch_occupancy",
		"spec_decode_acceptance_length")
	add("gauge", "engine_type,model,model_name,pid", "model_config_info")
	add("gauge", "engine_type,model_name,pid,pp_size,tp_size", "parallel_config_info")
	add("gauge", "cache_dtype,enable_block_reuse,engine_type,model_name,page_size,pid", "kv_cache_config_info")
	add("gauge", "engine_type,max_draft_len,model_name,pid", "speculative_config_info")
	add("counter", "engine_type,finished_reason,model_name", "request_success_total")
	add("counter", "cache_level,cache_tier,engine_type,model_name", "prompt_cache_hit_tokens_total")
	add("counter", "engine_type,model_name", "prompt_tokens_total", "generation_tokens_total", "prompt_cached_tokens_total",
		"kv_cache_reused_blocks_total", "kv_cache_missed_blocks_total", "kv_cache_iter_reused_blocks_total",
		"kv_cache_iter_full_reused_blocks_total", "kv_cache_iter_missed_blocks_total", "num_requests_completed_total",
		"spec_decode_num_draft_tokens_total", "spec_decode_num_accepted_tokens_total")
	add("histogram", "engine_type,model_name", "e2e_request_latency_seconds", "time_to_first_token_seconds",
		"time_per_output_token_seconds", "request_queue_time_seconds", "request_prefill_time_seconds", "request_decode_time_seconds",
		"request_inference_time_seconds", "prompt_cached_tokens_per_request", "prefill_batch_tokens")
	slices.Sort(out)
	return out
}

func TestTensorRTHasTheFamiliesOfTheReference(t *testing.T) {
	f := everything()
	f.Version, f.MemoryBytes = "1.4.0rc1", 80e9
	b := newBook(t, NameTensorRT, f)
	feed(b)
	got := read(t, b).shapes()
	slices.Sort(got)
	if want := trtllmShapes(); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestTensorRTCountsWhatItIsFed(t *testing.T) {
	b := newBook(t, NameTensorRT, everything())
	if quiet := read(t, b); quiet.families["trtllm_num_requests_running"] != nil || quiet.families["trtllm_kv_cache_config_info"] == nil {
		t.Error("a quiet engine has its configuration and no iterations")
	}
	feed(b)
	pid := label{"pid", "1"}
	read(t, b).expect(t, map[string]float64{
		ofTensorRT("request_success_total", label{"finished_reason", "stop"}):   3,
		ofTensorRT("request_success_total", label{"finished_reason", "length"}): 2,
		ofTensorRT("prompt_tokens_total"):                                       fedPrompt,
		ofTensorRT("generation_tokens_total"):                                   fedGenerated,
		ofTensorRT("prompt_cached_tokens_total"):                                fedCached,
		ofTensorRT("num_requests_completed_total"):                              fedRequests,
		ofTensorRT("time_to_first_token_seconds_sum"):                           fedRequests * fedStep.Seconds(),
		ofTensorRT("request_queue_time_seconds_sum"):                            fedRequests * 0.001,
		ofTensorRT("request_prefill_time_seconds_sum"):                          fedRequests * 0.018,
		ofTensorRT("kv_cache_reused_blocks_total"):                              fedRequests * 4,  // 64 of 300 tokens in blocks of 16
		ofTensorRT("kv_cache_missed_blocks_total"):                              fedRequests * 15, // 236 tokens
		ofTensorRT("kv_cache_hit_rate", pid):                                    4.0 / 19,
		ofTensorRT("kv_cache_utilization", pid):                                 0.25,
		ofTensorRT("kv_cache_max_blocks", pid):                                  100,
		ofTensorRT("kv_cache_free_blocks", pid):                                 75,
		ofTensorRT("num_requests_running", pid):                                 3,
		ofTensorRT("num_requests_waiting", pid):                                 6,
		ofTensorRT("iteration_latency_seconds", pid):                            0.02,
		ofTensorRT("num_generation_requests", pid):                              1,
		ofTensorRT("num_context_requests", pid):                                 0,
		ofTensorRT("avg_decoded_tokens_per_iter", pid):                          2,
		ofTensorRT("prefill_batch_tokens_sum"):                                  fedComputed,
		ofTensorRT("spec_decode_num_accepted_tokens_total"):                     10,
	})
}

func TestTensorRTPartsOfBlocks(t *testing.T) {
	b := newBook(t, NameTensorRT, facts())
	b.Planned(Lookup{Queries: 50, Hits: 20}) // a whole block and a quarter; three blocks missed, one of them the rest of that one
	b.Step(&Step{PrefillTokens: 30, State: fedState()})
	read(t, b).expect(t, map[string]float64{
		ofTensorRT("kv_cache_iter_full_reused_blocks_total"):    1,
		ofTensorRT("kv_cache_iter_partial_reused_blocks_total"): 1,
		ofTensorRT("kv_cache_iter_missed_blocks_total"):         1,
	})
}

// drained reads the JSON page, by the engine's own names.
func drained(t *testing.T, b Book) []map[string]any {
	t.Helper()
	for _, e := range b.Endpoints() {
		if e.Path != "/metrics" {
			continue
		}
		var body bytes.Buffer
		if err := e.Write(&body); err != nil {
			t.Fatal(err)
		}
		var list []map[string]any
		if err := json.Unmarshal(body.Bytes(), &list); err != nil {
			t.Fatal(err)
		}
		if list == nil {
			t.Fatalf("got %s, want a list", body.String())
		}
		return list
	}
	t.Fatal("no /metrics")
	return nil
}

func TestTensorRTIterationsDrain(t *testing.T) {
	b := newBook(t, NameTensorRT, everything())
	feed(b)
	list := drained(t, b)
	if len(list) != fedSteps {
		t.Fatalf("got %d records, want %d", len(list), fedSteps)
	}
	if again := drained(t, b); len(again) != 0 {
		t.Errorf("got %d records on the second reading, want 0", len(again))
	}
	first, third := list[0], list[2]
	for name, want := range map[string]any{
		"iter": 1.0, "iterLatencyMS": 20.0, "numActiveRequests": 3.0, "numQueuedRequests": 6.0, "numCompletedRequests": 0.0,
		"maxNumActiveRequests": 8.0, "timestamp": "11-25-2024 02:00:00.020000",
	} {
		if first[name] != want {
			t.Errorf("%s: got %v, want %v", name, first[name], want)
		}
	}
	for path, want := range map[[2]string]float64{
		{"inflightBatchingStats", "numContextRequests"}: 1, {"inflightBatchingStats", "numCtxTokens"}: 200,
		{"inflightBatchingStats", "numGenRequests"}: 0, {"kvCacheStats", "usedNumBlocks"}: 25, {"kvCacheStats", "maxNumBlocks"}: 100,
		{"kvCacheStats", "tokensPerBlock"}: 16, {"kvCacheStats", "missedBlocks"}: 15,
	} {
		if got := first[path[0]].(map[string]any)[path[1]]; got != want {
			t.Errorf("%v: got %v, want %g", path, got, want)
		}
	}
	window := first["kvCacheIterationStats"].(map[string]any)["2048"].(map[string]any)
	if window["iterReusedBlocks"] != 4.0 || window["iterMissedBlocks"] != 15.0 {
		t.Errorf("lookups of the iteration: got %v", window)
	}
	if third["numCompletedRequests"] != 1.0 || third["kvCacheIterationStats"] != nil {
		t.Errorf("third iteration: got %v", third)
	}
	if third["specDecodingStats"].(map[string]any)["acceptanceLength"] != 2.0 {
		t.Errorf("speculation: got %v", third["specDecodingStats"])
	}
}

func TestTensorRTKeepsTheNewestIterations(t *testing.T) {
	b := newBook(t, NameTensorRT, facts())
	for i := range keptIterations + 7 {
		b.Step(&Step{End: time.Duration(i), DecodeSequences: 1, Outputs: 1})
	}
	b.Step(&Step{}) // nothing was computed: no iteration
	list := drained(t, b)
	if len(list) != keptIterations {
		t.Fatalf("got %d records, want %d", len(list), keptIterations)
	}
	for i, it := range list {
		if it["iter"] != float64(i+8) {
			t.Fatalf("record %d: got iteration %v, want %d", i, it["iter"], i+8)
		}
	}
	b.Step(&Step{DecodeSequences: 1})
	if again := drained(t, b); len(again) != 1 || again[0]["iter"] != float64(keptIterations+8) {
		t.Errorf("after the drain: got %v", again)
	}
}

// TestTensorRTVersions: what 1.1 had was little.
func TestTensorRTVersions(t *testing.T) {
	f := facts()
	f.Version = "1.1.0"
	b := newBook(t, NameTensorRT, f)
	feed(b)
	got := read(t, b).order
	slices.Sort(got)
	want := []string{"trtllm_e2e_request_latency_seconds", "trtllm_kv_cache_hit_rate", "trtllm_kv_cache_utilization",
		"trtllm_request_queue_time_seconds", "trtllm_request_success_total", "trtllm_time_per_output_token_seconds",
		"trtllm_time_to_first_token_seconds"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}
