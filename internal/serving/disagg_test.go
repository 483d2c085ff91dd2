package serving

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func lengthsAround(mean float64) Lengths {
	return Lengths{Bounds: []float64{mean / 4, mean / 2, mean, 2 * mean, 4 * mean}, Counts: []float64{1, 2, 4, 2, 1, 0}, Mean: mean}
}

// ordinary is a fleet of four groups that is about full at 20 requests/s.
func ordinary() *Situation {
	return &Situation{
		Capability: Capability{
			Cost:   StepCost{Decode: 0.012, Sequence: 0.00007, Prefill: 0.006, Token: 0.00007},
			Budget: 8192, Sequences: 256, KVTokens: 1.2e6, Moves: Moves{Base: 0.0015, PerToken: 2e-6},
		},
		Workload: Workload{Rate: 20, Dispersion: 1, Prompt: lengthsAround(1100), Output: lengthsAround(210)},
		Limits:   Limits{TTFT: 1, ITL: 0.03},
		Current:  Topology{Prefill: 2, Decode: 2},
		Spreads:  Spreads{Prefill: 0.03, Decode: 0.03, Prompt: 0.02, Output: 0.02, Rate: 0.02},
	}
}

func TestARehearsalOfALightLoadIsWhatAloneRequestsMeet(t *testing.T) {
	s := ordinary()
	s.Rate = 0.2
	r, ok := s.Rehearse(Topology{Prefill: 2, Decode: 2})
	require.True(t, ok)
	assert.InDelta(t, 0.2, r.Goodput, 0.002)
	// A prompt, its transfer, and a decode step.
	assert.InDelta(t, 0.006+0.00007*1100+0.0015+0.0022+0.012, r.TTFT50, 0.02)
	assert.InDelta(t, 0.0125, r.ITL50, 0.001)
}

func TestTheBestSplitIsTheBestOfAll(t *testing.T) {
	for _, rate := range []float64{10, 24, 40} {
		s := ordinary()
		s.Rate = rate
		best, ok := s.Best(8)
		require.True(t, ok)
		for x := 1; x < 8; x++ {
			r, ok := s.Rehearse(Topology{Prefill: x, Decode: 8 - x})
			require.True(t, ok)
			assert.LessOrEqual(t, r.Goodput, best.Goodput*(1+balanceTolerance), "%d prefill groups at %g/s", x, rate)
		}
	}
}

func TestSmallOverloadsCount(t *testing.T) {
	s := ordinary()
	full, _ := s.Rates()
	s.Output = lengthsAround(20)
	s.Rate = 2 * 1.06 * full
	r, ok := s.Rehearse(Topology{Prefill: 2, Decode: 6})
	require.True(t, ok)
	assert.Less(t, r.Attained, 0.2, "six per cent too much for ten minutes")
	assert.Greater(t, r.TTFT90, 10.0)
}

func TestWhatCannotBePlayedIsNot(t *testing.T) {
	for name, spoil := range map[string]func(*Situation){
		"no rate":       func(s *Situation) { s.Rate = 0 },
		"no cost":       func(s *Situation) { s.Cost = StepCost{} },
		"negative cost": func(s *Situation) { s.Cost.Token = -1 },
		"not a number":  func(s *Situation) { s.Cost.Decode = math.NaN() },
		"no lengths":    func(s *Situation) { s.Prompt = Lengths{} },
		"no budget":     func(s *Situation) { s.Budget = 0 },
	} {
		s := ordinary()
		spoil(s)
		_, ok := s.Rehearse(s.Current)
		assert.False(t, ok, name)
	}
	_, ok := ordinary().Rehearse(Topology{Prefill: 1, Decode: 1, Aggregated: 1})
	assert.False(t, ok)
}

// A score is within bounds, the product of its factors, 1 without loss, falls with every defect, and does not care for units or for the
// order of defects.
func TestScoreProperties(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	for range 10_000 {
		var loss [Defects]float64
		for i := range loss {
			loss[i] = random.Float64()
			if random.IntN(3) == 0 {
				loss[i] = 1
			}
		}
		together := random.Float64() // how much defects aggravate each other
		of := func(loss [Defects]float64, unit float64) func(uint) float64 {
			return func(remaining uint) float64 {
				g, n := unit, 0
				for i, l := range loss {
					if remaining>>i&1 == 1 {
						g *= l
						if l < 1 {
							n++
						}
					}
				}
				if n > 1 {
					g *= 1 - 0.5*together
				}
				return g
			}
		}
		s := scoreOf(of(loss, 20), -1)
		product := 1.0
		for i, f := range s.Factors {
			require.True(t, f > 0 && f <= 1, "factor %d is %v", i, f)
			product *= f
		}
		require.InDelta(t, product, s.Value, 1e-12)
		require.InDelta(t, s.Value, scoreOf(of(loss, 0.02), -1).Value, 1e-9, "units")
		worse := loss
		k := random.IntN(Defects)
		worse[k] *= 0.9
		require.LessOrEqual(t, scoreOf(of(worse, 20), -1).Value, s.Value+1e-9, "defect %d", k)
		swapped := loss
		swapped[0], swapped[1] = loss[1], loss[0]
		x := scoreOf(of(swapped, 20), -1)
		require.InDelta(t, s.Factors[0], x.Factors[1], 1e-9, "names of defects")
		attained := random.Float64() * 20
		require.InDelta(t, max(minAttained, attained/20), scoreOf(of(loss, 20), attained).Value, 1e-9, "what was measured decides")
	}
	assert.InDelta(t, 1, scoreOf(func(uint) float64 { return 7 }, -1).Value, 1e-12)
	assert.Equal(t, -1, scoreOf(func(uint) float64 { return 7 }, -1).Worst())
}

func TestTheBottleneckIsTheSideWithTooLittle(t *testing.T) {
	s := ordinary()
	s.Rate = 22
	for _, c := range []struct {
		topology Topology
		side     string
	}{{Topology{Prefill: 1, Decode: 3}, SidePrefill}, {Topology{Prefill: 7, Decode: 1}, SideBalanced}} {
		s.Current = c.topology
		b, ok := s.Bottleneck()
		require.True(t, ok)
		assert.Equal(t, c.side, b.Side)
	}
	s.Current, s.Output = Topology{Prefill: 7, Decode: 1}, lengthsAround(900)
	b, ok := s.Bottleneck()
	require.True(t, ok)
	assert.Equal(t, SideDecode, b.Side)
	assert.Equal(t, SidePrefill, b.Futile, "more prefill workers would not help")
}

func TestTheGateKnowsWhenNotTo(t *testing.T) {
	s := ordinary()
	s.Current = Topology{Aggregated: 2}
	assert.Equal(t, GateFewGroups, s.Judge(-1).Reason)

	s.Current = Topology{Aggregated: 8}
	s.Prompt, s.Rate, s.Limits = lengthsAround(150), 60, Limits{TTFT: 2, ITL: 0.06}
	g := s.Judge(-1)
	assert.Equal(t, GateAgainst, g.Verdict)
	assert.Equal(t, GateShortPrompts, g.Reason)

	s = ordinary()
	s.Current, s.Rate, s.Limits = Topology{Aggregated: 8}, 44, Limits{TTFT: 1, ITL: 0.016}
	g = s.Judge(-1)
	assert.Equal(t, GateRecommend, g.Verdict, "strict between tokens: %+v", g)
	s.Moves = Moves{Base: 0.003, PerToken: 1e-3}
	assert.Equal(t, GateAgainst, s.Judge(-1).Verdict, "over a path that takes a second")
}

func TestForecastsAreHeldToWhatCame(t *testing.T) {
	var r ForecastRecord
	top := Topology{Prefill: 3, Decode: 1}
	minute := int64(time.Minute)
	claim := func(at int64, low, high float64) {
		r.Claim(at, Forecast{Topology: top, Rehearsal: Rehearsal{Attained: 1}, GoodputLow: low, GoodputHigh: high}, 10)
	}
	for i := range int64(6) {
		claim(i*10*minute, 9, 10)
		r.See((i*10+5)*minute, top, 10, 5) // far off
	}
	share, ok := r.Share()
	require.True(t, ok)
	assert.Zero(t, share)
	assert.True(t, r.Poor())
	for i := int64(10); i < 30; i++ {
		claim(i*10*minute, 9, 10)
		r.See((i*10+5)*minute, top, 10, 9.5)
	}
	share, _ = r.Share()
	assert.Equal(t, 1.0, share)
	claim(1000*minute, 1, 2)
	r.See(1005*minute, Topology{Prefill: 2, Decode: 2}, 10, 9)
	share, _ = r.Share()
	assert.Equal(t, 1.0, share, "another topology says nothing")
}

func TestCostsAreFound(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	d, p := NewDecodeFit(), NewPrefillFit(8192)
	for range 100 {
		steps := 250.0
		batch := 60 + 60*random.Float64()
		d.Add(steps*batch*(0.012+0.00007*batch)*(1+0.005*random.NormFloat64()), steps*batch, steps, 0)
		n := 30.0 // prompts, one a step
		tokens := 800 + 400*random.Float64()
		p.Add(PrefillWindow{
			Requests: n, Time: n * (0.0048 + 0.00008*tokens), Tokens: n * tokens,
			StepTokens: Buckets{Bounds: []float64{512, 2048}, Counts: []float64{0, n, 0}},
		})
	}
	decode, ok := d.Line()
	require.True(t, ok)
	assert.InEpsilon(t, 0.012, decode.Base, 0.05)
	assert.InEpsilon(t, 0.00007, decode.Slope, 0.1)
	prefill, ok := p.Line(decode.Base)
	require.True(t, ok)
	assert.InEpsilon(t, 0.00008, prefill.Slope, 0.03)
}

func TestCalibrateBelievesWhatWasMeasured(t *testing.T) {
	s := ordinary()
	prefill, _ := s.Rates()
	s.Rate, s.Current = 0.97*prefill*2, Topology{Prefill: 2, Decode: 6}
	before, _ := s.Rehearse(s.Current)
	require.Greater(t, before.Attained, 0.5)
	assert.Greater(t, s.Calibrate(0.1, SidePrefill), 1.0)
	after, _ := s.Rehearse(s.Current)
	assert.Less(t, after.Attained, 0.25)
}

func TestShareWithinBelievesTheMean(t *testing.T) {
	b := Buckets{Bounds: []float64{0.01, 0.025, 0.05}, Counts: []float64{0, 0, 100, 0}}
	for mean, want := range map[float64]float64{0.026: 1, 0.03: 0.5, 0.045: 0} {
		share, ok := ShareWithin(0.030, b, 100*mean, SpreadTogether)
		require.True(t, ok)
		assert.InDelta(t, want, share, 0.01, "%g", mean)
	}
	share, _ := ShareWithin(0.05, b, 4, SpreadTogether)
	assert.InDelta(t, 1, share, 1e-9, "at a bound")
	_, ok := ShareWithin(0.03, Buckets{}, 0, SpreadApart)
	assert.False(t, ok)
}

func TestCalibrateBelievesThatAPhaseKeepsUp(t *testing.T) {
	s := ordinary()
	s.Current = Topology{Prefill: 1, Decode: 3}
	truth, _ := s.Rehearse(s.Current)
	for truth.Attained < 0.9 { // a load that it carries
		s.Rate *= 0.95
		truth, _ = s.Rehearse(s.Current)
	}
	s.Cost = s.Cost.Faster(1/1.25, 1) // a fit that has prefill a quarter too slow
	wrong, _ := s.Rehearse(s.Current)
	require.Less(t, wrong.Attained, 0.7)
	assert.Less(t, s.Calibrate(truth.Attained, SidePrefill), 0.9)
	after, _ := s.Rehearse(s.Current)
	assert.InDelta(t, truth.Attained, after.Attained, 0.2)
}

// Requests beside prefill: two in five are paced below 25 ms, all but a few of them near it, as requests of one mean and unlike luck are.
func TestShareLikeKnowsHowValuesLieInABucket(t *testing.T) {
	const x = 0.022
	shape, values := make([]float64, 4000), make([]float64, 4000)
	var sum, want float64
	b := Buckets{Bounds: []float64{0.01, 0.025, 0.05}, Counts: make([]float64, 4)}
	for i := range values {
		shape[i] = 0.020 * math.Exp(0.15*math.Sqrt2*math.Erfinv(2*(float64(i)+0.5)/4000-1))
		values[i] = 1.3 * shape[i] // steps are slower than rehearsed
		sum += values[i]
		for j := range b.Counts {
			if j == len(b.Bounds) || values[i] <= b.Bounds[j] {
				b.Counts[j]++
				break
			}
		}
		if values[i] <= x {
			want += 1.0 / 4000
		}
	}
	share, ok := ShareLike(x, b, sum, shape)
	require.True(t, ok)
	assert.InDelta(t, want, share, 0.01)
	guess, _ := ShareWithin(x, b, sum, SpreadTogether)
	assert.Greater(t, guess, want+0.1, "the bucket's mean alone is not enough")
	share, ok = ShareLike(x, b, sum, nil)
	require.True(t, ok)
	assert.InDelta(t, guess, share, 1e-9, "without a shape")
	_, ok = ShareLike(x, Buckets{}, 0, shape)
	assert.False(t, ok)
}

func TestPacesAreThoseOfTheRehearsal(t *testing.T) {
	s := ordinary()
	s.Current = Topology{Aggregated: 4}
	r, ok := s.Rehearse(s.Current)
	require.True(t, ok)
	paces := s.Paces()
	require.NotEmpty(t, paces)
	n, _ := slices.BinarySearch(paces, s.ITL)
	assert.InDelta(t, r.Attained, float64(n)/float64(len(paces)), 0.02, "none is late for its first token here")
	s.Rate = 0
	assert.Empty(t, s.Paces())
}

func BenchmarkRehearse(b *testing.B) {
	for name, groups := range map[string]int{"4 groups": 4, "50 groups": 50} {
		b.Run(name, func(b *testing.B) {
			s := ordinary()
			s.Rate = 5 * float64(groups)
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := s.Rehearse(Topology{Prefill: groups * 3 / 4, Decode: groups - groups*3/4}); !ok {
					b.Fatal("not played")
				}
			}
		})
	}
}
