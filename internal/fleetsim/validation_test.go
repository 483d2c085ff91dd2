package fleetsim

import (
	"math"
	"testing"
	"time"
)

// Measured serving points: vLLM, Llama-3.1-70B FP8 on H200, prompt and answer 1024 tokens, mean TPOT in ms by concurrency
// (ai-dynamo/aiconfigurator, silicon_sample). TP 4 is among the rows the overheads were fitted to, TP 8 is not.
func TestServingPointsOfVLLM(t *testing.T) {
	points := map[int]map[int]float64{
		4: {4: 9.85, 8: 10.14, 16: 10.94, 32: 14.38, 64: 16.07},
		8: {4: 7.93, 8: 8.52, 16: 9.71, 32: 11.01, 64: 12.73},
	}
	for tp, row := range points {
		for concurrency, want := range row {
			got := closedLoopTPOT(t, tp, concurrency) * 1e3
			t.Logf("TP%d concurrency %d: %.2f ms, measured %.2f ms, %+.1f %%", tp, concurrency, got, want, (got/want-1)*100)
			if math.Abs(got/want-1) > 0.12 {
				t.Errorf("TP%d concurrency %d: TPOT %.2f ms, measured %.2f ms: more than 12 %% off", tp, concurrency, got, want)
			}
		}
	}
}

// closedLoopTPOT is the mean time per output token over requests, after a first round that is not in step yet.
func closedLoopTPOT(t *testing.T, tp, concurrency int) float64 {
	t.Helper()
	cfg := DefaultConfig()
	cfg.GPU, cfg.Precision, cfg.TensorParallel, cfg.MaxBatchedTokens, cfg.MaxModelTokens = "h200", "fp8", tp, 8192, 4096
	cfg.Workload = ClosedLoop{Concurrency: concurrency, PromptTokens: 1024, OutputTokens: 1024, Spread: 0.1}
	var seen int
	var sum float64
	cfg.OnRequest = func(r RequestTruth) {
		if seen++; seen > concurrency {
			sum += (r.LastTokenSeconds - r.FirstTokenSeconds) / float64(r.OutputTokens-1)
		}
	}
	f := start(t, cfg)
	for seen < 3*concurrency {
		advance(t, f, f.Now()+5*time.Second)
	}
	return sum / float64(seen-concurrency)
}

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
			got := m.seconds(onePrompt(tokens)) * 1e3
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
		got := m.seconds(decodes(batch, 512+64)) * 1e3
		t.Logf("batch %d: %.1f ms, measured %.1f ms, %+.1f %%", batch, got, want, (got/want-1)*100)
		if math.Abs(got/want-1) > 0.15 {
			t.Errorf("batch %d: %.1f ms, measured %.1f ms: more than 15 %% off", batch, got, want)
		}
	}
}
