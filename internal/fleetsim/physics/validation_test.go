package physics

import (
	"math"
	"testing"
)

// Splitwise, Llama-2-70B on H100 with the software of 2023: time of one prompt of 512, 1024, 2048, 4096 and 8192 tokens in ms.
func TestPromptTimesOfSplitwise(t *testing.T) {
	measured := map[int][]float64{
		2: {83.8, 158.0, 310.3, 642.7, 1339.8},
		4: {59.6, 105.6, 200.7, 463.5, 953.6},
	}
	for tp, row := range measured {
		m := costOf(t, "h100", "llama-3-70b", "eager-2023", "bf16", tp)
		for i, want := range row {
			tokens := float64(int(512) << i)
			got := m.Seconds(onePrompt(tokens)) * 1e3
			t.Logf("TP%d %5.0f tokens: %.1f ms, measured %.1f ms, %+.1f %%", tp, tokens, got, want, (got/want-1)*100)
			if math.Abs(got/want-1) > 0.20 {
				t.Errorf("TP%d %.0f tokens: %.1f ms, measured %.1f ms: more than 20 %% off", tp, tokens, got, want)
			}
		}
	}
}

// The same source: time of a token at a context of 512 by batch size, TP 8.
func TestTokenTimesOfSplitwise(t *testing.T) {
	m := costOf(t, "h100", "llama-3-70b", "eager-2023", "bf16", 8)
	for batch, want := range map[int]float64{1: 29.8, 8: 32.5, 16: 34.2, 32: 38.6, 64: 50.2} {
		got := m.Seconds(decodes(batch, 512+64)) * 1e3
		t.Logf("batch %d: %.1f ms, measured %.1f ms, %+.1f %%", batch, got, want, (got/want-1)*100)
		if math.Abs(got/want-1) > 0.15 {
			t.Errorf("batch %d: %.1f ms, measured %.1f ms: more than 15 %% off", batch, got, want)
		}
	}
}
