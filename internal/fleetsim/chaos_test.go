package fleetsim

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"
)

// chaos is a fleet with both roles, all kinds of links and every fault.
func chaos(t *testing.T, name string, seed uint64) *Fleet {
	t.Helper()
	requests, _, _ := traffic(seed, 500, 4*time.Millisecond)
	cfg := split(name, 2, 3, requests...)
	cfg.Seed, cfg.StepNoise, cfg.Router, cfg.DecodeRouter = seed, 0.02, Random, PrefixAware
	cfg.Pools[1].KVBlocks = 120
	cfg.Client = Client{Retries: 2, Backoff: 30 * time.Millisecond}
	cfg.Handoff.Lease, cfg.Handoff.LocalPrefillTokens = 700*time.Millisecond, 30
	cfg.Objectives = Objectives{TTFT: 200 * time.Millisecond, ITL: 8 * time.Millisecond}
	l := &cfg.Link
	l.Noise, l.Bandwidth, l.Pieces, l.Overlap = 0.15, 3e9, 4, true
	l.Hiccups = Hiccups{Stall: 5 * time.Millisecond, Chance: 0.02, PerSecond: 5}
	l.Fallback.Transfers, l.FailureChance = 0.1, 0.08
	f := start(t, cfg)
	at := func(when time.Duration, do func() error) {
		mustNot(t, f.At(when, func() { mustNot(t, do()) }))
	}
	at(300*time.Millisecond, func() error { return f.RestartWorker(0, 100*time.Millisecond) })
	at(500*time.Millisecond, func() error { return f.SetSpeed(3, 0.4) })
	at(600*time.Millisecond, func() error { return f.RestartWorker(2, 0) })
	at(700*time.Millisecond, func() error { return f.SetLoad(1.7) })
	at(800*time.Millisecond, func() error { return f.SetHashSeed(4, 9) })
	at(810*time.Millisecond, func() error { return f.RestartWorker(4, 50*time.Millisecond) })
	at(900*time.Millisecond, func() error { return f.ResetCounters(1) })
	return f
}

func TestChaosIsReproducible(t *testing.T) {
	for _, name := range []string{VLLM, SGLang, TensorRTLLM} {
		run := func(seed uint64, step time.Duration) []byte {
			f := chaos(t, name, seed)
			for at := step; at < 30*time.Second && !f.Done(); at += step {
				advance(t, f, at)
				checkAllBlocks(t, f, false)
			}
			advance(t, f, 40*time.Second)
			checkAllBlocks(t, f, true)
			var b bytes.Buffer
			for i := range f.Workers() {
				b.Write(pageOf(t, f, i))
			}
			ledger := f.Ledger()
			if x := ledger.Fleet; x.FinishedRequests+x.Faults.LostRequests != 500 || x.Faults.ResentRequests == 0 || x.Transfers.Failed == 0 ||
				x.Transfers.LocalPrefills == 0 || x.Goodput.Both == 0 || x.Goodput.Both == x.Goodput.Requests {
				t.Errorf("%s: %+v %+v %+v", name, x.Faults, x.Transfers, x.Goodput)
			}
			if err := json.NewEncoder(&b).Encode(ledger); err != nil {
				t.Fatal(err)
			}
			return b.Bytes()
		}
		first := run(1, 40*time.Second)
		if !bytes.Equal(first, run(1, 40*time.Second)) {
			t.Errorf("%s: two runs with one seed differ", name)
		}
		if !bytes.Equal(first, run(1, 7*time.Millisecond)) {
			t.Errorf("%s: the result depends on how the run is cut into pieces", name)
		}
		for seed := range uint64(8) { // whatever comes together
			if bytes.Equal(first, run(2+seed, 40*time.Second)) {
				t.Errorf("%s: two seeds give the same run", name)
			}
		}
	}
}

// Restarts at random, of all workers at a time too, lose no block and no request that is not counted as lost.
func TestRandomRestarts(t *testing.T) {
	for seed := range uint64(12) {
		name := []string{VLLM, SGLang, TensorRTLLM}[seed%3]
		random := rand.New(rand.NewPCG(seed, 77))
		requests, _, _ := traffic(seed, 300, 4*time.Millisecond)
		cfg := split(name, 2, 2, requests...)
		cfg.Seed, cfg.Router, cfg.StepNoise = seed, LeastLoaded, 0.02
		cfg.Client.Retries = random.IntN(3)
		cfg.Handoff = Handoff{Lease: 200 * time.Millisecond, OnFailure: []FailurePolicy{Recompute, Fail}[random.IntN(2)], LocalPrefillTokens: 40}
		cfg.Link.Bandwidth, cfg.Link.FailureChance = 1e9, 0.05
		cfg.Pools[0].KVBlocks, cfg.Pools[1].KVBlocks = 100, 100
		cfg.Pools[1].Speculative = Speculative{Tokens: random.IntN(3), Acceptance: []float64{0.7}}
		cfg.Pools[0].Scheduling = []Scheduling{Chunked, PrefillFirst}[random.IntN(2)]
		cfg.Pools[0].MaxBatchedTokens = 1024
		cfg.Pools[1].MaxAdapters, cfg.Adapters = 2, AdapterTraffic{Count: 4, Share: 0.5}
		f := start(t, cfg)
		for range 12 {
			at, victim, down := time.Duration(random.Int64N(int64(1500*time.Millisecond))), random.IntN(4), time.Duration(random.IntN(150))*time.Millisecond
			mustNot(t, f.At(at, func() {
				if f.Up(victim) {
					mustNot(t, f.RestartWorker(victim, down))
				}
			}))
		}
		for at := time.Duration(0); !f.Done(); at += 13 * time.Millisecond {
			if at > time.Minute {
				t.Fatalf("seed %d: requests hang: %+v", seed, f.Truth())
			}
			advance(t, f, at)
			checkAllBlocks(t, f, false)
		}
		advance(t, f, f.Now()+time.Second)
		checkAllBlocks(t, f, true)
		x := f.Truth()
		if x.ArrivedRequests != 300 || int64(x.TTFT.Count) > 300 || x.FinishedRequests+x.Faults.LostRequests+x.Faults.FailedRequests != 300 || x.Faults.Restarts == 0 {
			t.Errorf("seed %d: %d arrived, %d finished, %+v", seed, x.ArrivedRequests, x.FinishedRequests, x.Faults)
		}
	}
}
