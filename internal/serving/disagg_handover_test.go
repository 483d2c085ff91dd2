package serving

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// meanHandOver is the mean time between a prompt's computation and its first token at a decode worker, s, as rehearsed.
func meanHandOver(s *Situation) (mean float64) {
	p := s.staged().play(s.Capability, s.Workload, s.Current)
	counted := p.counted()
	for i := range counted {
		mean += (counted[i].first - counted[i].ready) / float64(len(counted))
	}
	return mean + p.moving
}

func TestTheHandOverTakesAsLongAsItWasMeasured(t *testing.T) {
	s := ordinary()
	s.Rate, s.Current = 10, Topology{Prefill: 2, Decode: 2}
	before, ok := s.Rehearse(s.Current)
	require.True(t, ok)
	bare := meanHandOver(s)

	s.HandOver(bare + 0.02)
	assert.InEpsilon(t, bare+0.02, meanHandOver(s), 0.05)
	after, ok := s.Rehearse(s.Current)
	require.True(t, ok)
	assert.InDelta(t, before.TTFT50+0.02, after.TTFT50, 0.005)
	assert.InDelta(t, before.ITL50, after.ITL50, 0.001, "no path and no step is longer")

	s.Moves.Wait = 0
	s.HandOver(bare / 2)
	assert.Zero(t, s.Moves.Wait, "never less than the transfer and a step")
	for _, unknown := range []float64{-1, 30} {
		s.Moves.Wait = 0
		s.HandOver(unknown)
		assert.Equal(t, blocksWait, s.Moves.Wait, "%v: half a step", unknown)
	}
	assert.InEpsilon(t, before.ITL50, s.decodeStep(s.Workload, s.Current), 0.1)
	more := s.Current
	more.Decode *= 4
	assert.Less(t, s.decodeStep(s.Workload, more), 0.99*s.decodeStep(s.Workload, s.Current), "fewer requests in each")
	s.Current = Topology{Aggregated: 4}
	s.Moves.Wait = 0
	s.HandOver(1)
	assert.Zero(t, s.Moves.Wait)
}

// Where answers keep their pace and links are full, it is transfers that are late: on a few links chance queues more than a rehearsal does.
func TestTransfersAreRaisedUntilAsManyAreLate(t *testing.T) {
	s := ordinary()
	s.Current = Topology{Prefill: 2, Decode: 2}
	s.Rate = 10
	assert.False(t, s.LinksFull())
	s.Moves = Moves{Base: 0.9 * 2 / s.Rate}
	require.True(t, s.LinksFull())
	before, ok := s.Rehearse(s.Current)
	require.True(t, ok)
	require.Greater(t, before.Attained, 0.9)
	cost := s.Cost
	assert.Greater(t, s.Calibrate(0, LateTransfers), 1.1)
	assert.Equal(t, cost, s.Cost)
	after, _ := s.Rehearse(s.Current)
	assert.Less(t, after.Attained, 0.1)
}
