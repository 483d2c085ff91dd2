package fleetsim

import (
	"math"
	"testing"
	"time"
)

// families are requests of several families with a long common prefix each, far enough apart not to queue.
func families(n, families int) (requests Script) {
	for i := range n {
		requests = append(requests, Request{
			At: time.Duration(i) * 200 * time.Millisecond, PromptTokens: 900, OutputTokens: 4, PrefixID: uint64(1 + i%families), PrefixTokens: 800,
		})
	}
	return requests
}

func cachedShare(t *testing.T, change func(*Config)) float64 {
	t.Helper()
	cfg := split(VLLM, 1, 1, families(120, 7)...)
	cfg.Pools = cfg.Pools[:1]
	cfg.Pools[0].Role, cfg.Pools[0].Workers, cfg.Router = Aggregated, 4, PrefixAware
	change(&cfg)
	f := start(t, cfg)
	finish(t, f)
	truth := f.Truth()
	return float64(truth.CachedTokens) / float64(truth.PromptTokens)
}

// The prefix-aware router keeps families together; with workers whose hashes it does not know it cannot.
func TestPrefixAwareRouting(t *testing.T) {
	once := 800.0 / 900 * (1 - 7.0/120) // only the first of a family computes its prefix
	if got := cachedShare(t, func(*Config) {}); math.Abs(got-once) > 0.001 {
		t.Errorf("prefix aware: %.3f of the prompt tokens are cached, want %.3f", got, once)
	}
	everywhere := 800.0 / 900 * (1 - 4*7.0/120)
	if got := cachedShare(t, func(c *Config) { c.Router = RoundRobin }); math.Abs(got-everywhere) > 0.001 {
		t.Errorf("round robin: %.3f of the prompt tokens are cached, want %.3f", got, everywhere)
	}
	// The only worker it can see through gets everything that it has once been given.
	blind := func(c *Config) {
		c.Pools[0].Replicas = []Replica{{HashSeed: 1}, {HashSeed: 2}, {HashSeed: 3}, {HashSeed: 4}}
	}
	cfg := split(VLLM, 1, 1)
	cfg.Pools = cfg.Pools[:1]
	cfg.Pools[0].Role, cfg.Pools[0].Workers, cfg.Router = Aggregated, 4, PrefixAware
	blind(&cfg)
	f := start(t, cfg)
	w := f.workers[2]
	r := &request{Request: Request{PromptTokens: 160, PrefixID: 5, PrefixTokens: 160}}
	ids := []int32{}
	for i := range 10 {
		id := w.sched.pool.take()
		w.sched.pool.store(id, r.blockHash(i, 16))
		ids = append(ids, id)
	}
	w.sched.pool.release(ids)
	if got := w.prefixCost(r); got != 160 {
		t.Errorf("a worker with another hash seed costs %d, want the whole prompt", got)
	}
	w.hashSeed = 0
	if got := w.prefixCost(r); got != 160-9*16 {
		t.Errorf("a worker with the prompt cached costs %d, want its last block", got)
	}
}

// Load outweighs a small prefix.
func TestPrefixAwareRoutingMindsTheLoad(t *testing.T) {
	cfg := split(VLLM, 1, 1)
	cfg.Pools = cfg.Pools[:1]
	cfg.Pools[0].Role, cfg.Pools[0].Workers, cfg.Router = Aggregated, 2, PrefixAware
	var requests Script
	for i := range 40 {
		requests = append(requests, Request{At: time.Duration(i), PromptTokens: 900, OutputTokens: 50, PrefixID: 1, PrefixTokens: 64})
	}
	cfg.Workload = requests
	f := start(t, cfg)
	finish(t, f)
	if a, b := f.WorkerTruth(0).FinishedRequests, f.WorkerTruth(1).FinishedRequests; a < 15 || b < 15 {
		t.Errorf("40 requests at once were shared %d to %d", a, b)
	}
}

func TestRandomRoutingIsEven(t *testing.T) {
	requests, _, _ := traffic(1, 400, 10*time.Millisecond)
	cfg := split(VLLM, 4, 4, requests...)
	cfg.Router = Random
	f := start(t, cfg)
	finish(t, f)
	for i := range 4 {
		if p, d := f.WorkerTruth(i).Transfers.Prefills, f.WorkerTruth(4+i).FinishedRequests; p < 60 || p > 140 || d < 60 || d > 140 {
			t.Errorf("prefill worker %d got %d, decode worker %d got %d of 400", i, p, 4+i, d)
		}
	}
}

// Short prompts stay on the decode side when told to.
func TestShortPromptsAreComputedByTheDecodeWorker(t *testing.T) {
	cfg := split(VLLM, 1, 1, Request{PromptTokens: 64, OutputTokens: 3}, Request{At: time.Second, PromptTokens: 65, OutputTokens: 3})
	cfg.Handoff.LocalPrefillTokens = 64
	o := observe(&cfg)
	f := start(t, cfg)
	finish(t, f)
	if o.requests[0].PrefillWorker != 1 || o.requests[1].PrefillWorker != 0 || len(o.transfers) != 1 {
		t.Errorf("%+v", o.requests)
	}
	truth := f.Truth()
	if x := truth.Transfers; x.LocalPrefills != 1 || x.LeakedTokens != 64 || truth.ArrivedRequests != 2 || truth.PromptTokens != 129 {
		t.Errorf("%+v", truth)
	}
}
