package fleetsim

import (
	"bytes"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/engine"
)

// sample adds up the values of a page's series with the given name and, among their labels, the given text.
func sample(t testing.TB, page []byte, name, label string) float64 {
	t.Helper()
	sum, found := 0.0, false
	for _, m := range regexp.MustCompile(`(?m)^`+name+`(?:\{([^}]*)\})? (\S+)$`).FindAllSubmatch(page, -1) {
		if !strings.Contains(string(m[1]), label) {
			continue
		}
		v, err := strconv.ParseFloat(string(m[2]), 64)
		mustNot(t, err)
		sum, found = sum+v, true
	}
	if !found {
		t.Fatalf("the page lacks %s{%s}", name, label)
	}
	return sum
}

// vLLM's pages of both sides agree with the truth where they count the same thing.
func TestVLLMPagesOfBothSides(t *testing.T) {
	requests, prompt, output := traffic(5, 150, 4*time.Millisecond)
	cfg := split(VLLM, 1, 1, requests...)
	cfg.Handoff.Lease, cfg.Pools[1].KVBlocks = 150*time.Millisecond, 100
	o := observe(&cfg)
	f := start(t, cfg)
	finish(t, f)
	x, d := f.Truth().Transfers, f.PoolTruth(1)
	if x.ExpiredLeases == 0 || x.Fetched == 0 {
		t.Fatalf("the run did not exercise everything: %+v", x)
	}
	p, q := pageOf(t, f, 0), pageOf(t, f, 1)
	var remote, expired float64
	for _, r := range o.requests {
		remote += float64(r.RemoteTokens)
	}
	expired = float64(x.ExpiredLeases)
	for _, c := range []struct {
		page        []byte
		name, label string
		want        float64
	}{
		{p, "vllm:prompt_tokens_total", "", float64(prompt)},
		{p, "vllm:generation_tokens_total", "", 150}, // one each, which the client does not get
		{p, "vllm:nixl_num_kv_expired_reqs_total", "", expired},
		{q, "vllm:prompt_tokens_total", "", float64(prompt)},
		{q, "vllm:generation_tokens_total", "", float64(output)},
		{q, "vllm:prompt_tokens_by_source_total", `source="external_kv_transfer"`, remote},
		{q, "vllm:nixl_xfer_time_seconds_count", "", 2 * float64(x.Fetched)}, // ranks
		{q, "vllm:nixl_bytes_transferred_sum", "", x.Bytes},
		{q, "vllm:nixl_num_failed_transfers_total", "", float64(x.Failed)},
		{q, "vllm:time_to_first_token_seconds_count", "", float64(d.TTFT.Count)},
		{q, "vllm:num_requests_waiting", "", 0},
	} {
		if got := sample(t, c.page, c.name, c.label); math.Abs(got-c.want) > 1e-6*math.Abs(c.want) {
			t.Errorf("%s{%s}: got %g, want %g", c.name, c.label, got, c.want)
		}
	}
	// The decode worker's clock starts when it gets the request, the client's long before.
	if engineTTFT := sample(t, q, "vllm:time_to_first_token_seconds_sum", ""); engineTTFT >= d.TTFT.Sum {
		t.Errorf("TTFT: %g s on the page, %g s in truth", engineTTFT, d.TTFT.Sum)
	}
}

// A decode worker that only waits for KV shows it.
func TestWaitingForKVShows(t *testing.T) {
	cfg := split(VLLM, 1, 1, Request{PromptTokens: 800, OutputTokens: 2}, Request{PromptTokens: 800, OutputTokens: 2})
	cfg.Link.Bandwidth, cfg.Pools[1].KVBlocks = 1e8, 70 // blocks for one of them
	f := start(t, cfg)
	advance(t, f, 300*time.Millisecond)
	page := pageOf(t, f, 1)
	deferred := sample(t, page, "vllm:num_requests_waiting_by_reason", `reason="deferred"`)
	capacity := sample(t, page, "vllm:num_requests_waiting_by_reason", `reason="capacity"`)
	if deferred != 1 || capacity != 1 {
		t.Errorf("deferred %g, waiting for capacity %g; want one each", deferred, capacity)
	}
	if got := f.workers[0].state(); got.PrefillPinned != 2 || got.PinnedBlocks != 100 {
		t.Errorf("prefill side: %+v", got)
	}
}

func TestSGLangPagesOfBothSides(t *testing.T) {
	requests, _, _ := traffic(6, 150, 4*time.Millisecond)
	cfg := split(SGLang, 1, 2, requests...)
	f := start(t, cfg)
	finish(t, f)
	x := f.Truth().Transfers
	p := pageOf(t, f, 0)
	if got := sample(t, p, "sglang:kv_transfer_latency_ms_count", ""); got != float64(x.Fetched) {
		t.Errorf("%g transfers on the page, %d in truth", got, x.Fetched)
	}
	if got := sample(t, p, "sglang:kv_transfer_total_mb_sum", ""); math.Abs(got*1e6/x.Bytes-1) > 1e-9 {
		t.Errorf("%g MB on the page, %g B in truth", got, x.Bytes)
	}
}

// What a push-style prefill worker holds back, and the decode worker's queues, are in the state.
func TestSGLangQueues(t *testing.T) {
	var requests Script
	for range 3 {
		requests = append(requests, Request{PromptTokens: 800, OutputTokens: 40})
	}
	cfg := split(SGLang, 1, 1, requests...)
	cfg.Pools[1].KVBlocks = 110 // two prompts
	f := start(t, cfg)
	advance(t, f, time.Millisecond)
	p, d := f.workers[0].state(), f.workers[1].state()
	// The second prompt is still in the prefill worker's inbox, which its engine has not looked at.
	if p.Deferred != 1 || p.Running != 1 || f.workers[0].load() != 3 || d.AwaitingBlocks != 1 || d.AwaitingKV != 2 || d.Waiting != 0 || d.UsedBlocks != 100 {
		t.Errorf("prefill %+v\ndecode %+v", p, d)
	}
}

// A Dynamo front end sees every request it is sent once, from end to end, and its workers have its families before their own.
func TestDynamoFrontEnd(t *testing.T) {
	requests, prompt, output := traffic(7, 150, 4*time.Millisecond)
	cfg := split(VLLM, 2, 2, requests...)
	cfg.FrontEnd = engine.NameDynamo
	cfg.Client = Client{Retries: 1, Backoff: 10 * time.Millisecond}
	f := start(t, cfg)
	advance(t, f, 300*time.Millisecond)
	begun := 0 // it does not know these when they are sent again
	for _, r := range f.workers[3].requests() {
		if r.begun {
			begun++
		}
	}
	mustNot(t, f.RestartWorker(3, 50*time.Millisecond))
	finish(t, f)
	truth := f.Truth()
	if truth.Faults.ResentRequests == 0 {
		t.Fatal("nothing was sent again")
	}
	var b bytes.Buffer
	mustNot(t, f.FrontEnd().WritePage(&b))
	for name, want := range map[string]float64{
		"dynamo_frontend_time_to_first_token_seconds_count": float64(int(truth.TTFT.Count) + begun),
		"dynamo_frontend_inflight_requests":                 0,
		"dynamo_frontend_queued_requests":                   0,
	} {
		if got := sample(t, b.Bytes(), name, ""); got != want {
			t.Errorf("%s: got %g, want %g", name, got, want)
		}
	}
	if got := sample(t, b.Bytes(), "dynamo_frontend_inter_token_latency_seconds_count", ""); got != float64(truth.ITL.Count) || truth.OutputTokens < output {
		t.Errorf("%g intervals, want %d", got, truth.ITL.Count)
	}
	if got := sample(t, b.Bytes(), "dynamo_frontend_input_sequence_tokens_sum", ""); got < float64(prompt) {
		t.Errorf("%g input tokens, want at least %d", got, prompt)
	}
	if page := pageOf(t, f, 0); !bytes.HasPrefix(page, []byte("# HELP dynamo_component_")) {
		t.Errorf("a worker's page begins with %.60q", page)
	}
	if start(t, split(VLLM, 1, 1)).FrontEnd() != nil {
		t.Error("a fleet without a front end has one")
	}
	cfg.FrontEnd = "x"
	if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), `front end: got "x"`) {
		t.Errorf("an unknown front end: %v", err)
	}
}
