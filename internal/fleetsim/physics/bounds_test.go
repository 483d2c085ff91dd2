package physics

import (
	"fmt"
	"math"
	"testing"
)

// everyCost calls f with every GPU, model, precision and a number of power limits.
func everyCost(t *testing.T, f func(name string, m *Cost, gpu GPU)) {
	t.Helper()
	fig, err := figures()
	if err != nil {
		t.Fatal(err)
	}
	for name, gpu := range fig.GPUs {
		for precision := range gpu.PeakFLOPS {
			for model := range fig.Models {
				for _, tp := range []int{1, 4} {
					for _, share := range []float64{0, 0.1, 0.3, 0.6, 1} {
						d := Deployment{
							Model: model, GPU: name, Stack: "vllm", Precision: precision, TensorParallel: tp, DraftShare: 0.1,
							PowerLimit: gpu.MinimumPowerLimit + share*(gpu.TDP-gpu.MinimumPowerLimit),
						}
						m, err := fig.NewCost(d)
						if err != nil {
							t.Fatal(err)
						}
						f(fmt.Sprintf("%s %s %s TP%d at %g W", name, model, precision, tp, d.PowerLimit), m, gpu)
					}
				}
			}
		}
	}
}

// everyWork are steps of all kinds and sizes.
func everyWork() []Work {
	var all []Work
	for _, p := range []float64{0, 1, 16, 200, 2000, 16000} {
		for _, n := range []int{0, 1, 17, 64, 300} {
			for _, context := range []float64{50, 1000, 20000} {
				for _, rows := range []int{1, 8, 60} {
					var w Work
					if p > 0 {
						w = onePrompt(p)
					}
					w.DecodeSequences, w.DecodeTokens, w.DecodeContext = n, rows*n, float64(n)*context
					if w != (Work{}) {
						all = append(all, w)
					}
				}
			}
		}
	}
	return all
}

// Whatever GPU, model, precision, limit and work: the power keeps its limit, no unit works longer than the step lasts, tensor pipes not
// without SMs, and neither phase has a negative share of anything.
func TestDemandKeepsItsBounds(t *testing.T) {
	const slack = 1 + 1e-9
	works := everyWork()
	everyCost(t, func(name string, m *Cost, gpu GPU) {
		for _, w := range works {
			s := m.split(w, 1)
			d := &s.Step
			if watts := d.Joules / d.Seconds / m.tp; watts > m.power.limit*slack || watts < gpu.Idle {
				t.Fatalf("%s: %+v: %g W", name, w, watts)
			}
			if d.Tensor > d.SM*slack || d.SM > d.Seconds*slack || d.DRAM > d.Seconds*slack || d.NVLink > d.Seconds*slack {
				t.Fatalf("%s: %+v: tensor %g, SM %g, DRAM %g, NVLink %g of %g s", name, w, d.Tensor, d.SM, d.DRAM, d.NVLink, d.Seconds)
			}
			if d.ClockRatio > 1 || d.ClockRatio < gpu.LowestClock/gpu.BoostClock/slack {
				t.Fatalf("%s: %+v: clock ratio %g", name, w, d.ClockRatio)
			}
			if s.Low.Seconds < 0 || s.Low.Joules < -1e-12*d.Joules {
				t.Errorf("%s: %+v: bounds from %g s and %g J", name, w, s.Low.Seconds, s.Low.Joules)
			}
			for what, a := range map[string][2]float64{
				"seconds": {s.Prefill.Seconds, s.Decode.Seconds}, "joules": {s.Prefill.Joules, s.Decode.Joules},
				"tensor": {s.Prefill.Tensor, s.Decode.Tensor}, "SM": {s.Prefill.SM, s.Decode.SM}, "DRAM": {s.Prefill.DRAM, s.Decode.DRAM},
			} {
				if a[0] < 0 || a[1] < 0 {
					t.Errorf("%s: %+v: prefill has %g and decode %g %s", name, w, a[0], a[1], what)
				}
			}
		}
	})
}

// Where the limit acts the power is the limit: by the clock or, where that is at its end, by pauses.
func TestPowerIsTheLimitWhereItThrottles(t *testing.T) {
	clocks, pauses := 0, 0
	works := everyWork()
	everyCost(t, func(name string, m *Cost, gpu GPU) {
		for _, w := range works {
			d := m.Demand(w)
			switch watts := d.Joules / d.Seconds / m.tp; {
			case d.ClockRatio == 1:
				continue
			case math.Abs(watts/m.power.limit-1) > 1e-9:
				t.Fatalf("%s: %+v: %g W at a clock ratio of %g", name, w, watts, d.ClockRatio)
			case d.ClockRatio > gpu.LowestClock/gpu.BoostClock*(1+1e-9):
				clocks++
			default:
				pauses++
			}
		}
	})
	t.Logf("%d steps throttled, %d of them with pauses", clocks+pauses, pauses)
	if clocks == 0 || pauses == 0 {
		t.Errorf("%d steps held by the clock alone, %d with pauses", clocks, pauses)
	}
}
