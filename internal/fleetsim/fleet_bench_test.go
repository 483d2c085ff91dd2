package fleetsim

import (
	"runtime"
	"testing"
	"time"
)

// BenchmarkNew is what it costs to set up a fleet of one worker: figures read, cost tables built.
func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		f, err := New(DefaultConfig())
		mustNot(b, err)
		mustNot(b, f.Close())
	}
}

// thousand is a fleet of 1,000 workers at the published rate each.
func thousand() Config {
	cfg := DefaultConfig()
	cfg.Pools[0].Workers, cfg.Router = 1000, LeastLoaded
	cfg.Workload = Synthetic{Shape: "azure-conversation", Load: 1000}
	return cfg
}

// BenchmarkThousandWorkers runs ten simulated seconds of 1,000 workers and reports the heap they take then.
func BenchmarkThousandWorkers(b *testing.B) {
	for name, blocks := range map[string]int{"all-blocks": 0, "8193-blocks": 8193} {
		b.Run(name, func(b *testing.B) {
			cfg := thousand()
			cfg.Pools[0].KVBlocks = blocks
			var steps int64
			var before, after runtime.MemStats
			for b.Loop() {
				runtime.GC()
				runtime.ReadMemStats(&before)
				f, err := New(cfg)
				mustNot(b, err)
				advance(b, f, 10*time.Second)
				steps += f.Truth().Steps
				runtime.GC()
				runtime.ReadMemStats(&after)
				mustNot(b, f.Close())
			}
			b.ReportMetric(float64(steps)/b.Elapsed().Seconds(), "steps/s")
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1000, "heap-B/worker")
		})
	}
}

// Benchmark8P8D is ten simulated minutes of eight prefill and eight decode workers with a 70B model.
func Benchmark8P8D(b *testing.B) {
	var steps, requests int64
	for b.Loop() {
		f := start(b, eightByEight())
		advance(b, f, 10*time.Minute)
		truth := f.Truth()
		steps += truth.Steps
		requests += truth.FinishedRequests
	}
	b.ReportMetric(float64(steps)/b.Elapsed().Seconds(), "steps/s")
	b.ReportMetric(float64(requests)/b.Elapsed().Seconds(), "requests/s")
}

func eightByEight() Config {
	cfg := DefaultConfig()
	p := DefaultPool()
	p.Workers = 8
	d := p
	p.Name, p.Role = "prefill", Prefill
	d.Name, d.Role = "decode", Decode
	cfg.Pools, cfg.Router = []Pool{p, d}, LeastLoaded
	cfg.Workload = Synthetic{Shape: "azure-conversation", Load: 12}
	return cfg
}
