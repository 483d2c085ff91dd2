package serving

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// randomPool is any pool that could be seen, and many that could not.
func randomPool(rng *rand.Rand) KVPool {
	n := func(most float64) float64 { return (rng.Float64()*1.2 - 0.1) * most }
	return KVPool{
		Blocks: 1 + rng.Float64()*1e6, BlockSize: float64(int(1) << rng.IntN(9)), Held: math.Abs(n(1e6)), Running: math.Abs(n(1e4)),
		Awaiting: n(1e5), Drafts: n(1e4), Pinned: n(1e5), Tail: n(600), Cached: n(1e6), Useful: n(1e6),
		CachedKnown: rng.IntN(2) == 0, UsefulKnown: rng.IntN(2) == 0,
	}
}

func TestPartsOfAPoolAddUpToIt(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 10_000 {
		p := randomPool(rng)
		u, ok := p.Divide()
		require.True(t, ok)
		require.InEpsilon(t, p.Blocks*p.BlockSize, u.Total(), 1e-9, "%+v", p)
		for _, v := range []float64{u.Live, u.TailWaste, u.Reserved, u.Pinned, u.CachedUseful, u.CachedDead, u.Unattributed, u.Free} {
			require.GreaterOrEqual(t, v, -1e-6, "%+v", p)
		}
		for _, pressed := range []bool{false, true} {
			score, known := u.Fragmentation(pressed)
			require.True(t, score >= 0 && score <= 1+1e-9 && known >= 0 && known <= 1, "%v %v", score, known)
		}
	}
}

func TestAPoolThatIsNoneIsNotDivided(t *testing.T) {
	for _, p := range []KVPool{{}, {Blocks: 10}, {BlockSize: 16}, {Blocks: math.NaN(), BlockSize: 16}, {Blocks: math.Inf(1), BlockSize: 16}, {Blocks: 1, BlockSize: 1, Held: -1}} {
		_, ok := p.Divide()
		assert.False(t, ok, "%+v", p)
	}
}

func TestAnIdlePoolIsNotFragmented(t *testing.T) {
	score := func(p KVPool, pressed bool) float64 {
		p.Blocks, p.BlockSize, p.CachedKnown, p.UsefulKnown = 100, 16, true, true
		u, ok := p.Divide()
		require.True(t, ok)
		s, _ := u.Fragmentation(pressed)
		return s
	}
	assert.Zero(t, score(KVPool{}, false), "empty")
	assert.Zero(t, score(KVPool{Cached: 100}, false), "full of what nobody asks for, and nobody wants the room")
	assert.InDelta(t, 1, score(KVPool{Cached: 100}, true), 1e-9, "the same when somebody does")
	assert.Zero(t, score(KVPool{Cached: 100, Useful: 100}, true))
	assert.InDelta(t, 0.2, score(KVPool{Held: 20, Pinned: 20}, false), 1e-9)
	assert.InDelta(t, 0.2*7.5/16, score(KVPool{Held: 20, Running: 20, Tail: 7.5}, false), 1e-9)
}

// TestTailFollowsWhatIsKnown: 17 tokens in two blocks of 16 leave 15, and long sequences of any length half a block.
func TestTailFollowsWhatIsKnown(t *testing.T) {
	length, deviation := LengthFromCounters(17, 2, 0)
	assert.InDelta(t, 14.5, KVTail(16, 32, length, deviation), 0.5)
	length, deviation = LengthFromPasses(17, 1, 17, 1, 0)
	assert.InDelta(t, 17.5, length, 1e-9)
	assert.InDelta(t, 14.5, KVTail(16, 32, length, deviation), 0.3)
	length, deviation = LengthFromCounters(3000, 400, 0)
	assert.InDelta(t, 7.5, KVTail(16, 3300, length, deviation), 0.5, "the error of the length is larger than a block")
	assert.InDelta(t, 7.5, KVTail(16, 0, 0, 0), 1e-9, "nothing is known")
	length, deviation = LengthFromPasses(100, 1, 0, 0, 80)
	assert.InDelta(t, 7.5, KVTail(16, 40, length, deviation), 1, "requests share what their length does not show")
	for _, bs := range []float64{1, 16, 256} {
		assert.Equal(t, min(max(0, KVTail(bs, 1e9, 1, 1e-9)), bs-1), KVTail(bs, 1e9, 1, 1e-9))
	}
}

func TestCachedBlocks(t *testing.T) {
	p := KVPool{Blocks: 100, BlockSize: 16, Held: 30, Running: 10, Tail: 7.5}
	assert.InDelta(t, 80-(30-10*15.0/16), p.CachedOf(80), 1e-9)
	assert.InDelta(t, 70, p.CachedOf(1e9), 1e-9, "never more than is not held")
	assert.Zero(t, p.CachedOf(0))
	p.Tail = 14.5
	assert.InDelta(t, 80-(30-10*(1-0.0667/16)), p.CachedOf(80), 0.01, "no block of them is full")
	assert.InDelta(t, 20, p.CachedAfter(50*16), 1e-9)
	assert.InDelta(t, 70, p.CachedAfter(1e9), 1e-9)
	assert.Zero(t, p.CachedAfter(0))
}

func TestShareOfACurve(t *testing.T) {
	r := KVReuse{Bounds: []float64{64, 128, 256}, Counts: []float64{10, 20, 30, 40}}
	for blocks, want := range map[float64]float64{0: 0, 32: 0.05, 64: 0.1, 96: 0.2, 256: 0.6, 1e9: 0.6, -5: 0} {
		assert.InDelta(t, want, r.Share(blocks), 1e-9, "%v blocks", blocks)
	}
	assert.InDelta(t, 0.6, r.Share(math.Inf(1)), 1e-9)
	assert.Zero(t, KVReuse{}.Share(10))
	assert.Zero(t, KVReuse{Bounds: []float64{1}, Counts: []float64{1}}.Share(10), "no histogram")
	last := 0.0
	for b := 1.0; b < 400; b++ {
		require.GreaterOrEqual(t, r.Share(b), last)
		last = r.Share(b)
	}
}

func TestPredictedHitRatio(t *testing.T) {
	c := KVCurve{
		Reuse: KVReuse{Bounds: []float64{100, 200, 400}, Counts: []float64{20, 20, 20, 40}}, BlockSize: 16,
		Lookups: 2000, Hits: 600, Cache: 100, Pool: 100,
	}
	assert.InDelta(t, 0.3, c.Predicted(1), 1e-9, "it is anchored at what the worker had")
	assert.InDelta(t, 0.3+20*16.0/2000, c.Predicted(2), 1e-9)
	assert.InDelta(t, 0.3+40*16.0/2000, c.Predicted(4), 1e-9)
	assert.InDelta(t, 0.3-10*16.0/2000, c.Predicted(0.5), 1e-9)
	c.Hits = 0
	assert.Zero(t, c.Predicted(0.5), "never below nothing")
	assert.Zero(t, KVCurve{}.Predicted(2))
}

// TestUnheldTime is held against a queue with infinitely many servers: users of a block come at random and hold it for a random time.
func TestUnheldTime(t *testing.T) {
	const held = 4.0
	for _, every := range []float64{0.5, 2, 8, 40} {
		rng := rand.New(rand.NewPCG(3, uint64(every)))
		bounds := []float64{0.01}
		for bounds[len(bounds)-1] < 1000 {
			bounds = append(bounds, bounds[len(bounds)-1]*1.2)
		}
		counts := make([]float64, len(bounds)+1)
		now, busyUntil, truth, sum := 0.0, 0.0, 0.0, 0.0
		for range 50_000 {
			gap := rng.ExpFloat64() * every
			truth += max(0, now+gap-max(now, busyUntil))
			now += gap
			sum += gap
			i := 0
			for i < len(bounds) && gap > bounds[i] {
				i++
			}
			counts[i]++
			busyUntil = max(busyUntil, now+rng.ExpFloat64()*held)
		}
		got := UnheldSeconds(bounds, counts, sum, held, 0)
		t.Logf("every %v s, held for %v s: unheld %.4f of the time, truth %.4f", every, held, got/sum, truth/sum)
		assert.InDelta(t, truth/sum, got/sum, 0.05, "used every %v s", every)
	}
	assert.Zero(t, UnheldSeconds(nil, nil, 0, 1, 0))
	assert.InDelta(t, 10, UnheldSeconds([]float64{8, 12}, []float64{0, 1, 0}, 10, 0, 0), 1e-9, "nobody holds it")
	assert.InDelta(t, 3, UnheldSeconds([]float64{8, 12}, []float64{0, 1, 0}, 10, 0, 3), 1e-9, "it could not have survived longer")
}

// TestMissesCloseInTheEnd: whatever comes first, in the end all that was missed is divided, and blocks have their causes.
func TestMissesCloseInTheEnd(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	var l MissLedger
	var got, want KVMisses
	missed, late := 0.0, 0.0
	for i := range 2000 {
		s := KVMisses{Compulsory: 800 * rng.Float64(), Capacity: 300 * rng.Float64(), Routing: 50 * rng.Float64()}
		requests := float64(1 + rng.IntN(3))
		partial := requests * 8
		now := late // blocks are stored before the first token counts the prompt
		late = s.blocks() + partial
		if i == 0 {
			now = 0
		}
		want.Add(s)
		want.Partial += partial
		missed += now
		got.Add(l.Add(now, requests, 16, s))
	}
	assert.InEpsilon(t, missed, got.Total(), 0.01)
	assert.InEpsilon(t, want.Compulsory, got.Compulsory, 0.01)
	assert.InEpsilon(t, want.Capacity, got.Capacity, 0.01)
	assert.InEpsilon(t, want.Routing, got.Routing, 0.05)
	assert.InEpsilon(t, want.Partial, got.Partial, 0.1)
	assert.Less(t, got.Unknown, 0.01*got.Total())
}

func TestMissesThatNoEventExplainsAreUnknown(t *testing.T) {
	var l MissLedger
	var got KVMisses
	for range 100 {
		got.Add(l.Add(1000, 1, 16, KVMisses{}))
	}
	assert.InDelta(t, 100*16, got.Partial, 1e-6, "at most a block a request")
	assert.Greater(t, got.Unknown, 90_000.0)
	assert.LessOrEqual(t, got.Total(), 100_000.0+1e-6)
}

// Prompts fill half of the room for partial blocks on average. The other half is no store of causes for a time without events.
func TestLostEventsAreNotPartialBlocks(t *testing.T) {
	var l MissLedger
	for range 5000 {
		l.Add(1000+10*8, 10, 16, KVMisses{Compulsory: 1000})
	}
	var got KVMisses
	for range 20 {
		got.Add(l.Add(1000+10*8, 10, 16, KVMisses{}))
	}
	assert.LessOrEqual(t, got.Partial, (20+openShare)*10*16.0)
	assert.Greater(t, got.Unknown, 0.6*20*1000)
}
