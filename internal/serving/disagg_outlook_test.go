package serving

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A benefit over a tenth of the requests in time, as a few minutes measured it, is known badly; one over nearly all of them is known well.
func TestABenefitIsKnownAsWellAsTheShareItIsOver(t *testing.T) {
	s := ordinary()
	s.Current, s.Rate, s.Limits = Topology{Aggregated: 8}, 30, Limits{TTFT: 1, ITL: 0.03}
	s.Measured = 0.1 * s.Rate
	few := s.Judge(-1)
	require.InDelta(t, 10, few.Benefit, 1)
	assert.InDelta(t, 6.5, few.Low, 1)
	assert.InDelta(t, 16, few.High, 3)
	s.Measured = 0.995 * s.Rate
	nearly := s.Judge(-1)
	require.InDelta(t, 1, nearly.Benefit, 0.02)
	assert.Greater(t, nearly.Low, 0.97)
	assert.Less(t, nearly.High, 1.05)
}

// Both ways meet the same demand in a draw: how much that is is no doubt of which is better.
func TestDemandIsNoDoubtOfALightLoad(t *testing.T) {
	s := ordinary()
	s.Current, s.Rate, s.Limits, s.Spreads.Rate = Topology{Prefill: 4, Decode: 4}, 6, Limits{TTFT: 2, ITL: 0.06}, 0.05
	g := s.Judge(-1)
	assert.InDelta(t, 1, g.Low, 0.002)
	assert.InDelta(t, 1, g.High, 0.002)
}

// How many an overloaded split serves in time depends on how long it has been overloaded, which a rehearsal takes to be ten minutes.
func TestAnOverloadedSplitMayBeSoForAMinute(t *testing.T) {
	s := ordinary()
	s.Current, s.Rate, s.Limits = Topology{Aggregated: 4}, 60, Limits{TTFT: 1, ITL: 0.1}
	s.Measured = 0.1 * s.Rate
	g := s.Judge(-1)
	require.Less(t, g.Benefit, 0.1)
	assert.Less(t, g.Low, 0.05)
	assert.Greater(t, g.High, 0.3)
	assert.Less(t, g.High, 2.0)
}

func TestAShareIsOffInItsLogOdds(t *testing.T) {
	s := ordinary()
	assert.InEpsilon(t, 5, s.offOdds(5, 0), 1e-9)
	assert.InDelta(t, s.Rate-s.offOdds(5, 1), s.offOdds(s.Rate-5, -1), 1e-9)
	assert.Zero(t, int(s.offOdds(0, 2)))
	assert.InDelta(t, s.Rate, s.offOdds(2*s.Rate, -2), 1e-6)
}
