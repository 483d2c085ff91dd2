package serving

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// shared is a worker of a 70B model on four GPUs, about.
func shared(rate, prompt, output float64) SharedWorker {
	at := func(mean float64) Lengths {
		return Lengths{Bounds: []float64{mean / 2, 1.5 * mean}, Counts: []float64{0, 100, 0}, Mean: mean}
	}
	w := SharedWorker{
		Capability: Capability{
			Cost:   StepCost{Decode: 0.012, Sequence: 0.00005, Context: 2e-8, Prefill: 0.006, Token: 0.00006, MixedSequence: 0.0001, MixedContext: 2e-8},
			Budget: 2048, Sequences: 256, KVTokens: 1e6,
		},
		Workload: Workload{Rate: rate, Dispersion: 1, Prompt: at(prompt), Output: at(output)},
		Limits:   Limits{TTFT: 0.5, ITL: 0.05}, CostError: 0.03,
	}
	w.Measured, _ = w.play(w.Cost, 77)
	return w
}

func TestLeverageNamesThePhaseWhoseTenthBringsMost(t *testing.T) {
	for name, c := range map[string]struct {
		worker SharedWorker
		sign   float64
	}{
		"long prompts near capacity":  {shared(5.6, 2500, 30), 1},
		"long answers near the limit": {shared(14, 50, 800), -1},
		"hardly busy":                 {shared(0.5, 500, 100), 0},
	} {
		t.Run(name, func(t *testing.T) {
			l, ok := c.worker.Leverage()
			require.True(t, ok)
			switch {
			case c.sign == 0:
				assert.Less(t, l.Difference*l.Difference, sideGap*sideGap)
			default:
				assert.Greater(t, c.sign*l.Imbalance(), BalancedBand, "%+v", l)
			}
		})
	}
}

func BenchmarkLeverage(b *testing.B) {
	w := shared(5, 1500, 200)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := w.Leverage(); !ok {
			b.Fatal("not played")
		}
	}
}
