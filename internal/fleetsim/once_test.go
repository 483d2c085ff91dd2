package fleetsim

import (
	"testing"
	"time"
)

// A client request has one time to first token, whether its answer is cut short and made again, or lost for good.
func TestTTFTCountsOnceAClientRequest(t *testing.T) {
	for name, c := range map[string]struct {
		retries        int
		finished, lost int64
	}{"sent again": {1, 1, 0}, "lost": {0, 0, 1}} {
		cfg := small(Request{PromptTokens: 64, OutputTokens: 60})
		cfg.Client = Client{Retries: c.retries, Backoff: 50 * time.Millisecond}
		f := start(t, cfg)
		for f.Truth().TTFT.Count == 0 {
			advance(t, f, f.Now()+time.Millisecond)
		}
		first := f.Truth().TTFT
		advance(t, f, f.Now()+50*time.Millisecond)
		mustNot(t, f.RestartWorker(0, 100*time.Millisecond))
		finish(t, f)
		x := f.Truth()
		if x.TTFT != first || x.FinishedRequests != c.finished || x.Faults.LostRequests != c.lost {
			t.Errorf("%s: %+v at first, %+v in the end; %d finished, %+v", name, first, x.TTFT, x.FinishedRequests, x.Faults)
		}
	}
}

// A decode worker whose transfers fail computes the prompts itself; each has been looked up once all the same.
func TestPromptsAreAuditedOnceAWorker(t *testing.T) {
	for _, name := range []string{VLLM, SGLang, TensorRTLLM} {
		requests, prompt, _ := traffic(1, 60, 20*time.Millisecond)
		cfg := split(name, 1, 1, requests...)
		cfg.Link.FailureChance, cfg.KVLedger = 1, true
		var blocks, accesses int
		for _, r := range requests {
			blocks += r.PromptTokens / 16
		}
		cfg.OnAccess = func(worker int, _ uint64, _ bool) {
			if worker == 1 {
				accesses++
			}
		}
		f := start(t, cfg)
		finish(t, f)
		x := f.WorkerTruth(1)
		if x.Transfers.LocalPrefills != 60 {
			t.Fatalf("%s: %d prompts computed by the decode worker", name, x.Transfers.LocalPrefills)
		}
		if got := x.KV.Lookups; got.Queries != prompt || got.Hits()+got.Misses() != prompt || accesses != blocks {
			t.Errorf("%s: %d of %d tokens looked up, %d of %d blocks seen", name, got.Queries, prompt, accesses, blocks)
		}
	}
}
