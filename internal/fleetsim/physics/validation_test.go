package physics

import (
	"math"
	"testing"
)

// splitwise compares a row of the perf_model of splitwise-sim (Llama-2-70B, software of 2023) with the simulated one, in ms.
func splitwise(t *testing.T, m *Cost, label string, steps []Work, measured []float64, tolerance float64) {
	t.Helper()
	for i, want := range measured {
		got := m.Seconds(steps[i]) * 1e3
		t.Logf("%s %d: %.1f ms, measured %.1f ms, %+.1f %%", label, i, got, want, (got/want-1)*100)
		if math.Abs(got/want-1) > tolerance {
			t.Errorf("%s %d: %.1f ms, measured %.1f ms: more than %g %% off", label, i, got, want, tolerance*100)
		}
	}
}

// Prompts of 512, 1024, 2048, 4096 and 8192 tokens. The stacks were fitted at TP 2 and 4; TP 8 was not seen.
func TestPromptTimesOfSplitwise(t *testing.T) {
	steps := []Work{onePrompt(512), onePrompt(1024), onePrompt(2048), onePrompt(4096), onePrompt(8192)}
	for _, c := range []struct {
		gpu, stack string
		tp         int
		measured   []float64
		tolerance  float64
	}{
		{"h100", "eager-2023", 2, []float64{83.8, 158.0, 310.3, 642.7, 1339.8}, 0.15},
		{"h100", "eager-2023", 4, []float64{59.6, 105.6, 200.7, 463.5, 953.6}, 0.15},
		{"h100", "eager-2023", 8, []float64{53.4, 77.9, 136.8, 390.3, 844.9}, 0.20},
		{"a100", "eager-2023-a100", 8, []float64{94.3, 154.5, 274.2, 661.2, 1549.8}, 0.15},
	} {
		m := costOf(t, c.gpu, "llama-3-70b", c.stack, bf16, c.tp)
		splitwise(t, m, c.gpu+" TP"+string(rune('0'+c.tp))+" prompt", steps, c.measured, c.tolerance)
	}
}

// Tokens at a context of 512 for batches of 1, 8, 16, 32 and 64 at TP 8.
func TestTokenTimesOfSplitwise(t *testing.T) {
	var steps []Work
	for _, batch := range []int{1, 8, 16, 32, 64} {
		steps = append(steps, decodes(batch, 512+64))
	}
	splitwise(t, costOf(t, "h100", "llama-3-70b", "eager-2023", bf16, 8), "h100 token", steps,
		[]float64{29.8, 32.5, 34.2, 38.6, 50.2}, 0.15)
	splitwise(t, costOf(t, "a100", "llama-3-70b", "eager-2023-a100", bf16, 8), "a100 token", steps,
		[]float64{44.9, 46.5, 50.4, 53.0, 71.6}, 0.15)
}

// Average power of a request on A100 at TP 8, over TDP: prompt of 512 and of 4096 tokens with 128 tokens of answer (0.43 and 0.39 measured).
func TestAveragePowerOfSplitwise(t *testing.T) {
	m := costOf(t, "a100", "llama-3-70b", "eager-2023-a100", bf16, 8)
	for prompt, want := range map[float64]float64{512: 0.435, 4096: 0.387} {
		p, d := m.Demand(onePrompt(prompt)), m.Demand(decodes(1, prompt+64))
		got := (p.Joules + 127*d.Joules) / (p.Seconds + 127*d.Seconds) / 8 / 400
		t.Logf("prompt %g: %.2f of TDP, measured %.2f", prompt, got, want)
		if math.Abs(got/want-1) > 0.15 {
			t.Errorf("prompt %g: %.2f of TDP, measured %.2f", prompt, got, want)
		}
	}
}
