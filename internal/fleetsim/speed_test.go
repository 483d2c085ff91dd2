//go:build unix

package fleetsim

import (
	"syscall"
	"testing"
	"time"
)

// cpuSeconds is the processor time of this process, which other programs on the machine do not lengthen as much as they do the time.
func cpuSeconds(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// benchmarkSteps reports how many engine steps a second of one core simulates, once the worker has settled.
func benchmarkSteps(b *testing.B, cfg Config, stretch time.Duration) {
	f := start(b, cfg)
	advance(b, f, 2*time.Minute)
	before, cpu := f.Truth().Steps, cpuSeconds(b)
	b.ReportAllocs()
	for b.Loop() {
		advance(b, f, f.Now()+stretch)
	}
	steps := float64(f.Truth().Steps - before)
	b.ReportMetric(steps/b.Elapsed().Seconds(), "steps/s")
	b.ReportMetric(steps/(cpuSeconds(b)-cpu), "steps/cpu-s")
	b.ReportMetric(float64(f.Truth().OutputTokens)/float64(f.Truth().Steps), "tokens/step")
}

// The conversation traffic: mixed steps, some 26 sequences decode at a time.
func BenchmarkStepsConversation(b *testing.B) { benchmarkSteps(b, DefaultConfig(), 10*time.Minute) }

// Long answers to short prompts: nearly every step only decodes.
func BenchmarkStepsDecodeHeavy(b *testing.B) {
	cfg := DefaultConfig()
	cfg.Workload = ClosedLoop{Concurrency: 64, PromptTokens: 128, OutputTokens: 1024, Spread: 0.5}
	benchmarkSteps(b, cfg, 10*time.Minute)
}

// Long prompts with short answers: most steps are full of prompt.
func BenchmarkStepsPrefillHeavy(b *testing.B) {
	cfg := DefaultConfig()
	cfg.Workload = Synthetic{Shape: "azure-code", Load: 1.5}
	benchmarkSteps(b, cfg, 10*time.Minute)
}

// A full batch of 256 sequences.
func BenchmarkStepsFullBatch(b *testing.B) {
	cfg := DefaultConfig()
	cfg.Workload = ClosedLoop{Concurrency: 256, PromptTokens: 128, OutputTokens: 512, Spread: 0.5}
	benchmarkSteps(b, cfg, 10*time.Minute)
}

// What the audit of the KV pool costs.
func BenchmarkStepsWithKVLedger(b *testing.B) {
	cfg := DefaultConfig()
	cfg.KVLedger = true
	benchmarkSteps(b, cfg, 10*time.Minute)
}

// What all hooks together cost.
func BenchmarkStepsWithHooks(b *testing.B) {
	cfg := DefaultConfig()
	cfg.OnKV, cfg.OnPass = func(KVBatch) {}, func(Pass) {}
	cfg.OnAccess = func(int, uint64, bool) {}
	benchmarkSteps(b, cfg, 10*time.Minute)
}
