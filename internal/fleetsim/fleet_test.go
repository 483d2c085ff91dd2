package fleetsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

// busyFleet is three workers under a load that uses every part of the simulation.
func busyFleet(seed uint64) Config {
	cfg := DefaultConfig()
	pool := &cfg.Pools[0]
	cfg.Seed, cfg.Router, pool.Workers = seed, LeastLoaded, 3
	pool.MaxModelTokens, pool.KVBlocks = 16384, 1500
	cfg.Workload = Synthetic{Shape: "azure-conversation", Load: 3, SharedPrefixShare: 0.3, SharedPrefixes: 4, SharedPrefixTokens: 300}
	return cfg
}

// everything is all a run says: pages of all workers and the ledger.
func everything(t *testing.T, cfg Config, stops ...time.Duration) []byte {
	t.Helper()
	f := start(t, cfg)
	for _, s := range stops {
		advance(t, f, s)
	}
	var b bytes.Buffer
	for i := range f.Workers() {
		b.Write(pageOf(t, f, i))
	}
	if err := json.NewEncoder(&b).Encode(f.Ledger()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestSameSeedSameBytes(t *testing.T) {
	first := everything(t, busyFleet(5), time.Minute)
	if !bytes.Equal(first, everything(t, busyFleet(5), time.Minute)) {
		t.Error("two runs with one seed differ")
	}
	if !bytes.Equal(first, everything(t, busyFleet(5), time.Second, 1500*time.Millisecond, 40*time.Second, time.Minute)) {
		t.Error("the result depends on how the run is cut into pieces")
	}
	if bytes.Equal(first, everything(t, busyFleet(6), time.Minute)) {
		t.Error("two seeds give the same run")
	}
}

func TestTruthAddsUp(t *testing.T) {
	f := start(t, busyFleet(1))
	var before Truth
	for range 40 {
		advance(t, f, f.Now()+3*time.Second)
		truth := f.Truth()
		var parts float64
		for i := range f.Workers() {
			w := f.WorkerTruth(i)
			parts += w.BusySeconds
			if elapsed := w.BusySeconds + w.IdleSeconds + w.InFlightSeconds; math.Abs(elapsed-w.SimulatedSeconds) > 1e-6 {
				t.Fatalf("worker %d: busy + idle + in flight = %g of %g s", i, elapsed, w.SimulatedSeconds)
			}
		}
		if math.Abs(parts-truth.BusySeconds) > 1e-6 || math.Abs(truth.PrefillSeconds+truth.DecodeSeconds-truth.BusySeconds) > 1e-6 {
			t.Fatalf("shares %g + %g, workers %g, fleet %g s", truth.PrefillSeconds, truth.DecodeSeconds, parts, truth.BusySeconds)
		}
		if truth.PrefillLowSeconds > truth.PrefillSeconds || truth.PrefillSeconds > truth.PrefillHighSeconds {
			t.Fatalf("bounds [%g, %g] do not hold %g", truth.PrefillLowSeconds, truth.PrefillHighSeconds, truth.PrefillSeconds)
		}
		if truth.Steps != truth.PrefillOnlySteps+truth.DecodeOnlySteps+truth.MixedSteps || truth.Steps < before.Steps {
			t.Fatalf("steps: %+v", truth)
		}
		before = truth
	}
	if before.MixedSteps == 0 || before.DecodeOnlySteps == 0 || before.CachedTokens == 0 || before.DecodeDelaySequenceSeconds <= 0 {
		t.Errorf("the run did not exercise everything: %+v", before)
	}
}

// Counters of the pages and the ledger agree where they count the same thing.
func TestPagesAgreeWithTruth(t *testing.T) {
	f := start(t, busyFleet(2))
	advance(t, f, 2*time.Minute)
	for i := range f.Workers() {
		p, truth := readPage(t, f, i), f.WorkerTruth(i)
		prompt, cached, generated := p("prompt_tokens_total"), p("prompt_tokens_cached_total"), p("generation_tokens_total")
		if prompt != float64(truth.PromptTokens) || cached != float64(truth.CachedTokens) || generated != float64(truth.OutputTokens) {
			t.Errorf("worker %d: prompt %g/%d cached %g/%d generated %g/%d", i, prompt, truth.PromptTokens,
				cached, truth.CachedTokens, generated, truth.OutputTokens)
		}
		if n := p("iteration_tokens_total_count"); n != float64(truth.OutputSteps) {
			t.Errorf("worker %d: iterations %g of %d steps with output", i, n, truth.OutputSteps)
		}
		itl, ttft := p("inter_token_latency_seconds_count"), p("time_to_first_token_seconds_count")
		if itl != float64(truth.ITL.Count) || math.Abs(p("inter_token_latency_seconds_sum")-truth.ITL.Sum) > 1e-9 || ttft != float64(truth.TTFT.Count) {
			t.Errorf("worker %d: latencies differ", i)
		}
		if got, want := p("iteration_tokens_total_sum"), prompt-cached+generated; got != want {
			t.Errorf("worker %d: iteration tokens %g, want %g", i, got, want)
		}
	}
}

func TestRouters(t *testing.T) {
	var requests Script
	for i := range 40 {
		requests = append(requests, Request{At: time.Duration(i), PromptTokens: 10, OutputTokens: 1 + 60*(i%2)})
	}
	cfg := small(requests...)
	cfg.Pools[0].Workers = 4
	for router, want := range map[Router][]int64{RoundRobin: {10, 10, 10, 10}, LeastLoaded: {10, 10, 10, 10}} {
		cfg.Router = router
		f := start(t, cfg)
		advance(t, f, time.Microsecond)
		for i, n := range want {
			if got := f.WorkerTruth(i).ArrivedRequests; got != n {
				t.Errorf("%s: worker %d got %d requests, want %d", router, i, got, n)
			}
		}
	}
	// A worker stuck with a long answer gets no more while the other is free.
	cfg.Pools[0].Workers, cfg.Router = 2, LeastLoaded
	cfg.Workload = Script{{PromptTokens: 10, OutputTokens: 100}, {At: 1, PromptTokens: 10, OutputTokens: 1},
		{At: 200 * time.Millisecond, PromptTokens: 10, OutputTokens: 1}}
	f := start(t, cfg)
	finish(t, f)
	if got := f.WorkerTruth(1).ArrivedRequests; got != 2 {
		t.Errorf("least loaded: worker 1 got %d requests, want 2", got)
	}
}

func TestTooLongPromptsAreRejectedAndAnswersCut(t *testing.T) {
	f := start(t, small(Request{PromptTokens: 128, OutputTokens: 5}, Request{PromptTokens: 100, OutputTokens: 50}))
	finish(t, f)
	truth, page := f.Truth(), string(pageOf(t, f, 0))
	if truth.RejectedRequests != 1 || truth.FinishedRequests != 1 || truth.OutputTokens != 28 {
		t.Errorf("rejected %d finished %d output %d", truth.RejectedRequests, truth.FinishedRequests, truth.OutputTokens)
	}
	for reason, want := range map[string]string{"length": "1.0", "stop": "0.0"} {
		if line := fmt.Sprintf("finished_reason=%q,model_name=%q} %s\n", reason, f.ServedModel(), want); !strings.Contains(page, line) {
			t.Errorf("the page lacks %q", line)
		}
	}
}

func TestConfigErrorsNameKeyBoundAndValue(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"workers: must be at least 1, is 0":                                                                func(c *Config) { c.Pools[0].Workers = 0 },
		"max_num_batched_tokens: must be at least 256, is 100":                                             func(c *Config) { c.Pools[0].MaxBatchedTokens = 100 },
		"tensor_parallel: must be 1, 2, 4 or 8, is 3":                                                      func(c *Config) { c.Pools[0].TensorParallel = 3 },
		"step_noise: must be from 0 to 1, is -1":                                                           func(c *Config) { c.StepNoise = -1 },
		`router: must be round_robin, least_loaded, prefix_aware or random, is "x"`:                        func(c *Config) { c.Router = "x" },
		"workload: must be set":                                                                            func(c *Config) { c.Workload = nil },
		`gpu: unknown value "b900"; known: a100, b200, h100, h200`:                                         func(c *Config) { c.Pools[0].GPU = "b900" },
		`model: unknown value "x"; known: llama-3-70b, llama-3-8b, mixtral-8x7b, qwen3-30b-a3b, qwen3-32b`: func(c *Config) { c.Pools[0].Model = "x" },
		`stack: unknown value "x"; known: eager-2023, eager-2023-a100, vllm, vllm-decode-graphs`:           func(c *Config) { c.Pools[0].Stack = "x" },
		`precision: unknown value "fp4"; known: bf16, fp8`:                                                 func(c *Config) { c.Pools[0].Precision = "fp4" },
		"kv_blocks: must be at least 8193 for max_model_tokens 131072, is 9":                               func(c *Config) { c.Pools[0].KVBlocks = 9 },
		"kv_blocks: llama-3-70b bf16 on 1 x h200 leaves memory for 0 blocks":                               func(c *Config) { c.Pools[0].TensorParallel = 1 },
		"max_model_tokens: must be at most 131072 with model llama-3-70b, is 200000":                       func(c *Config) { c.Pools[0].MaxModelTokens = 200000 },
		"workload.synthetic.load: must be above 0, is 0":                                                   func(c *Config) { c.Workload = Synthetic{Shape: "azure-code"} },
		`workload.synthetic.shape: unknown value "x"`:                                                      func(c *Config) { c.Workload = Synthetic{Shape: "x", Load: 1} },
		"workload.script[0]: prompt_tokens":                                                                func(c *Config) { c.Workload = Script{{}} },
		"workload.closed_loop.concurrency":                                                                 func(c *Config) { c.Workload = ClosedLoop{} },
	} {
		cfg := DefaultConfig()
		change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

func BenchmarkWriteMetrics(b *testing.B) {
	f := start(b, DefaultConfig())
	advance(b, f, time.Minute)
	var page bytes.Buffer
	for b.Loop() {
		page.Reset()
		if err := f.WriteMetrics(0, &page); err != nil {
			b.Fatal(err)
		}
	}
}
