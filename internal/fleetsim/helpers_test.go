package fleetsim

import (
	"bytes"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// start builds a fleet that is closed with the test.
func start(t testing.TB, cfg Config) *Fleet {
	t.Helper()
	f, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// advance runs to simulated time t.
func advance(t testing.TB, f *Fleet, to time.Duration) {
	t.Helper()
	if err := f.Advance(to); err != nil {
		t.Fatal(err)
	}
}

// finish runs until all requests of a workload that ends are answered.
func finish(t testing.TB, f *Fleet) {
	t.Helper()
	for !f.Done() {
		advance(t, f, f.Now()+time.Second)
		checkRequests(t, f)
	}
}

// pageOf is the metrics page of a worker.
func pageOf(t testing.TB, f *Fleet, worker int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f.WriteMetrics(worker, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// small is a worker whose counts can be followed by hand: 64 tokens a step, no noise.
func small(requests ...Request) Config {
	cfg := DefaultConfig()
	pool := &cfg.Pools[0]
	pool.MaxBatchedTokens, pool.MaxNumSeqs, pool.MaxModelTokens = 64, 4, 128
	cfg.StepNoise = 0
	cfg.Workload = Script(requests)
	return cfg
}

// readPage parses a worker's page of vLLM; the result gives the value of a sample without labels that tell series apart, by its name
// after "vllm:".
func readPage(t testing.TB, f *Fleet, worker int) func(name string) float64 {
	t.Helper()
	page := pageOf(t, f, worker)
	return func(name string) float64 {
		t.Helper()
		m := regexp.MustCompile(`(?m)^vllm:` + name + `\{[^}]*\} (\S+)$`).FindSubmatch(page)
		if m == nil {
			t.Fatalf("the page lacks vllm:%s", name)
		}
		v, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
