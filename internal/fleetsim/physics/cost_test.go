package physics

import (
	"math"
	"testing"
)

func costOf(t testing.TB, gpu, model, stack, precision string, tp int) *Cost {
	t.Helper()
	fig, err := figures()
	if err != nil {
		t.Fatal(err)
	}
	m, err := fig.NewCost(Deployment{Model: model, GPU: gpu, Stack: stack, Precision: precision, TensorParallel: tp})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// onePrompt is the step of a single prompt of n tokens; decodes is a step of n sequences of the given context.
func onePrompt(n float64) Work {
	return Work{PrefillTokens: int(n), PrefillSequences: 1, PrefillOutputs: 1, PrefillContext: n * (n + 1) / 2}
}

func decodes(n int, context float64) Work {
	return Work{DecodeSequences: n, DecodeContext: float64(n) * context}
}

func TestFiguresAreComplete(t *testing.T) {
	fig, err := figures()
	if err != nil {
		t.Fatal(err)
	}
	for name, gpu := range fig.GPUs {
		for precision := range gpu.PeakFLOPS {
			for model := range fig.Models {
				for _, tp := range []int{1, 2, 4, 8} {
					m := costOf(t, name, model, "vllm", precision, tp)
					if s := m.Seconds(onePrompt(1000)); !(s > 0 && s < 10) {
						t.Errorf("%s %s %s TP%d: 1000 tokens take %g s", name, model, precision, tp, s)
					}
				}
			}
		}
		if gpu.Source == "" {
			t.Errorf("gpu %s has no source", name)
		}
	}
}

func TestStepTimeShape(t *testing.T) {
	m := costOf(t, "h200", "llama-3-70b", "vllm", "bf16", 4)
	if got := m.Seconds(Work{}); got != 0 {
		t.Errorf("no work takes %g s", got)
	}
	// GEMM rows are nearly free up to the knee, then cost in proportion.
	flat := m.Seconds(Work{PrefillTokens: 64, PrefillSequences: 1}) / m.Seconds(Work{PrefillTokens: 8, PrefillSequences: 1})
	if flat > 1.25 {
		t.Errorf("64 rows take %.2f times as long as 8", flat)
	}
	double := m.Seconds(onePrompt(4096)) / m.Seconds(onePrompt(2048))
	if double < 1.9 || double > 2.15 {
		t.Errorf("4096 tokens take %.2f times as long as 2048", double)
	}
	// More work never takes less time.
	last := 0.0
	for n := 1; n <= 8192; n += 1 + n/7 {
		w := onePrompt(float64(n))
		w.DecodeSequences, w.DecodeContext = 32, 32*1000
		if s := m.Seconds(w); s < last*0.999 {
			t.Errorf("%d tokens take %g s, fewer took %g s", n, s, last)
		} else {
			last = s
		}
	}
	if a, b := m.Seconds(decodes(32, 500)), m.Seconds(decodes(32, 4000)); b <= a {
		t.Errorf("longer contexts are not slower: %g, %g", a, b)
	}
}

func TestShapleySharesAddUp(t *testing.T) {
	m := costOf(t, "h200", "llama-3-70b", "vllm", "bf16", 4)
	for _, p := range []float64{0, 1, 16, 200, 2000} {
		for _, n := range []int{0, 1, 30, 250} {
			w := Work{}
			if p > 0 {
				w = onePrompt(p)
			}
			w.DecodeSequences, w.DecodeContext = n, float64(n)*900
			clean := m.Seconds(w)
			if clean == 0 {
				continue
			}
			const noise = 1.03
			s := m.split(w, noise)
			if math.Abs(s.Prefill.Seconds+s.Decode.Seconds-clean*noise) > 1e-12 {
				t.Errorf("p=%g n=%d: shares add up to %g of %g", p, n, s.Prefill.Seconds+s.Decode.Seconds, clean*noise)
			}
			if s.Low.Seconds > s.Prefill.Seconds+1e-12 || s.Prefill.Seconds > s.High.Seconds+1e-12 || s.Prefill.Seconds < 0 || s.Decode.Seconds < 0 {
				t.Errorf("p=%g n=%d: %+v", p, n, s)
			}
			// phi_P from its definition.
			if p > 0 && n > 0 {
				want := (m.Seconds(w.PrefillOnly()) + clean - m.Seconds(w.DecodeOnly())) / 2 * noise
				if math.Abs(s.Prefill.Seconds-want) > 1e-12 {
					t.Errorf("p=%g n=%d: phi_P %g, want %g", p, n, s.Prefill.Seconds, want)
				}
			}
		}
	}
}

func TestCurveInterpolates(t *testing.T) {
	c, err := newCurve("c", [][2]float64{{10, 1}, {1000, 3}})
	if err != nil {
		t.Fatal(err)
	}
	for x, want := range map[float64]float64{1: 1, 10: 1, 100: 2, 1000: 3, 1e6: 3} {
		if got := c.at(x); math.Abs(got-want) > 1e-12 {
			t.Errorf("at(%g): got %g, want %g", x, got, want)
		}
	}
	for x, want := range map[float64]float64{1: 1, 100: math.Sqrt(3), 2000: 6} {
		if got := c.timeAt(x); math.Abs(got-want) > 1e-12 {
			t.Errorf("timeAt(%g): got %g, want %g", x, got, want)
		}
	}
	for _, bad := range [][][2]float64{nil, {{1, 1}, {1, 2}}, {{0, 1}}, {{1, -1}}} {
		if _, err := newCurve("c", bad); err == nil {
			t.Errorf("newCurve(%v) is accepted", bad)
		}
	}
}
