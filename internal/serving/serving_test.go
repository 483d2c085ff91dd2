package serving

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBusyTimeLeavesIdleTimeOut(t *testing.T) {
	// 100 steps of 20 ms with a batch of 4, then 3 s of nothing: 2 s busy in 5 s.
	w := Work{Elapsed: 5, Steps: 100, DecodeTokens: 400, ITLSum: 400 * 0.02, Running: Running{Seen: true, Min: 0}}
	busy, ok := w.Busy(0)
	require.True(t, ok)
	assert.InDelta(t, 2, busy, 1e-9)
	// What a batch averaged over all of the window would give: by Little's law always the elapsed time.
	littlesBatch := w.ITLSum / w.Elapsed
	assert.InDelta(t, 5, w.ITLSum/littlesBatch, 1e-9)
}

func TestBusyTime(t *testing.T) {
	always := Running{Seen: true, Min: 3}
	for name, c := range map[string]struct {
		work Work
		want float64
		ok   bool
	}{
		"requests at every look and nearly all of the time": {
			Work{Elapsed: 5, Steps: 100, DecodeTokens: 300, ITLSum: 300 * 0.047, Running: always}, 5, true},
		"requests at every look but far from all of the time": {
			Work{Elapsed: 5, Steps: 100, DecodeTokens: 300, ITLSum: 300 * 0.03, Running: always}, 3, true},
		"never more than the elapsed time": {
			Work{Elapsed: 5, Steps: 100, DecodeTokens: 300, ITLSum: 300 * 0.06}, 5, true},
		"nothing ran":                   {Work{Elapsed: 5, Running: Running{Seen: true}}, 0, true},
		"no step, yet requests running": {Work{Elapsed: 5, Running: always}, 0, false},
		"prefill only":                  {Work{Elapsed: 5, Steps: 10, FirstTokens: 10, PrefillTokens: 5000}, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := c.work.Busy(0)
			assert.Equal(t, c.ok, ok)
			assert.InDelta(t, c.want, got, 1e-9)
		})
	}
}

// Ten prompts of 100 ms while nobody decodes, then 90 steps of 10 ms with one request each, in 10 s.
func TestBusyTimeCountsPrefillThatNobodyDecodesBeside(t *testing.T) {
	w := Work{Elapsed: 1e4, Steps: 100, FirstTokens: 10, DecodeTokens: 90, ITLSum: 0.9}
	busy, ok := w.Busy(0.1)
	require.True(t, ok)
	assert.InDelta(t, 10*0.1+90*0.01, busy, 1e-3)
	busy, _ = w.Busy(0)
	assert.InDelta(t, 1, busy, 1e-9, "without the prefill time its steps look like decode steps")
}

func TestChunksPerPrompt(t *testing.T) {
	bounds := []float64{500, 1000, 2000, 5000}
	assert.InDelta(t, 1, ChunksPerPrompt(Buckets{bounds, []float64{3, 2, 1, 0, 0}}, 2000), 1e-9)
	// uniform on (2000, 5000] with room 2000: two thirds take 2 steps, one third takes 3
	assert.InDelta(t, 2+1.0/3, ChunksPerPrompt(Buckets{bounds, []float64{0, 0, 0, 1, 0}}, 2000), 1e-9)
	assert.InDelta(t, 3, ChunksPerPrompt(Buckets{bounds, []float64{0, 0, 0, 0, 1}}, 2000), 1e-9, "above the last bound")
	assert.Zero(t, ChunksPerPrompt(Buckets{}, 2000))
	assert.Zero(t, ChunksPerPrompt(Buckets{bounds, []float64{1, 0, 0, 0, 0}}, 0))
}

func TestCountPrefillSteps(t *testing.T) {
	w := Work{
		Elapsed: 5, Steps: 100, FirstTokens: 12, PrefillTokens: 12_000, DecodeTokens: 2000, ITLSum: 95,
		StepTokens: Buckets{Bounds: []float64{8, 16, 32, 512, 2048}, Counts: []float64{0, 10, 80, 2, 6, 2}},
	}
	p := CountPrefillSteps(w, 1.5, 2048)
	// credited: buckets above 32 (the first bound past 1.15*20), 10 steps; chunks: 18
	assert.InDelta(t, 14, p.All, 1e-9)
	assert.InDelta(t, 4, p.Spread, 1e-9)
	assert.InDelta(t, 14*math.Exp(-19), p.Only, 1e-12)

	p = CountPrefillSteps(w, 0, 520)
	assert.InDelta(t, 24, p.All, 1e-9, "no step carries more than the budget")
	assert.Zero(t, CountPrefillSteps(Work{Steps: 5}, 2, 2048))
}

// engine plays a worker whose step time is linear, so that the split has a known answer. It is no model of an engine: the
// simulator (internal/fleetsim) scores the estimator, this only checks the arithmetic.
type engine struct {
	rng             *rand.Rand
	step, tok, seq  float64
	lengths         Buckets
	prefill, decode float64 // truth, s
}

func newEngine(seed uint64) *engine {
	return &engine{
		rng: rand.New(rand.NewPCG(seed, 7)), step: 0.02, tok: 5e-5, seq: 1e-4,
		lengths: Buckets{Bounds: []float64{1000, 2000, 5000}, Counts: make([]float64, 4)},
	}
}

// window plays five seconds of a busy worker whose prompts fit in one step each.
func (e *engine) window(rate float64) (Work, Buckets) {
	w := Work{Running: Running{Seen: true, Min: 10}}
	w.StepTokens = Buckets{Bounds: []float64{8, 64, 128, 4096}, Counts: make([]float64, 5)}
	lengths := Buckets{Bounds: e.lengths.Bounds, Counts: make([]float64, 4)}
	for w.Elapsed < 5 {
		n := 30 + e.rng.IntN(10)
		t := e.step + e.seq*float64(n)
		if e.rng.Float64() < rate {
			p := float64(200 + e.rng.IntN(1600))
			e.prefill += e.step/2 + e.tok*p
			e.decode += t - e.step/2
			t += e.tok * p
			w.PrefillTokens += p
			w.FirstTokens++
			w.StepTokens.Counts[3]++
			lengths.Counts[0]++
		} else {
			e.decode += t
			w.StepTokens.Counts[1]++
		}
		w.Steps++
		w.DecodeTokens += float64(n)
		w.ITLSum += t * float64(n)
		w.Elapsed += t
	}
	return w, lengths
}

func TestSplitFindsTheShareOfALinearEngine(t *testing.T) {
	for seed := range uint64(5) {
		e, s := newEngine(seed), NewSplitter(2048)
		var prefill, decode, unattributed, elapsed float64
		for i := range 400 {
			rate := 0.2 + 0.1*math.Sin(float64(i)/20)
			if i == minSamples {
				e.prefill, e.decode = 0, 0
			}
			w, lengths := e.window(rate)
			got := s.Split(w, lengths)
			assert.InDelta(t, w.Elapsed, got.Prefill+got.Decode+got.Idle+got.Unattributed, 1e-9)
			prefill, decode, unattributed = prefill+got.Prefill, decode+got.Decode, unattributed+got.Unattributed
			elapsed += w.Elapsed
		}
		truth := e.prefill / (e.prefill + e.decode)
		assert.InEpsilon(t, truth, prefill/(prefill+decode), 0.03, "seed %d", seed)
		assert.Less(t, unattributed/elapsed, 0.05, "only the warm-up is unattributed")
	}
}

func TestSplitIsWithheldWhenItCannotBeKnown(t *testing.T) {
	constant := Work{
		Elapsed: 5, Steps: 200, PrefillTokens: 10_000, FirstTokens: 20, DecodeTokens: 6000, ITLSum: 150,
		Running: Running{Seen: true, Min: 5},
	}
	s := NewSplitter(2048)
	var last StepSplit
	for range 100 {
		last = s.Split(constant, Buckets{})
	}
	assert.Equal(t, WithheldConstantLoad, last.Withheld)
	assert.InDelta(t, 5, last.Unattributed, 1e-9)

	s = NewSplitter(2048)
	first := s.Split(constant, Buckets{})
	assert.Equal(t, WithheldWarmUp, first.Withheld)

	only := s.Split(Work{Elapsed: 5, Steps: 9, FirstTokens: 9, PrefillTokens: 9000}, Buckets{})
	assert.Equal(t, WithheldBusyUnknown, only.Withheld)
	assert.InDelta(t, 5, only.Unattributed, 1e-9)
}

func TestOneAbsurdNumberDoesNotPoisonTheFit(t *testing.T) {
	e, s := newEngine(1), NewSplitter(2048)
	for i := range 100 {
		w, lengths := e.window(0.2 + 0.1*math.Sin(float64(i)/20))
		if i == 50 {
			w.PrefillTokens = 1e200
			assert.Equal(t, WithheldBadInput, s.Split(w, lengths).Withheld)
			continue
		}
		got := s.Split(w, lengths)
		if i > 60 {
			require.Empty(t, got.Withheld)
			require.Greater(t, got.Confidence, 0.5)
		}
	}
}

func TestPurePhasesNeedNoFit(t *testing.T) {
	s := NewSplitter(2048)
	decode := s.Split(Work{Elapsed: 5, Steps: 100, DecodeTokens: 400, ITLSum: 8}, Buckets{})
	assert.Equal(t, MethodPurePhase, decode.Method)
	assert.InDelta(t, 2, decode.Decode, 1e-9)
	assert.InDelta(t, 3, decode.Idle, 1e-9)

	idle := s.Split(Work{Elapsed: 5, Running: Running{Seen: true}}, Buckets{})
	assert.InDelta(t, 5, idle.Idle, 1e-9)
	assert.Empty(t, idle.Withheld)
}

func TestSplitNeverClaimsHigh(t *testing.T) {
	e, s := newEngine(1), NewSplitter(2048)
	for i := range 600 {
		w, lengths := e.window(0.2 + 0.1*math.Sin(float64(i)/20))
		assert.Less(t, s.Split(w, lengths).Confidence, 0.8)
	}
}

func seen(v float64) Ratio { return Ratio{Seen: true, Value: v, Low: v * 0.95, High: v * 1.05} }

func TestBalance(t *testing.T) {
	for name, c := range map[string]struct {
		in   Pressures
		want float64
	}{
		"prefill":                         {Pressures{TTFT: seen(2), ITL: seen(0.5)}, math.Log(4)},
		"decode by latency":               {Pressures{TTFT: seen(0.5), ITL: seen(2)}, -math.Log(4)},
		"decode by KV usage":              {Pressures{TTFT: seen(0.4), ITL: seen(0.2), KVUsage: 0.72}, math.Log(0.5)},
		"decode by batch slots":           {Pressures{TTFT: seen(0.4), ITL: seen(0.2), SeqUsage: 0.8}, math.Log(0.5)},
		"a queue behind a full KV cache":  {Pressures{TTFT: seen(8), ITL: seen(0.5), Queue: seen(7), KVUsage: 0.99}, -math.Log(8)},
		"a queue behind free KV is plain": {Pressures{TTFT: seen(8), ITL: seen(1), Queue: seen(7), KVUsage: 0.5}, math.Log(8)},
		"bounded":                         {Pressures{TTFT: seen(1e6), ITL: seen(1)}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			b, ok := c.in.Balance()
			require.True(t, ok)
			assert.InDelta(t, c.want, b.Imbalance, 1e-9)
		})
	}
	for _, p := range []Pressures{{KVUsage: 1}, {TTFT: seen(1)}, {ITL: seen(1)}} {
		_, ok := p.Balance()
		assert.False(t, ok, "there is nothing to compare")
	}
}

func TestBalanceConfidenceIsTheChanceToBeOnTheRightSide(t *testing.T) {
	far, _ := Pressures{TTFT: seen(3), ITL: seen(1)}.Balance()
	near, _ := Pressures{TTFT: seen(1.23), ITL: seen(1)}.Balance()
	assert.Greater(t, far.Confidence, 0.99)
	assert.InDelta(t, 0.5, near.Confidence, 0.15, "at the edge of the band either side is as likely")
}

func TestBalanceIsNoSurerThanItsBuckets(t *testing.T) {
	// All TTFT in (0.25, 0.5] of an objective of 0.5, all ITL in (0.01, 0.025] of 0.025: anything from -0.69 to +0.92 fits.
	wide := Pressures{
		TTFT: Ratio{Seen: true, Value: 0.95, Low: 0.95, High: 0.95, Width: 0.5},
		ITL:  Ratio{Seen: true, Value: 0.94, Low: 0.94, High: 0.94, Width: 0.6},
	}
	b, ok := wide.Balance()
	require.True(t, ok)
	assert.Less(t, b.Confidence, 0.7)

	above := Ratio{Seen: true, Value: 5, Low: 5, High: 5, Width: math.Inf(1)}
	b, ok = Pressures{TTFT: above, ITL: above}.Balance()
	require.True(t, ok)
	assert.Zero(t, b.Confidence, "above the last bound")
}

func BenchmarkSplit(b *testing.B) {
	e, s := newEngine(1), NewSplitter(2048)
	w, lengths := e.window(0.2)
	b.ReportAllocs()
	for range b.N {
		s.Split(w, lengths)
	}
}
