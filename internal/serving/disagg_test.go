package serving

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func lengthsAround(mean float64) Lengths {
	return Lengths{Bounds: []float64{mean / 4, mean / 2, mean, 2 * mean, 4 * mean}, Counts: []float64{1, 2, 4, 2, 1, 0}, Mean: mean}
}

func ordinary() (Capability, Workload, Limits) {
	return Capability{
			Cost:   StepCost{Decode: 0.012, Sequence: 0.00007, Prefill: 0.006, Token: 0.00007},
			Budget: 8192, Sequences: 256, KVTokens: 1.2e6, Moves: Moves{Base: 0.0015, PerToken: 2e-6},
		}, Workload{Rate: 20, Dispersion: 1, Prompt: lengthsAround(1100), Output: lengthsAround(210)},
		Limits{TTFT: 1, ITL: 0.03}
}

func TestRehearsalOfALightLoadIsWhatAloneRequestsMeet(t *testing.T) {
	d, w, l := ordinary()
	w.Rate = 0.2
	r, ok := Rehearse(d, w, Topology{Prefill: 2, Decode: 2}, l)
	require.True(t, ok)
	assert.InDelta(t, 0.2, r.Goodput, 0.002)
	// A prompt, its transfer, and a decode step.
	assert.InDelta(t, 0.006+0.00007*1100+0.0015+0.0022+0.012, r.TTFT50, 0.02)
	assert.InDelta(t, 0.0125, r.ITL50, 0.001)
}

func BenchmarkRehearse(b *testing.B) {
	d, w, l := ordinary()
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := Rehearse(d, w, Topology{Prefill: 6, Decode: 2}, l); !ok {
			b.Fatal("not played")
		}
	}
}
