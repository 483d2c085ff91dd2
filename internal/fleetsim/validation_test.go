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
	pool := &cfg.Pools[0]
	pool.GPU, pool.Precision, pool.TensorParallel, pool.MaxBatchedTokens, pool.MaxModelTokens = "h200", "fp8", tp, 8192, 4096
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
