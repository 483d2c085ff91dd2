package fleetsim

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// checkAwake holds every worker to the rule that one with work runs a step, unless KV that is on its way to or from it has the blocks.
func checkAwake(t *testing.T, f *Fleet) {
	t.Helper()
	for _, w := range f.workers {
		work := w.load() - w.bootstrapping - len(w.awaiting)
		if !w.down && w.stepEnd == idle && work > 0 && len(w.awaiting) == 0 && w.pinned == 0 {
			t.Fatalf("worker %d is idle at %s with %d waiting, %d running, %d without blocks, %d landed",
				w.index, f.now, w.sched.waiting.len(), len(w.sched.running), w.arriving.len(), w.landing.len())
		}
	}
}

// checkRequests accounts for every request that has arrived.
func checkRequests(t testing.TB, f *Fleet) {
	t.Helper()
	x := f.Truth()
	if over := x.FinishedRequests + x.RejectedRequests + x.Faults.LostRequests + x.Faults.FailedRequests; x.ArrivedRequests != over+x.OpenRequests || x.OpenRequests < 0 {
		t.Fatalf("at %s: %d arrived, %d over, %d open", f.now, x.ArrivedRequests, over, x.OpenRequests)
	}
}

// cramped is one prefill and one decode worker with hardly more blocks than the longest request needs.
func cramped(engineName string) Config {
	cfg := split(engineName, 1, 1)
	cfg.Workload = ClosedLoop{Concurrency: 32, PromptTokens: 1000, OutputTokens: 500}
	cfg.Link.Bandwidth = 1e9
	for i := range cfg.Pools {
		p := &cfg.Pools[i]
		p.TensorParallel, p.MaxModelTokens, p.KVBlocks, p.MaxBatchedTokens, p.MaxNumSeqs = 1, 2048, 130, 2048, 256
	}
	return cfg
}

// The only running request preempts itself while another has landed and lacks nothing but its adapter slot or its seat.
func TestPreemptionOfTheOnlyRequestLetsLandedOnesIn(t *testing.T) {
	for _, name := range []string{VLLM, SGLang, TensorRTLLM} {
		for what, set := range map[string]func(*Config){
			"adapter slot": func(c *Config) { c.Adapters, c.Pools[1].MaxAdapters = AdapterTraffic{Count: 4, Share: 1}, 1 },
			"seat":         func(c *Config) { c.Pools[1].MaxNumSeqs = 1 },
		} {
			t.Run(name+"/"+what, func(t *testing.T) {
				cfg := cramped(name)
				set(&cfg)
				f := start(t, cfg)
				for at := time.Second; at <= 60*time.Second; at += time.Second {
					advance(t, f, at)
					checkAwake(t, f)
				}
				before := f.Truth()
				advance(t, f, 90*time.Second)
				if now := f.Truth(); now.FinishedRequests == before.FinishedRequests || now.Preemptions == 0 {
					t.Errorf("%d requests finished in 60 s, %d in 90 s; %d preemptions", before.FinishedRequests, now.FinishedRequests, now.Preemptions)
				}
			})
		}
	}
}

func TestWorkersWithWorkAreNeverIdle(t *testing.T) {
	for seed := range uint64(36) {
		name := []string{VLLM, SGLang, TensorRTLLM}[seed%3]
		t.Run(fmt.Sprintf("%s/%d", name, seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 41))
			cfg := cramped(name)
			cfg.Seed, cfg.StepNoise, cfg.Link.Noise = seed, 0.02, 0.15
			cfg.Workload = ClosedLoop{Concurrency: 2 + random.IntN(30), PromptTokens: 100 + random.IntN(900), OutputTokens: 2 + random.IntN(700), Spread: random.Float64()}
			cfg.Adapters = AdapterTraffic{Count: 1 + random.IntN(5), Share: random.Float64()}
			cfg.Link.Bandwidth, cfg.Link.FailureChance = 1e9*(1+20*random.Float64()), 0.1*float64(random.IntN(2))
			cfg.Handoff.LocalPrefillTokens = 300 * random.IntN(2)
			for i := range cfg.Pools {
				p := &cfg.Pools[i]
				p.Workers, p.KVBlocks = 1+random.IntN(2), 130+random.IntN(200)
				p.MaxNumSeqs, p.MaxAdapters = 1+random.IntN(8), random.IntN(3)
				p.Scheduling = []Scheduling{Chunked, WholePrompts, PrefillFirst}[random.IntN(3)]
				p.Speculative = Speculative{Tokens: random.IntN(3), Acceptance: []float64{0.7}}
			}
			f := start(t, cfg)
			for at := time.Duration(0); at <= 20*time.Second; at += 50 * time.Millisecond {
				advance(t, f, at)
				checkAllBlocks(t, f, false)
			}
			if x := f.Truth(); x.FinishedRequests == 0 {
				t.Errorf("nothing finished: %+v", x)
			}
		})
	}
}
