//go:build amd64

package serving

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
)

// figures is a digest of numbers, exact to the last bit.
func figures(values ...any) string {
	h := fnv.New64a()
	for _, v := range values {
		if err := binary.Write(h, binary.LittleEndian, v); err != nil {
			panic(err) // of what this file passes
		}
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

// TestRehearsalsComeOutTheSame holds all that rehearsals tell to the last bit: what is done to make them cheaper changes nothing of what they
// say. A change of the model does: then the digests are renewed, with tests/accuracy. Other processors round sums otherwise.
func TestRehearsalsComeOutTheSame(t *testing.T) {
	cases := map[string]struct {
		change func(*Situation)
		want   string
	}{
		"full":        {func(*Situation) {}, "0224f963c20cb329"},
		"light":       {func(s *Situation) { s.Rate = 0.4 }, "455ac52e6ae9dbb0"},
		"overloaded":  {func(s *Situation) { s.Rate = 60 }, "a94128a6c0de4364"},
		"bursts":      {func(s *Situation) { s.Dispersion = 30 }, "006101d6ebb20b9f"},
		"large":       {func(s *Situation) { s.Rate, s.Current = 240, Topology{Prefill: 13, Decode: 37} }, "edc4e674d97bf950"},
		"leaks":       {func(s *Situation) { s.Leak, s.Hit = Leak{Tokens: 0.3}, 0.4 }, "bb4f87fd6709eb9d"},
		"slow paths":  {func(s *Situation) { s.Moves.SlowShare, s.Moves.Slow = 0.2, 4e-5 }, "9358f3986670f7c4"},
		"little room": {func(s *Situation) { s.KVTokens, s.Sequences = 2e4, 16 }, "e7952ae28df4a38a"},
		"one token":   {func(s *Situation) { s.Output = lengthsAround(1) }, "75e2ff16eda3a0ca"},
		"aggregated":  {func(s *Situation) { s.Current = Topology{Aggregated: 4} }, "3e3227db6200ffe7"},
		"measured": {func(s *Situation) {
			s.Current, s.Measured, s.Cost.MixedSequence, s.Cost.Context = Topology{Aggregated: 4}, 12, 0.0001, 1e-8
		}, "ffe5f83a570981a6"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := ordinary()
			c.change(s)
			assert.Equal(t, c.want, figuresOf(s))
		})
	}
}

func figuresOf(s *Situation) string {
	base, _ := s.Rehearse(s.Current)
	best, _ := s.Best(s.Current.Groups())
	draws := s.Draw()
	now, _ := draws.WithInterval(Forecast{Topology: s.Current, Rehearsal: base}, 1)
	then, surety := draws.WithInterval(best, adviceGain)
	gate := s.Judge(-1)
	side, _ := s.Bottleneck()
	flat := func(f Forecast) []float64 {
		return []float64{
			float64(f.Prefill), float64(f.Decode), f.Goodput, f.Attained, f.TTFT50, f.TTFT90, f.ITL50, f.ITL99, f.PrefillBusy, f.DecodeBusy,
			f.GoodputLow, f.GoodputHigh, f.TTFT90Low, f.TTFT90High,
		}
	}
	calibrated := *s
	factor := calibrated.Calibrate(min(1, base.Attained+0.15), SidePrefill)
	return figures(flat(now), flat(then), surety, s.Paces(), []byte(gate.Verdict+gate.Reason),
		[]float64{gate.Benefit, gate.Low, min(gate.High, math.MaxFloat64), gate.Budget, gate.Together.Goodput, gate.Together.ITL99, gate.Apart.TTFT90},
		[]float64{side.PrefillGain, side.DecodeGain, side.PrefillFaster, side.DecodeFaster, side.Confidence}, factor)
}

func TestAWorkersLeverageComesOutTheSame(t *testing.T) {
	s := SharedWorker{
		Capability: ordinary().Capability, Workload: ordinary().Workload, Limits: ordinary().Limits, CostError: 0.04,
		Measured: Met{TTFT: 0.9, ITL: 0.7, MeanITL: 0.028, Requests: 600},
	}
	s.Rate = 6
	l, _ := s.Leverage()
	assert.Equal(t, "aed9e026d89e7b72", figures([]float64{l.Prefill, l.Decode, l.Difference, l.Spread, l.Slower, l.Confidence, l.Lean}))
}
