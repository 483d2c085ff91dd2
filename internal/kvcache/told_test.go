package kvcache

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestBlocksThatAreToldAgain are those that a request found, which vLLM tells on demand. Nothing changes by them.
func TestBlocksThatAreToldAgain(t *testing.T) {
	plain, full := NewIndex(testSettings(), true), NewIndex(testSettings(), true)
	for i := range uint64(5) {
		for _, x := range []*Index{plain, full} {
			x.At(1000 + 100*float64(i))
			if x == full && i > 0 {
				x.Store(stored(0, span(1, 8)...))
				again := stored(0, span(1, 8)...)
				again.Group, again.Secondary = 1, true
				x.Store(again)
			}
			if i == 0 {
				x.Store(stored(0, span(1, 8)...))
				second := stored(0, span(1, 8)...)
				second.Group, second.Secondary = 1, true
				x.Store(second)
			}
			x.Store(stored(8, span(100*(i+1), 3)...)) // what the request stores below
			x.EndBatch()
		}
	}
	a, b := plain.Totals(), full.Totals()
	assert.Equal(t, uint64(4*2*8), b.Stored[GPU]-a.Stored[GPU])
	assert.Equal(t, uint64(4*8*16), b.StoredTokens[Concurrent])
	assert.Equal(t, int64(8+8+5*3), b.Resident[GPU])
	b.Stored[GPU], b.StoredTokens[Concurrent] = a.Stored[GPU], 0
	assert.Equal(t, a, b)
	full.Remove(span(1, 8), GPU, 0)
	assert.Equal(t, int64(8+5*3), full.Totals().Resident[GPU], "one removal is enough")
	assert.Zero(t, full.Totals().UnknownRemovals)
	checkInvariants(t, full)
}

// TestALowerTierHoldsABlockOnce, whatever it tells.
func TestALowerTierHoldsABlockOnce(t *testing.T) {
	x := NewIndex(testSettings(), true)
	x.At(1000)
	for range 3 {
		x.Store(Stored{Hashes: span(1, 4), Tokens: 16, Tier: CPU})
		x.Store(Stored{Hashes: span(1, 4), Tokens: 16, Tier: Disk, Group: 2})
		x.Store(Stored{Hashes: span(1, 4), Tokens: 16, Tier: Disk})
	}
	assert.Equal(t, [Tiers]int64{CPU: 4, Disk: 8}, x.Totals().Resident)
	x.Remove(span(1, 4), Disk, 2)
	assert.Equal(t, [Tiers]int64{CPU: 4, Disk: 4}, x.Totals().Resident)
}

// TestTheOtherCopyOfABlock: two requests computed blocks at the same time, and the copy that nobody uses is evicted. The next use of the
// other shows that the blocks are there.
func TestTheOtherCopyOfABlock(t *testing.T) {
	x := NewIndex(testSettings(), true)
	x.At(1000)
	x.Store(stored(0, span(1, 8)...))
	x.EndBatch()
	x.Store(stored(0, append(span(1, 8), 20)...))
	x.At(1100)
	x.Remove(span(1, 8), GPU, 0)
	assert.Equal(t, int64(1), x.Totals().Resident[GPU])
	x.At(1200)
	x.Store(stored(8, 30, 31))
	got := x.Totals()
	assert.Equal(t, int64(8+3), got.Resident[GPU])
	assert.Equal(t, uint64(8*16), got.HitTokens)
	checkInvariants(t, x)
}
