package serving

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Workers fill up from empty, and after the last arrival tokens wait for no prompts any more. Were these requests counted, a large fleet, whose
// rehearsal is short, would seem to be faster than a small one with the same load on each worker.
func TestALargeFleetIsRehearsedAsFullAsASmallOne(t *testing.T) {
	pace := func(groups int) float64 {
		s := ordinary()
		s.Rate, s.Prompt = 2*float64(groups), lengthsAround(3000)
		s.Output.Mean = 800
		s.Current = Topology{Aggregated: groups}
		paces := s.Paces()
		require.NotEmpty(t, paces)
		sum := 0.0
		for _, p := range paces {
			sum += p
		}
		return sum / float64(len(paces))
	}
	assert.InEpsilon(t, pace(4), pace(40), 0.025)
}

func TestMostRequestsOfARehearsalCount(t *testing.T) {
	s := ordinary()
	s.Current = Topology{Prefill: 3, Decode: 1}
	play := func() *play {
		require.True(t, s.plays(s.Workload, s.Current))
		return s.staged().play(s.Capability, s.Workload, s.Current)
	}
	p := play()
	n, all := len(p.counted()), len(p.requests)
	assert.Less(t, n, all)
	assert.GreaterOrEqual(t, n, all/3)
	s.Rate *= 20 // hardly any request leaves
	p = play()
	assert.GreaterOrEqual(t, len(p.counted()), len(p.requests)/3)
}

// Half of the requests are late as measured, whatever a rehearsal says: that is no light load.
func TestALoadIsLightByWhatWasMeasured(t *testing.T) {
	s := ordinary()
	s.Rate, s.Current = 4, Topology{Aggregated: 4}
	s.Limits = Limits{TTFT: 5, ITL: 0.2}
	assert.Equal(t, GateLightLoad, s.Judge(-1).Reason)
	s.Measured = s.Rate / 2
	g := s.Judge(-1)
	assert.NotEqual(t, GateLightLoad, g.Reason)
	assert.Greater(t, g.Benefit, 1.5)
}
