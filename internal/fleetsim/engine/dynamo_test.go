package engine

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func newFrontend(t *testing.T) Frontend {
	t.Helper()
	f, err := NewFrontend(NameDynamo, facts())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestDynamoFrontend(t *testing.T) {
	f := newFrontend(t)
	quiet := read(t, f)
	if quiet.families["dynamo_frontend_time_to_first_token_seconds"] != nil || quiet.families["dynamo_frontend_requests_total"] != nil {
		t.Error("families of requests before the first request")
	}
	answered := &Request{PromptTokens: 300, CachedTokens: 64, GeneratedTokens: 3, NaturalTokens: 3, FirstToken: 20 * time.Millisecond, LastToken: 60 * time.Millisecond}
	left := &Request{PromptTokens: 300, Aborted: true, LastToken: time.Second}
	waits := &Request{PromptTokens: 300}
	for _, r := range []*Request{answered, left, waits} {
		f.Arrived(r)
	}
	f.FirstToken(answered)
	f.Intervals(20*time.Millisecond, 2)
	f.Finished(answered)
	f.Finished(left)
	f.Worker(WorkerLoad{ID: "7587", Role: roleDecode, DecodeBlocks: 9, LastInterval: 15 * time.Millisecond})
	f.Worker(WorkerLoad{ID: "7587", Role: roleDecode, DecodeBlocks: 12, LastInterval: 16 * time.Millisecond})
	f.Pending(rolePrefill, 4)
	p := read(t, f)
	model := `{model="org/model"}`
	worker := `{dp_rank="0",worker_id="7587",worker_type="decode"}`
	p.expect(t, map[string]float64{
		`dynamo_frontend_requests_total{endpoint="chat_completions",error_type="",model="org/model",request_type="stream",status="success"}`:        1,
		`dynamo_frontend_requests_total{endpoint="chat_completions",error_type="cancelled",model="org/model",request_type="stream",status="error"}`: 1,
		"dynamo_frontend_queued_requests" + model:                              1,
		"dynamo_frontend_inflight_requests" + model:                            1,
		"dynamo_frontend_disconnected_clients":                                 1,
		"dynamo_frontend_output_tokens_total" + model:                          3,
		"dynamo_frontend_time_to_first_token_seconds_sum" + model:              0.02,
		"dynamo_frontend_inter_token_latency_seconds_sum" + model:              0.04,
		"dynamo_frontend_request_duration_seconds_sum" + model:                 1.06,
		"dynamo_frontend_input_sequence_tokens_sum" + model:                    300,
		"dynamo_frontend_output_sequence_tokens_sum" + model:                   3,
		"dynamo_frontend_cached_tokens_sum" + model:                            64,
		"dynamo_frontend_model_total_kv_blocks" + model:                        101,
		"dynamo_frontend_model_kv_cache_block_size" + model:                    16,
		"dynamo_frontend_worker_active_decode_blocks" + worker:                 12,
		"dynamo_frontend_worker_last_inter_token_latency_seconds" + worker:     0.016,
		`dynamo_frontend_router_queue_pending_requests{worker_type="prefill"}`: 4,
		// Bounds that the reference lists for intervals and prompts.
		`dynamo_frontend_inter_token_latency_seconds_bucket{le="0.0019",model="org/model"}`: 0,
		`dynamo_frontend_inter_token_latency_seconds_bucket{le="0.024",model="org/model"}`:  2,
		`dynamo_frontend_inter_token_latency_seconds_bucket{le="0.0",model="org/model"}`:    0,
		`dynamo_frontend_input_sequence_tokens_bucket{le="210.0",model="org/model"}`:        0,
		`dynamo_frontend_input_sequence_tokens_bucket{le="430.0",model="org/model"}`:        1,
	})
	if !slices.IsSorted(p.order) {
		t.Errorf("families are not sorted: %v", p.order)
	}
	body := string(pageOf(t, f))
	for _, line := range []string{`inflight_requests{model="org/model"} 1`, `input_sequence_tokens_bucket{model="org/model",le="430"} 1`} {
		if !strings.Contains(body, "\ndynamo_frontend_"+line+"\n") {
			t.Errorf("the page lacks %s: whole numbers have no point, le is the last label", line)
		}
	}
}

// TestDynamoFrontendShapes compares kinds and labels with the table of the reference (prometheus_names.rs at 04070c7).
func TestDynamoFrontendShapes(t *testing.T) {
	f := newFrontend(t)
	r := &Request{PromptTokens: 1, GeneratedTokens: 1, FirstToken: 1, LastToken: 2}
	f.Arrived(r)
	f.FirstToken(r)
	f.Intervals(1, 1)
	f.Finished(r)
	f.Worker(WorkerLoad{ID: "1"})
	f.Pending(roleDecode, 0)
	var want []string
	add := func(kind, labels string, names ...string) {
		for _, n := range names {
			want = append(want, "dynamo_frontend_"+n+" "+kind+" "+labels)
		}
	}
	add("counter", "endpoint,error_type,model,request_type,status", "requests_total")
	add("counter", "model", "output_tokens_total")
	add("gauge", "", "disconnected_clients")
	add("gauge", "model", "queued_requests", "inflight_requests", "model_total_kv_blocks", "model_max_num_seqs",
		"model_max_num_batched_tokens", "model_context_length", "model_kv_cache_block_size", "model_migration_limit")
	add("gauge", "dp_rank,worker_id,worker_type", "worker_active_decode_blocks", "worker_active_prefill_tokens",
		"worker_last_time_to_first_token_seconds", "worker_last_inter_token_latency_seconds", "worker_last_input_sequence_tokens")
	add("gauge", "worker_type", "router_queue_pending_requests")
	add("histogram", "model", "request_duration_seconds", "time_to_first_token_seconds", "inter_token_latency_seconds",
		"input_sequence_tokens", "output_sequence_tokens", "cached_tokens")
	got := read(t, f).shapes()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestDynamoWorkers have Dynamo's families and those of the engine inside.
func TestDynamoWorkers(t *testing.T) {
	for name, inner := range map[string]string{
		"dynamo-vllm": one("prompt_tokens_total"), "dynamo-sglang": ofTokenizer("prompt_tokens_total", label{"is_streaming", "true"}),
		"dynamo-tensorrt_llm": ofTensorRT("prompt_tokens_total"),
	} {
		b := newBook(t, name, facts())
		feed(b)
		b.Finished(&Request{Aborted: true})
		base := `dynamo_component="backend",dynamo_endpoint="generate",dynamo_namespace="dynamo",`
		read(t, b).expect(t, map[string]float64{
			inner: fedPrompt,
			`dynamo_component_gpu_cache_usage_percent{dp_rank="0",model="org/model"}`:             0.25,
			`dynamo_component_total_blocks{dp_rank="0",model="org/model"}`:                        100,
			`dynamo_component_requests_total{` + base + `model="org/model"}`:                      fedRequests + 1,
			`dynamo_component_inflight_requests{` + base + `model="org/model"}`:                   9,
			`dynamo_component_errors_total{` + base + `error_type="cancelled",model="org/model"}`: 1,
			`dynamo_component_request_duration_seconds_count{` + base + `model="org/model"}`:      fedRequests + 1,
		})
	}
}

func TestUnknownFrontend(t *testing.T) {
	if _, err := NewFrontend("nginx", facts()); err == nil || err.Error() != `front end: got "nginx", known is dynamo` {
		t.Errorf("got %v", err)
	}
}
