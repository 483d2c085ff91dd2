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
		"long answers near the limit": {shared(11.8, 50, 800), -1},
		"hardly busy":                 {shared(0.5, 500, 100), 0},
	} {
		t.Run(name, func(t *testing.T) {
			l, ok := c.worker.Leverage()
			require.True(t, ok)
			if c.sign == 0 {
				assert.Less(t, l.Difference*l.Difference, sideGap*sideGap)
			} else {
				assert.Greater(t, c.sign*l.Imbalance(), BalancedBand, "%+v", l)
			}
		})
	}
}

func TestLeverageLeansOnlyWhereHardlyARequestIsInTime(t *testing.T) {
	w := shared(15, 50, 800)
	l, ok := w.Leverage()
	require.True(t, ok)
	assert.Equal(t, -1.0, l.Lean, "twice the decode capacity would carry it: %+v", l)
	assert.Less(t, l.Imbalance(), 0.0)
	assert.Greater(t, l.Imbalance(), -BalancedBand)
	assert.Less(t, l.Confidence, 0.8)
}

func TestLeverageMeetsWhatWasMeasured(t *testing.T) {
	w := shared(5.2, 2500, 30)
	w.Cost = w.Cost.Faster(1.1, 1.1) // a fit that is a tenth too fast
	l, ok := w.Leverage()
	require.True(t, ok)
	assert.InDelta(t, 1.1, l.Slower, 0.08)
}

// After the last arrival tokens come faster than they ever do. Near the limit of decode they made the mean between tokens too short.
func TestLeverageLeavesOutTheEndOfThePlay(t *testing.T) {
	w := shared(11.8, 50, 800)
	met, _ := w.play(w.Cost, 3)
	n := int(leverageSeconds * w.Rate)
	p := newStage().newPlay(w.Capability, w.Workload, n, 3)
	p.together(1)
	meanITL := func(of []rehearsed) float64 {
		var seconds, tokens float64
		for _, r := range of {
			seconds += r.last - r.first
			tokens += r.output - 1
		}
		return seconds / tokens
	}
	first := int(leverageWarmUp * float64(n))
	stayed := p.requests[first : n-int(leverageEnd*float64(n))]
	assert.InEpsilon(t, meanITL(stayed), met.MeanITL, 0.01)
	assert.Less(t, meanITL(p.requests[n-100:]), 0.97*met.MeanITL, "those at the end are another kind")
	assert.Less(t, int(met.Requests), n-first)
}

func TestLeverageNeedsSomethingToPlay(t *testing.T) {
	for name, change := range map[string]func(*SharedWorker){
		"no costs": func(w *SharedWorker) { w.Cost = StepCost{} }, "no arrivals": func(w *SharedWorker) { w.Rate = 0 },
		"no lengths": func(w *SharedWorker) { w.Output = Lengths{} }, "nothing measured": func(w *SharedWorker) { w.Measured = Met{} },
	} {
		t.Run(name, func(t *testing.T) {
			w := shared(5, 500, 100)
			change(&w)
			_, ok := w.Leverage()
			assert.False(t, ok)
		})
	}
}

// The phases' shares of a paced step add up to the step, and each is as much faster as was asked.
func TestPacedStepsKeepTheShares(t *testing.T) {
	c := shared(5, 500, 100).Cost
	for _, step := range [][3]float64{{0, 40, 30_000}, {1500, 0, 0}, {700, 40, 30_000}} {
		at := func(p, d float64) float64 { return c.Paced(p, d).Seconds(step[0], step[1], step[2]) }
		whole := c.Seconds(step[0], step[1], step[2])
		assert.InEpsilon(t, whole/2, at(2, 2), 1e-9)
		assert.InEpsilon(t, whole/2, (whole-at(2, 1))+(whole-at(1, 2)), 1e-9, "what both save is half the step")
	}
}

func BenchmarkLeverage(b *testing.B) {
	w := shared(5.6, 2500, 30) // near its capacity: one that meets its objectives is not rehearsed
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := w.Leverage(); !ok {
			b.Fatal("not played")
		}
	}
}
