package physics

import (
	"math"
	"testing"
)

// bare is the cost on kernels alone, without serving software around them.
func bare(t testing.TB, d Deployment) *Cost {
	t.Helper()
	fig, err := figures()
	if err != nil {
		t.Fatal(err)
	}
	fig.Stacks["bare"] = Stack{KernelEfficiency: 1, GraphRows: math.MaxInt, GraphPrefill: true}
	d.Stack = "bare"
	m, err := fig.NewCost(d)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func watts(m *Cost, w Work) float64 {
	d := m.Demand(w)
	return d.Joules / d.Seconds / m.tp
}

// Median power by class of kernel in the tables of aiconfigurator (vLLM 0.22): products of 1024 rows and more, products of at most 64
// rows over 200 MB and more of weights, decode attention above 0.8 of the bandwidth. The medians of H200 are those of the design (599
// and 420 to 480 W), where single kernels vary from 360 to 690 W.
func TestPowerOfKernelClasses(t *testing.T) {
	classes := []struct {
		gpu                       string
		compute, stream, contexts float64
	}{{"h200", 691, 599, 450}, {"b200", 980, 713, 583}}
	for _, c := range classes {
		m := bare(t, Deployment{Model: "llama-3-70b", GPU: c.gpu, Precision: bf16, TensorParallel: 1})
		attention := m.contextOnly(4e6)
		for name, v := range map[string][2]float64{
			"compute-bound GEMM": {watts(m, Work{PrefillTokens: 4096}), c.compute},
			"memory-bound GEMM":  {watts(m, Work{PrefillTokens: 32}), c.stream},
			"decode attention":   {attention, c.contexts},
		} {
			t.Logf("%s %s: %.0f W, measured %.0f W, %+.0f %%", c.gpu, name, v[0], v[1], (v[0]/v[1]-1)*100)
			if math.Abs(v[0]/v[1]-1) > 0.10 {
				t.Errorf("%s %s: %.0f W, measured median %.0f W", c.gpu, name, v[0], v[1])
			}
		}
	}
}

// contextOnly is the power of a GPU that does nothing but decode attention.
func (m *Cost) contextOnly(tokens float64) float64 {
	var s step
	m.decodeAttention(&s, tokens, 1, 1)
	d := m.finish(&s)
	return d.Joules / d.Seconds
}

// A limit of 70 % of the TDP lengthens prompts by 30 % and tokens not at all in the perf_model of splitwise-sim.
func TestPowerLimitThrottlesPromptsOnly(t *testing.T) {
	full := bare(t, Deployment{Model: "llama-3-70b", GPU: "h100", Precision: bf16, TensorParallel: 2})
	capped := bare(t, Deployment{Model: "llama-3-70b", GPU: "h100", Precision: bf16, TensorParallel: 2, PowerLimit: 490})
	prompt := capped.Seconds(onePrompt(2048)) / full.Seconds(onePrompt(2048))
	token := capped.Seconds(decodes(16, 576)) / full.Seconds(decodes(16, 576))
	t.Logf("prompt x%.2f, token x%.3f", prompt, token)
	if prompt < 1.15 || prompt > 1.45 {
		t.Errorf("prompt time x%.2f under a limit of 490 W, measured x1.30", prompt)
	}
	if token > 1.02 {
		t.Errorf("token time x%.3f under a limit of 490 W, measured x1.00", token)
	}
}
