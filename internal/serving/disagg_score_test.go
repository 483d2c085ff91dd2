package serving

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// scoreOf is the score where the ideal is above nothing.
func scoreOf(goodput func(uint) float64, attained float64) Score {
	s, _ := ScoreOf(goodput, attained, 0)
	return s
}

func TestNoScoreOfAnOverloadThatNothingMends(t *testing.T) {
	_, ok := ScoreOf(func(uint) float64 { return 0 }, 0, 0)
	assert.False(t, ok, "nothing over nothing is not 1")
	_, ok = ScoreOf(func(uint) float64 { return 0.9 }, 0, 1)
	assert.False(t, ok)
	s, ok := ScoreOf(func(uint) float64 { return 20 }, 0, 1)
	require.True(t, ok)
	assert.InDelta(t, minAttained, s.Value, 1e-9, "goodput of nothing where 20 could be")
}

// Split or together, the load would be light: it is the present split that holds requests back, and that is said.
func TestTheGateNamesTheSplitThatHoldsBack(t *testing.T) {
	s := ordinary()
	s.Rate, s.Limits = 12, Limits{TTFT: 1, ITL: 0.2}
	s.Current = Topology{Prefill: 2, Decode: 2}
	require.Equal(t, GateLightLoad, s.Judge(-1).Reason)
	s.Current = Topology{Prefill: 1, Decode: 3}
	r, ok := s.Rehearse(s.Current)
	require.True(t, ok)
	require.Less(t, r.Attained, 0.9)
	g := s.Judge(-1)
	assert.Equal(t, GateOtherSplit, g.Reason)
	assert.Equal(t, GateNeutral, g.Verdict)
}

// Where a defect makes up for another, what the rest loses is not more than what was lost.
func TestFactorsSumToWhatWasLost(t *testing.T) {
	goodput := func(remaining uint) float64 { // with the leak the few prefill workers suffice
		if remaining>>DefectPurity&1 == 0 && remaining>>DefectBalance&1 == 1 {
			return 40
		}
		return 100
	}
	score, ok := ScoreOf(goodput, 100, 1)
	require.True(t, ok)
	assert.InDelta(t, 1, score.Value, 1e-9)
	assert.InDelta(t, 1, score.Factors[DefectBalance], 1e-9)
	score, _ = ScoreOf(goodput, 80, 1)
	assert.InDelta(t, 0.8, score.Value, 1e-9)
}

// Of next to nothing the logarithm is ruled by chance: that a rehearsal serves 6 % where nothing was served does not make "unexplained" the largest loss.
func TestLossesBeyondATwentiethAreDividedAsThoseBefore(t *testing.T) {
	goodput := func(remaining uint) float64 {
		if remaining>>DefectTransfer&1 == 1 {
			return 6
		}
		return 100
	}
	score := scoreOf(goodput, 0)
	assert.Equal(t, DefectTransfer, score.Worst())
	assert.True(t, score.Decided())
	product := 1.0
	for _, f := range score.Factors {
		product *= f
	}
	assert.InDelta(t, minAttained, product, 1e-9)
	assert.InDelta(t, 0.5, scoreOf(goodput, 50).Value, 1e-9)
}

func TestACollapseIsNotNamedWhereSeveralWouldMendIt(t *testing.T) {
	either := func(remaining uint) float64 {
		if remaining>>DefectTransfer&1 == 1 && remaining>>DefectBalance&1 == 1 {
			return 0
		}
		return 100
	}
	assert.False(t, scoreOf(either, 0).Decided())
	assert.False(t, scoreOf(func(uint) float64 { return 100 }, 0).Decided(), "no defect explains it")
	assert.True(t, scoreOf(func(uint) float64 { return 100 }, 60).Decided(), "this is a loss with a size")
	assert.True(t, scoreOf(func(uint) float64 { return 100 }, 100).Decided())
}
