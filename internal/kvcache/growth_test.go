package kvcache

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func stored(parent uint64, hashes ...uint64) Stored {
	return Stored{Hashes: hashes, Parent: parent, HasParent: parent != 0, Tokens: 16}
}

func span(from, n uint64) []uint64 {
	hashes := make([]uint64, n)
	for i := range hashes {
		hashes[i] = from + uint64(i)
	}
	return hashes
}

// TestARequestThatGrowsIsNoHit follows a request from its prompt, in two chunks, through its output, to a second request and a second turn.
func TestARequestThatGrowsIsNoHit(t *testing.T) {
	x := NewIndex(testSettings(), true)
	x.At(1000)
	x.Store(stored(0, span(1, 8)...))
	x.At(1000.3)
	x.Store(stored(8, span(9, 8)...)) // the second chunk
	x.At(1001.5)
	x.Store(stored(16, 17)) // output
	x.At(1002.9)
	x.Store(stored(17, 18))
	got := x.Totals()
	assert.Zero(t, got.HitTokens)
	assert.Equal(t, [Causes]uint64{Compulsory: 16 * 16, Generated: 2 * 16}, got.StoredTokens)
	assert.Equal(t, uint64(16), got.Reuse.Count(), "output is not looked for")

	x.At(1003)
	x.Store(stored(12, span(101, 4)...)) // another request, with the first 12 blocks in common
	got = x.Totals()
	assert.Equal(t, uint64(12*16), got.HitTokens)
	assert.Equal(t, uint64(16+16), got.Reuse.Count())

	x.At(1010)
	x.Store(stored(18, span(19, 3)...)) // the next turn, 7 seconds after the end of the first
	got = x.Totals()
	assert.Equal(t, uint64((12+18)*16), got.HitTokens)
	assert.Equal(t, int64(25), got.Resident[GPU])
}

// TestBlocksOneByOneAreOneRun: SGLang tells every block in an event of its own.
func TestBlocksOneByOneAreOneRun(t *testing.T) {
	x, y := NewIndex(testSettings(), true), NewIndex(testSettings(), true)
	for turn := range uint64(3) {
		now := 1000 + 100*float64(turn)
		x.At(now)
		y.At(now)
		parent := uint64(0)
		if turn > 0 {
			parent = 10 // both of the others begin as the first one does
		}
		x.Store(stored(parent, span(20*turn+1, 20)...))
		for _, h := range span(20*turn+1, 20) {
			y.Store(stored(parent, h))
			parent = h
		}
	}
	assert.Equal(t, x.Totals(), y.Totals())
	assert.Equal(t, uint64((10+10)*16), x.Totals().HitTokens)
}

// TestOutputThatIsStoredAtTheEnd follows two turns on SGLang, which stores a prompt when it is computed and its output when it is done.
func TestOutputThatIsStoredAtTheEnd(t *testing.T) {
	x := NewIndex(testSettings(), true)
	store := func(at float64, parent uint64, hashes ...uint64) {
		x.At(at)
		for _, h := range hashes {
			x.Store(stored(parent, h))
			parent = h
		}
		x.EndBatch()
	}
	store(1000, 0, span(1, 8)...)
	store(1000.4, 8, span(9, 8)...)  // the second chunk
	store(1025, 16, span(17, 30)...) // output of 25 seconds
	got := x.Totals()
	assert.Zero(t, got.HitTokens)
	assert.Equal(t, uint64(30*16), got.StoredTokens[Generated])
	assert.Equal(t, uint64(16), got.Reuse.Count())
	store(1040, 46, span(47, 5)...) // the next turn
	got = x.Totals()
	assert.Equal(t, uint64(46*16), got.HitTokens)
	store(1060, 51, span(52, 3)...) // its output
	assert.Equal(t, uint64(46*16), x.Totals().HitTokens)
	assert.Equal(t, uint64(33*16), x.Totals().StoredTokens[Generated])
}

func TestCauses(t *testing.T) {
	x := NewIndex(testSettings(), true)
	x.At(1000)
	x.Store(stored(0, 1, 2, 3))
	x.Store(stored(0, 1)) // at the same time
	x.At(1100)
	x.Remove([]uint64{2, 3}, GPU, 0)
	x.At(1200)
	x.Store(stored(1, 2, 3)) // within the horizon
	x.Remove([]uint64{3}, GPU, 0)
	x.At(2000)
	x.Store(stored(2, 3)) // after it
	x.Store(Stored{Hashes: []uint64{2}, Tokens: 16, Tier: CPU})
	x.Remove([]uint64{3, 2}, GPU, 0)
	x.At(2001)
	x.Store(stored(1, 2, 3)) // 2 is loaded from the CPU
	got := x.Totals()
	assert.Equal(t, [Causes]uint64{Compulsory: 48, Concurrent: 16, Capacity: 16 * 4, Loaded: 16}, got.StoredTokens)
	assert.Equal(t, uint64(16*3), got.RegretTokens)
	assert.Equal(t, [Tiers]int64{GPU: 3, CPU: 1}, got.Resident, "block 1 was stored twice, and is one")

	x.Clear()
	x.At(2002)
	x.Store(stored(0, 1, 4))
	got = x.Totals()
	assert.Equal(t, uint64(16), got.StoredTokens[Reset])
	assert.Equal(t, uint64(64), got.StoredTokens[Compulsory])
	assert.Equal(t, [Tiers]int64{GPU: 2}, got.Resident)
	assert.Equal(t, uint64(5), got.Residence[GPU].Count())
	assert.InDelta(t, 100+100+0+0+800, got.Residence[GPU].Sum, 0.1)
}

func TestParentsThatRunInACircle(t *testing.T) {
	x := NewIndex(testSettings(), true)
	x.At(1000)
	x.Store(stored(0, 1))
	x.Store(stored(1, 2))
	x.Store(stored(2, 1))
	x.EndBatch()
	x.At(2000)
	x.Store(stored(2, 3))
	assert.Positive(t, x.Totals().HitTokens)
	checkInvariants(t, x)
}

func TestSecondaryGroupsTakeRoomAndAreNoReferences(t *testing.T) {
	x := NewIndex(testSettings(), true)
	x.At(1000)
	e := stored(0, 1, 2)
	x.Store(e)
	e.Group, e.Secondary = 1, true
	x.Store(e)
	x.At(2000)
	x.Store(stored(2, 3))
	got := x.Totals()
	assert.Equal(t, int64(5), got.Resident[GPU])
	assert.Equal(t, uint64(32), got.HitTokens)
	assert.Equal(t, uint64(2+1+2), got.Reuse.Count())
	x.Remove([]uint64{1, 2}, GPU, 1)
	assert.Equal(t, int64(3), x.Totals().Resident[GPU])
	assert.Zero(t, x.Totals().UnknownRemovals)
}

// TestAGapIsMendedByTurnover: after a gap, some blocks are phantoms and some are not known.
func TestAGapIsMendedByTurnover(t *testing.T) {
	x := NewIndex(testSettings(), true)
	x.At(1000)
	x.Store(stored(0, span(1, 500)...))
	x.Gap() // the removal of blocks 1 to 100 is lost
	assert.False(t, x.State().Known)
	x.At(1100)
	x.Store(stored(0, span(1001, 500)...))
	assert.Equal(t, uint64(500*16), x.Totals().StoredTokens[Unknown])
	x.Remove(span(101, 400), GPU, 0)
	assert.False(t, x.State().Known)
	assert.Equal(t, int64(600), x.Totals().Resident[GPU])
	x.Remove(span(1001, 63), GPU, 0)
	assert.False(t, x.State().Known)
	x.Remove(span(1064, 1), GPU, 0)
	assert.True(t, x.State().Known)
	assert.Equal(t, int64(436), x.Totals().Resident[GPU], "the phantoms are gone")
	checkInvariants(t, x)

	x.Gap()
	x.Clear()
	assert.True(t, x.State().Known)
	for range 600 {
		x.Gap()
	}
	assert.Equal(t, uint64(602), x.Totals().Gaps)
	assert.Equal(t, uint64(1), x.Totals().Resyncs)
}

func TestConnectedInTheMiddle(t *testing.T) {
	x := NewIndex(testSettings(), false)
	x.At(1000)
	x.Store(stored(0, span(1, 100)...))
	x.Remove(span(5000, 50), GPU, 0)
	assert.False(t, x.State().Known)
	assert.Equal(t, uint64(50), x.Totals().UnknownRemovals)
	x.Remove(span(1, 70), GPU, 0)
	assert.True(t, x.State().Known)
}

func TestFleet(t *testing.T) {
	f := NewFleet(1 << 17)
	var xs [3]*Index
	for i := range xs {
		xs[i] = NewIndex(testSettings(), true)
		xs[i].At(1000)
	}
	xs[0].Store(stored(0, span(1, 100)...))
	xs[1].Store(stored(0, span(51, 100)...))
	for _, x := range xs {
		x.Join(f)
	}
	assert.Equal(t, View{Workers: 3, Known: 3, Blocks: 200, Distinct: 150, DuplicateTokens: 50 * 16}, f.View())
	xs[2].Store(stored(0, span(91, 20)...))
	assert.Equal(t, uint64(20*16), xs[2].Totals().RoutedTokens[Compulsory])
	assert.Equal(t, View{Workers: 3, Known: 3, Blocks: 220, Distinct: 150, DuplicateTokens: 70 * 16}, f.View())
	xs[0].Remove(span(1, 100), GPU, 0)
	xs[0].EndBatch()
	xs[1].Gap()
	assert.Equal(t, View{Workers: 3, Known: 2, Blocks: 120, Distinct: 100, DuplicateTokens: 20 * 16}, f.View())
	xs[1].Clear()
	assert.Equal(t, View{Workers: 3, Known: 3, Blocks: 20, Distinct: 20}, f.View())
	xs[2].Join(nil)
	assert.Equal(t, View{Workers: 2, Known: 2}, f.View())
}

func TestALargeFleetIsSampled(t *testing.T) {
	f := NewFleet(1 << 17)
	set := testSettings()
	set.MemoryLimit = 32 << 20
	a, b := NewIndex(set, true), NewIndex(set, true)
	a.Join(f)
	b.Join(f)
	a.At(1000)
	b.At(1000)
	a.Store(stored(0, span(1, 300_000)...))
	b.Store(stored(0, span(150_001, 300_000)...))
	a.EndBatch()
	v := func() View { b.EndBatch(); return f.View() }()
	assert.InEpsilon(t, 600_000, v.Blocks, 0.02)
	assert.InEpsilon(t, 450_000, v.Distinct, 0.02)
	assert.InEpsilon(t, 150_000*16, v.DuplicateTokens, 0.02)
	assert.InEpsilon(t, 150_000*16, b.Totals().RoutedTokens[Compulsory], 0.05)
	assert.LessOrEqual(t, f.held.n, f.limit)
}
