package kvcache

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func inTier(tier Tier, hashes ...uint64) Stored {
	return Stored{Hashes: hashes, Tokens: 16, Tier: tier}
}

// TestLowerTiersAreMendedByTheirOwnTurnover: that of the GPU says nothing of what lies below it.
func TestLowerTiersAreMendedByTheirOwnTurnover(t *testing.T) {
	x := NewIndex(testSettings(), true)
	x.At(1000)
	x.Store(stored(0, span(1, 200)...))
	x.Store(inTier(CPU, span(1, 300)...))
	x.EndBatch()
	assert.Equal(t, [Tiers]bool{true, true, true, true}, x.State().KnownTiers)
	x.Gap()
	assert.Equal(t, [Tiers]bool{}, x.State().KnownTiers)

	x.At(1100)
	x.Store(stored(0, span(1001, 200)...))
	x.Store(inTier(CPU, span(1001, 100)...))
	x.Remove(span(1001, 64), GPU, 0)
	state, totals := x.State(), x.Totals()
	assert.True(t, state.Known)
	assert.Equal(t, [Tiers]bool{true, false, false, false}, state.KnownTiers)
	assert.Equal(t, int64(136), totals.Resident[GPU])
	assert.Equal(t, int64(100), totals.Resident[CPU], "blocks that nobody can vouch for are not kept")
	assert.Equal(t, 236, state.Blocks)
	checkInvariants(t, x)

	// What the tier below may hold can have been loaded.
	before := totals.StoredTokens
	x.Store(stored(0, span(5001, 10)...))
	x.Store(inTier(CPU, span(7001, 10)...))
	x.Store(stored(0, span(7001, 10)...))
	totals = x.Totals()
	assert.Equal(t, uint64(160), totals.StoredTokens[Unknown]-before[Unknown])
	assert.Equal(t, uint64(160), totals.StoredTokens[Loaded]-before[Loaded])

	x.Remove(span(1, 300), CPU, 0) // they were there all the time, and are gone now
	assert.False(t, x.State().KnownTiers[CPU])
	x.Remove(span(1001, 64), CPU, 0)
	assert.Equal(t, [Tiers]bool{true, true, false, false}, x.State().KnownTiers)
	assert.Equal(t, int64(46), x.Totals().Resident[CPU])
	x.Store(stored(0, span(6001, 10)...))
	assert.Equal(t, uint64(160), x.Totals().StoredTokens[Compulsory]-before[Compulsory], "tiers that are not used do not matter")
	checkInvariants(t, x)

	x.Gap()
	x.Clear()
	assert.Equal(t, [Tiers]bool{true, true, true, true}, x.State().KnownTiers)
}

// TestALowerTierTurnsOverBeforeTheGPU: its phantoms go with its own turnover.
func TestALowerTierTurnsOverBeforeTheGPU(t *testing.T) {
	x := NewIndex(testSettings(), true)
	x.At(1000)
	x.Store(stored(0, span(1, 200)...))
	x.Store(inTier(Disk, span(1, 300)...))
	x.Gap()
	x.Store(inTier(Disk, span(1001, 100)...))
	x.Remove(span(1001, 64), Disk, 0)
	assert.Equal(t, [Tiers]bool{Disk: true}, x.State().KnownTiers)
	assert.False(t, x.State().Known)
	totals := x.Totals()
	assert.Equal(t, int64(36), totals.Resident[Disk])
	assert.Equal(t, int64(200), totals.Resident[GPU])
	checkInvariants(t, x)
}

// TestStaleBlocksOfLowerTiersMakeRoom: an index full of them takes new blocks in after the resync.
func TestStaleBlocksOfLowerTiersMakeRoom(t *testing.T) {
	set := testSettings()
	set.MemoryLimit = MinMemory
	x := NewIndex(set, true)
	x.At(1000)
	limit := uint64(x.slots.limit)
	x.Store(stored(0, span(1, 1000)...))
	x.Store(inTier(CPU, span(1, limit-1000)...))
	x.Gap()
	x.Remove(span(1, 1000), GPU, 0)
	x.Store(stored(0, span(1<<20, 1000)...))
	x.Remove(span(1<<20, 64), GPU, 0)
	x.Store(stored(0, span(1<<21, limit-1000)...))
	got := x.Totals()
	assert.Zero(t, got.Refused)
	assert.Zero(t, got.Resident[CPU])
	assert.Equal(t, int64(limit-64), got.Resident[GPU])
	checkInvariants(t, x)
}

// TestAGapOfACacheThatIsEmptied: one of few blocks is known again when the last of them is gone.
func TestAGapOfACacheThatIsEmptied(t *testing.T) {
	x := NewIndex(testSettings(), true)
	x.At(1000)
	x.Gap()
	x.Store(stored(0, span(1, 2)...))
	x.Remove(span(1, 1), GPU, 0)
	assert.False(t, x.State().Known)
	x.Remove(span(2, 1), GPU, 0)
	assert.True(t, x.State().Known)
}
