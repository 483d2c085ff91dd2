package serving

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Long prompts share steps and end within others: their time from schedule to first token tells the cost of a token by a model of that, which is off.
// What a worker computes while more wait than it takes tells it without.
func TestAWorkerThatIsNeverIdleTellsItsCosts(t *testing.T) {
	const base, token, full = 0.005, 0.00008, 8192.0
	random := rand.New(rand.NewPCG(6, 5))
	window := func(busy bool) PrefillWindow {
		steps := float64(10 + random.IntN(10))
		tokens := full * steps * (0.9 + 0.1*random.Float64())
		w := PrefillWindow{
			Requests: tokens / 6000, Time: tokens / 6000 * 1.9 * (base + token*full), Tokens: tokens,
			StepTokens: Buckets{Bounds: []float64{4096, 8192}, Counts: []float64{0, steps, 0}},
		}
		if busy {
			w.Busy = (steps*base + token*tokens) * (1 + 0.01*random.NormFloat64())
		}
		return w
	}
	p := NewPrefillFit(full)
	for range 40 {
		p.Add(window(false))
	}
	before, ok := p.Line(base / overheadShare)
	require.True(t, ok)
	require.Greater(t, before.Slope, 1.03*token, "the model of steps is off here")
	p.Add(window(true))
	p.Add(window(true))
	few, _ := p.Line(base / overheadShare)
	assert.Greater(t, few.Slope, 1.03*token, "two windows are chance")
	p.Add(window(true))
	p.Add(window(true))
	line, ok := p.Line(base / overheadShare)
	require.True(t, ok)
	assert.InEpsilon(t, token, line.Slope, 0.02)
	assert.InDelta(t, 0.005, line.Spread, 0.005)
	assert.InEpsilon(t, full*0.95, line.Mean, 0.05)
	for range 400 {
		p.Add(window(false))
	}
	late, _ := p.Line(base / overheadShare)
	assert.InEpsilon(t, before.Slope, late.Slope, 0.02, "what was long ago does not count for ever")
	p.Add(PrefillWindow{Requests: 1, Time: 1, Tokens: 1, Busy: -1})
	p.Add(PrefillWindow{Busy: 5})
}
