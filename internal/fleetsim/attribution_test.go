package fleetsim

import (
	"math"
	"testing"
	"time"
)

// near compares sums of many numbers.
func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-9*math.Max(1, math.Abs(want)) {
		t.Errorf("%s: got %.12g, want %.12g", what, got, want)
	}
}

// drained is a busy fleet whose workload ends, so that every step belongs to finished requests.
func drained(seed uint64) Config {
	requests, _, _ := randomRequests(seed, 200)
	cfg := small()
	cfg.Seed, cfg.Workload, cfg.StepNoise = seed, requests, 0.1
	p := &cfg.Pools[0]
	p.Workers, p.MaxBatchedTokens, p.MaxNumSeqs, p.MaxModelTokens, p.KVBlocks = 2, 96, 12, 400, 40
	return cfg
}

// Every resource: a step's shares add up to the step within their bounds, steps add up to the totals, and so do requests.
func TestAttributionAddsUp(t *testing.T) {
	cfg := drained(1)
	var steps Resources
	var seconds, prefill float64
	var requests RequestShares
	cfg.OnStep = func(s StepTruth) {
		steps.addResources(&s.Resources)
		seconds += s.Seconds
		prefill += s.PrefillSeconds
		for name, a := range map[string]Attribution{"energy": s.Energy, "tensor": s.Tensor, "sm": s.SM, "dram": s.DRAM} {
			const slack = 1e-12
			if a.Total <= 0 || a.Prefill < a.PrefillLow-slack*a.Total || a.Prefill > a.PrefillHigh+slack*a.Total {
				t.Fatalf("%s: share %g of %g outside [%g, %g]", name, a.Prefill, a.Total, a.PrefillLow, a.PrefillHigh)
			}
			if s.PrefillTokens == 0 && a.Prefill != 0 || s.DecodeSequences == 0 && a.Decode() != 0 {
				t.Fatalf("%s: a phase that did not run has a share: %+v", name, a)
			}
		}
	}
	cfg.OnRequest = func(r RequestTruth) {
		// The first token, and one after each preemption, comes from prefill.
		decodes := r.OutputTokens - 1
		if r.PrefillSeconds <= 0 || r.PrefillJoules <= 0 || (decodes == 0 && r.DecodeSeconds != 0) || (decodes > r.Preemptions && r.DecodeSeconds <= 0) {
			t.Errorf("request with %d tokens: %+v", r.OutputTokens, r.RequestShares)
		}
		requests.PrefillSeconds += r.PrefillSeconds
		requests.DecodeSeconds += r.DecodeSeconds
		requests.PrefillJoules += r.PrefillJoules
		requests.DecodeJoules += r.DecodeJoules
	}
	f := start(t, cfg)
	finish(t, f)
	truth := f.Truth()
	if truth.Preemptions == 0 || truth.MixedSteps == 0 {
		t.Fatalf("the run is too easy: %d preemptions, %d mixed steps", truth.Preemptions, truth.MixedSteps)
	}
	near(t, "steps: seconds", seconds, truth.BusySeconds)
	near(t, "steps: prefill seconds", prefill, truth.PrefillSeconds)
	for name, pair := range map[string][2]Attribution{
		"energy": {steps.Energy, truth.Energy}, "tensor": {steps.Tensor, truth.Tensor},
		"sm": {steps.SM, truth.SM}, "dram": {steps.DRAM, truth.DRAM},
	} {
		near(t, name+" total", pair[0].Total, pair[1].Total)
		near(t, name+" prefill", pair[0].Prefill, pair[1].Prefill)
		near(t, name+" low", pair[0].PrefillLow, pair[1].PrefillLow)
		near(t, name+" high", pair[0].PrefillHigh, pair[1].PrefillHigh)
	}
	near(t, "requests: prefill seconds", requests.PrefillSeconds, truth.PrefillSeconds)
	near(t, "requests: decode seconds", requests.DecodeSeconds, truth.DecodeSeconds)
	near(t, "requests: prefill joules", requests.PrefillJoules, truth.Energy.Prefill)
	near(t, "requests: decode joules", requests.DecodeJoules, truth.Energy.Decode())
}

// The GPUs' counters and the ledger tell the same, also in the middle of a step, and counters never fall.
func TestGPUsAgreeWithTheLedger(t *testing.T) {
	f := start(t, busyFleet(1))
	before := make([]GPUTruth, f.Workers())
	for range 300 {
		advance(t, f, f.Now()+7*time.Millisecond)
		var energy float64
		for i := range f.Workers() {
			g, w := f.GPU(i), f.WorkerTruth(i)
			gpus := float64(f.Pool(i).TensorParallel)
			near(t, "energy", g.EnergyJoules*gpus, w.Energy.Total+w.IdleJoules+w.InFlightJoules)
			near(t, "busy", g.BusySeconds, w.BusySeconds+w.InFlightSeconds)
			energy += g.EnergyJoules * gpus
			b := &before[i]
			if g.EnergyJoules <= b.EnergyJoules || g.TensorSeconds < b.TensorSeconds || g.DRAMSeconds < b.DRAMSeconds ||
				g.SMSeconds < b.SMSeconds || g.NVLinkTxBytes < b.NVLinkTxBytes || g.PCIeRxBytes < b.PCIeRxBytes {
				t.Fatalf("worker %d: a counter fell from %+v to %+v", i, b, g)
			}
			if watts := (g.EnergyJoules - b.EnergyJoules) / 0.007; watts > g.PowerLimitWatts*1.25 || g.PowerWatts > g.PowerLimitWatts*1.25 {
				t.Fatalf("worker %d: %g W, now %g W, limit %g W", i, watts, g.PowerWatts, g.PowerLimitWatts)
			}
			*b = g
		}
		truth := f.Truth()
		near(t, "fleet energy", energy, truth.Energy.Total+truth.IdleJoules+truth.InFlightJoules)
		if t.Failed() {
			return
		}
	}
}

func TestIdleGPUDrawsIdlePower(t *testing.T) {
	f := start(t, small())
	advance(t, f, 10*time.Second)
	g := f.GPU(0)
	if g.Busy || g.ClockRatio != 1 || g.BusySeconds != 0 || g.TensorSeconds != 0 || g.PowerWatts <= 0 {
		t.Errorf("got %+v", g)
	}
	near(t, "energy", g.EnergyJoules, 10*g.PowerWatts)
	near(t, "idle joules", f.Truth().IdleJoules, 10*g.PowerWatts*float64(f.Pool(0).TensorParallel))
	if g.MemoryUsedBytes <= 0 || g.MemoryUsedBytes > g.MemoryTotalBytes {
		t.Errorf("memory: %g of %g bytes", g.MemoryUsedBytes, g.MemoryTotalBytes)
	}
}

// What a restart cuts short has taken time and energy, and the counters of the GPU do not fall.
func TestRestartKeepsTheGPUsCounters(t *testing.T) {
	f := start(t, busyFleet(2))
	advance(t, f, 20*time.Second)
	w := f.workers[0]
	for w.stepEnd == idle || w.inFlight(f.Now()) == 0 {
		advance(t, f, f.Now()+time.Millisecond)
	}
	before, busy := f.GPU(0), f.WorkerTruth(0)
	if err := f.RestartWorker(0, 3*time.Second); err != nil {
		t.Fatal(err)
	}
	after, truth := f.GPU(0), f.WorkerTruth(0)
	near(t, "energy", after.EnergyJoules, before.EnergyJoules)
	near(t, "busy", after.BusySeconds, before.BusySeconds)
	near(t, "tensor", after.TensorSeconds, before.TensorSeconds)
	near(t, "abandoned seconds", truth.AbandonedSeconds, busy.InFlightSeconds)
	near(t, "abandoned joules", truth.AbandonedJoules, busy.InFlightJoules)
	if after.Busy || after.MemoryUsedBytes != 0 || truth.AbandonedSeconds <= 0 {
		t.Errorf("got %+v, %g s abandoned", after, truth.AbandonedSeconds)
	}
	advance(t, f, f.Now()+time.Minute)
	g, truth := f.GPU(0), f.WorkerTruth(0)
	near(t, "energy later", g.EnergyJoules*float64(f.Pool(0).TensorParallel),
		truth.Energy.Total+truth.IdleJoules+truth.InFlightJoules+truth.AbandonedJoules)
	near(t, "time", truth.BusySeconds+truth.IdleSeconds+truth.InFlightSeconds+truth.AbandonedSeconds, truth.SimulatedSeconds)
	if g.MemoryUsedBytes == 0 {
		t.Error("the new process takes no memory")
	}
}
