package serving

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAnEnginesOwnCountNeedsNoModel(t *testing.T) {
	s := DirectSplit(2, 1, 0, 5, Running{Seen: true})
	require.Empty(t, s.Withheld)
	assert.Equal(t, Split{
		Prefill: 2, PrefillLow: 2, PrefillHigh: 2, Decode: 1, Idle: 2, Method: MethodDirect, Confidence: maxPassSurety,
	}, s)

	s = DirectSplit(2, 2.7, 0, 5, Running{Seen: true, Min: 3})
	assert.InDelta(t, 5, s.Prefill+s.Decode, 1e-12, "between steps it prepares the next")
	assert.InDelta(t, 2/4.7, s.Prefill/5, 1e-12)

	s = DirectSplit(1, 2, 0.2, 5, Running{})
	assert.InDelta(t, 1.1, s.Prefill, 1e-12)
	assert.InDelta(t, 1, s.PrefillLow, 1e-12)
	assert.InDelta(t, 1.2, s.PrefillHigh, 1e-12)
	assert.Less(t, s.Confidence, maxPassSurety)

	s = DirectSplit(0, 0, 0, 5, Running{Seen: true})
	assert.InDelta(t, 5, s.Idle, 0)
}

func TestAnEnginesOwnCountIsWithheldWhereItDoesNotTell(t *testing.T) {
	for name, c := range map[string]struct {
		prefill, decode, mixed float64
		running                Running
		why                    string
	}{
		"slots that count the same time": {4, 8, 0, Running{}, WithheldOverlap},
		"mostly mixed":                   {1, 1, 1, Running{}, WithheldMixed},
		"nothing counted with requests":  {0, 0, 0, Running{Seen: true, Min: 1}, WithheldBusyUnknown},
		"no number":                      {math.NaN(), 1, 0, Running{}, WithheldBadInput},
		"infinite":                       {math.Inf(1), 1, 0, Running{}, WithheldBadInput},
	} {
		t.Run(name, func(t *testing.T) {
			s := DirectSplit(c.prefill, c.decode, c.mixed, 5, c.running)
			assert.Equal(t, c.why, s.Withheld)
			assert.InDelta(t, 5, s.Unattributed, 0)
		})
	}
}

// Windows of a worker whose GPUs do what the roofline says: the look from the other side agrees; with the activities of a worker that
// only decodes it does not, and the confidence falls.
func TestUnmixingDoubtsWhatTheGPUsContradict(t *testing.T) {
	o := newWorker70(t)
	s := NewRooflineSplitter(llama70(t))
	var r Reading
	var w Work
	var got StepSplit
	for i := range 60 {
		w, r, _ = o.window(40+20*math.Sin(float64(i)/9), 0.3)
		got = s.Split(w, r)
	}
	m := r.Passes.Mixed
	rows, decodes := m.PrefillTokens+m.Sequences+r.Passes.Decode.Sequences, r.Passes.Count()
	context := m.Context + r.Passes.Decode.Context
	tensor := (s.model.flopsPerRow*rows + s.model.flopsPerContext*m.PrefillTokens*r.Before) / (pipeShare * s.model.peak)
	dram := (s.model.bytesWeights*decodes + s.model.bytesPerContext*context) / (trafficShare * s.model.bandwidth)
	share, ok := s.Unmix(r, tensor, dram)
	require.True(t, ok)
	before := got.Confidence
	require.False(t, got.Doubt(share), "%v against %v", share, got.Prefill/5)
	assert.InDelta(t, before, got.Confidence, 0)

	share, ok = s.Unmix(r, tensor/20, dram)
	require.True(t, ok)
	require.True(t, got.Doubt(share))
	assert.InDelta(t, maxPriorSurety, got.Confidence, 0)

	_, ok = s.Unmix(Reading{}, tensor, dram)
	assert.False(t, ok)
	w, r, _ = o.window(400, 0.3)
	s.Split(w, r)
	_, ok = s.Unmix(r, tensor, dram)
	assert.False(t, ok, "a large batch computes as prefill does")
}
