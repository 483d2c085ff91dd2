package serving

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestNearIsWithinWhatIsKnown: what moves by less than its error is near, what moves by more is not, one at a time.
func TestNearIsWithinWhatIsKnown(t *testing.T) {
	lengths := func(counts ...float64) Lengths {
		return Lengths{Bounds: []float64{100, 1000}, Counts: counts, Mean: 500}
	}
	before := Situation{
		Current: Topology{Prefill: 3, Decode: 1}, Limits: Limits{TTFT: 1, ITL: 0.03},
		Spreads: Spreads{Prefill: 0.04, Decode: 0.03, Prompt: 0.02, Output: 0.02, Rate: 0.02, DecodeSlope: 0.1, DecodeBatch: 60, Dispersion: 0.2},
	}
	before.Cost = StepCost{Decode: 0.01, Sequence: 1e-4, Prefill: 0.004, Token: 1e-4}
	before.Budget, before.Sequences, before.KVTokens = 8192, 256, 1e6
	before.Moves, before.Leak = Moves{Base: 2e-3, PerToken: 1e-6, SlowShare: 0.1, Slow: 1e-5}, Leak{Tokens: 0.1, Requests: 0.2}
	before.Workload = Workload{Rate: 20, Dispersion: 1.5, Prompt: lengths(100, 800, 100), Output: lengths(500, 400, 100), Hit: 0.5}
	kept := before.Kept()
	assert.True(t, before.Near(kept))
	before.Prompt.Counts[0] = 100 // a copy's counts are its own
	for name, c := range map[string]struct {
		small, large func(*Situation)
	}{
		"rate":       {func(s *Situation) { s.Rate *= 1.03 }, func(s *Situation) { s.Rate *= 1.05 }},
		"prompt":     {func(s *Situation) { s.Prompt.Mean *= 0.97 }, func(s *Situation) { s.Prompt.Mean *= 0.95 }},
		"output":     {func(s *Situation) { s.Output.Mean *= 1.03 }, func(s *Situation) { s.Output.Mean *= 1.05 }},
		"dispersion": {func(s *Situation) { s.Dispersion *= 1.3 }, func(s *Situation) { s.Dispersion *= 1.5 }},
		"hit":        {func(s *Situation) { s.Hit = 0.51 }, func(s *Situation) { s.Hit = 0.53 }},
		"shape":      {func(s *Situation) { s.Prompt.Counts = []float64{120, 780, 100} }, func(s *Situation) { s.Prompt.Counts = []float64{170, 730, 100} }},
		"bounds":     {func(*Situation) {}, func(s *Situation) { s.Output.Bounds = []float64{100, 2000} }},
		"decode":     {func(s *Situation) { s.Cost.Decode *= 1.03 }, func(s *Situation) { s.Cost.Decode *= 1.06 }},
		"slope":      {func(*Situation) {}, func(s *Situation) { s.Cost = s.Cost.turned(0.15, 60) }},
		"prefill":    {func(s *Situation) { s.Cost.Token *= 1.03 }, func(s *Situation) { s.Cost.Token *= 1.06 }},
		"mixed":      {func(*Situation) {}, func(s *Situation) { s.Cost.MixedSequence = 3e-4 }},
		"moves":      {func(s *Situation) { s.Moves.Base *= 1.05 }, func(s *Situation) { s.Moves.Base *= 1.3 }},
		"slow path":  {func(s *Situation) { s.Moves.SlowShare += 0.005 }, func(s *Situation) { s.Moves.SlowShare += 0.02 }},
		"slower":     {func(s *Situation) { s.Moves.Slow *= 1.05 }, func(s *Situation) { s.Moves.Slow *= 1.3 }},
		"leak":       {func(s *Situation) { s.Leak.Tokens += 0.005 }, func(s *Situation) { s.Leak.Tokens += 0.02 }},
		"leaks":      {func(s *Situation) { s.Leak.Requests += 0.005 }, func(s *Situation) { s.Leak.Requests += 0.02 }},
		"limits":     {func(*Situation) {}, func(s *Situation) { s.ITL = 0.02 }},
		"topology":   {func(*Situation) {}, func(s *Situation) { s.Current = Topology{Prefill: 2, Decode: 2} }},
		"blocks":     {func(*Situation) {}, func(s *Situation) { s.KVTokens = 9e5 }},
	} {
		now := *before.Kept()
		c.small(&now)
		assert.True(t, now.Near(kept), name)
		now = *before.Kept()
		c.large(&now)
		assert.False(t, now.Near(kept), name)
	}
	now := *before.Kept()
	now.Prompt = Lengths{}
	assert.False(t, now.Near(kept))
	assert.False(t, (&Situation{}).Near(&Situation{}), "nothing is known of either")
}
