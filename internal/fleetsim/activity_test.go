package fleetsim

import (
	"testing"
	"time"
)

// A replica of another speed has other GPUs: the same operations and bytes at the same power, activity and clock, in other time. The
// noise of a step may be large. No unit is ever busy for longer than time has passed.
func TestActivityStaysWithinTimeAtAnySpeed(t *testing.T) {
	for name, set := range map[string]func(*Config){
		"replica x4":    func(c *Config) { c.Pools[0].Replicas = []Replica{{Speed: 4}} },
		"replica x0.25": func(c *Config) { c.Pools[0].Replicas = []Replica{{Speed: 0.25}} },
		"decode x8":     func(c *Config) { c.Pools[0].PhaseSpeed = PhaseSpeed{Decode: 8} },
		"noise":         func(c *Config) { c.StepNoise = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := small()
			cfg.Pools[0].MaxModelTokens, cfg.Pools[0].MaxNumSeqs = 2048, 64
			cfg.Workload = ClosedLoop{Concurrency: 64, PromptTokens: 32, OutputTokens: 512, Spread: 0.5}
			set(&cfg)
			cfg.OnStep = func(s StepTruth) {
				gpuSeconds := s.Seconds * 4 * (1 + 1e-9)
				if s.DRAM.Total > gpuSeconds || s.SM.Total > gpuSeconds || s.Tensor.Total > s.SM.Total*(1+1e-9) {
					t.Fatalf("tensor %g, SM %g, DRAM %g in %g GPU-seconds", s.Tensor.Total, s.SM.Total, s.DRAM.Total, gpuSeconds)
				}
				if s.DRAM.Prefill < 0 || s.DRAM.Decode() < 0 || s.Tensor.Prefill < 0 || s.Tensor.Decode() < 0 {
					t.Fatalf("shares: tensor %+v, DRAM %+v", s.Tensor, s.DRAM)
				}
			}
			f := start(t, cfg)
			for i := 1; i <= 100; i++ {
				advance(t, f, time.Duration(i)*37*time.Millisecond)
				if g := f.GPU(0); g.DRAMSeconds > g.BusySeconds*(1+1e-9) || g.NVLinkSeconds > g.BusySeconds || g.PowerWatts > g.PowerLimitWatts*(1+1e-9) {
					t.Fatalf("%+v", g)
				}
			}
		})
	}
}

func TestSpeedScalesTimeAndEnergyAlike(t *testing.T) {
	run := func(speed float64) GPUTruth {
		cfg := small(Request{PromptTokens: 64, OutputTokens: 60})
		cfg.Pools[0].Replicas = []Replica{{Speed: speed}}
		f := start(t, cfg)
		finish(t, f)
		w := f.workers[0]
		g := f.GPU(0)
		g.EnergyJoules = w.gpuSums.demand.Joules // of steps alone
		return g
	}
	plain := run(1)
	for _, speed := range []float64{0.25, 4} {
		g := run(speed)
		for what, v := range map[string][2]float64{
			"busy": {g.BusySeconds, plain.BusySeconds}, "joules": {g.EnergyJoules, plain.EnergyJoules}, "tensor": {g.TensorSeconds, plain.TensorSeconds},
			"SM": {g.SMSeconds, plain.SMSeconds}, "DRAM": {g.DRAMSeconds, plain.DRAMSeconds}, "NVLink": {g.NVLinkSeconds, plain.NVLinkSeconds},
		} {
			if ratio := v[0] * speed / v[1]; ratio < 1-1e-4 || ratio > 1+1e-4 { // steps are whole nanoseconds
				t.Errorf("speed %g: %s %g, at speed 1 %g", speed, what, v[0], v[1])
			}
		}
		if g.DRAMBytes != plain.DRAMBytes || g.FLOPs != plain.FLOPs {
			t.Errorf("speed %g: %g bytes and %g FLOP, at speed 1 %g and %g", speed, g.DRAMBytes, g.FLOPs, plain.DRAMBytes, plain.FLOPs)
		}
	}
}
