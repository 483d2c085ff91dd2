package kvcache

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
)

// hybrid is a worker of which half of the layers attend to a sliding window.
func hybrid(blocks int) fleetsim.Config {
	cfg := fleetsim.DefaultConfig()
	cfg.KVLedger = true
	cfg.Pools[0].SlidingWindow, cfg.Pools[0].KVBlocks, cfg.Pools[0].MaxModelTokens = 1024, blocks, 32_768
	cfg.Workload = fleetsim.Synthetic{
		Shape: "azure-conversation", Load: 1, SharedPrefixShare: 0.7, SharedPrefixes: 60, SharedPrefixTokens: 4096,
	}
	return cfg
}

// TestGroupsOfASimulatedWorker holds what is counted by group against the ledger of the simulated worker: a token that lies in two groups
// is found once, and one that had to be computed because one group lacks it is missed.
func TestGroupsOfASimulatedWorker(t *testing.T) {
	for _, blocks := range []int{12_000, 40_000} {
		t.Run(fmt.Sprint(blocks), func(t *testing.T) {
			cfg := hybrid(blocks)
			x, truth := simulate(t, cfg, 12)
			got, kv := x.Totals(), truth.KV
			full, window := got.Groups[0], got.Groups[1]
			var stored uint64
			for _, n := range got.StoredTokens {
				stored += n
			}
			share := func(tokens uint64) float64 { return float64(tokens) / float64(kv.Lookups.Queries) }
			t.Logf("hits %d of %d; capacity %.3f of %.3f; regret %.3f of %.3f of what is stored; resident %d+%d of %.0f; unknown removals %d of %d; %d of %d removed had passed",
				got.HitTokens, truth.CachedTokens, share(got.StoredTokens[Capacity]), float64(kv.Lookups.Capacity)/float64(kv.Lookups.Queries),
				share(got.RegretTokens), float64(kv.Regret)/float64(kv.Lookups.Queries), full.Resident, window.Resident, kv.Now.Total()-kv.Now.Free,
				got.UnknownRemovals, got.Removed[GPU], window.Passed, window.Removed)
			t.Logf("concurrent %.3f compulsory %.3f of %.3f", share(got.StoredTokens[Concurrent]), share(got.StoredTokens[Compulsory]), float64(kv.Lookups.Compulsory)/float64(kv.Lookups.Queries))
			assert.InEpsilon(t, truth.CachedTokens, got.HitTokens, 0.05)
			assert.InDelta(t, float64(kv.Lookups.Capacity)/float64(kv.Lookups.Queries), share(got.StoredTokens[Capacity]), 0.01)
			assert.InDelta(t, float64(kv.Regret)/float64(kv.Lookups.Queries), share(got.RegretTokens), 0.01)
			assert.Equal(t, got.Resident[GPU], full.Resident+window.Resident)
			assert.Equal(t, got.Removed[GPU], full.Removed+window.Removed+got.UnknownRemovals)
			assert.Equal(t, SlidingWindow, window.Kind)
			assert.Positive(t, window.Found)
			assert.Less(t, window.Found, full.Found)
			checkInvariants(t, x)
		})
	}
}

func TestAdaptersAreCounted(t *testing.T) {
	cfg := fleetsim.DefaultConfig()
	cfg.Adapters = fleetsim.AdapterTraffic{Count: 50, Share: 0.5, Zipf: 1}
	cfg.Workload = fleetsim.Synthetic{Shape: "azure-conversation", Load: 0.5, SharedPrefixShare: 0.7, SharedPrefixes: 5, SharedPrefixTokens: 1024}
	x, _ := simulate(t, cfg, 10)
	got := x.Totals()
	var resident int64
	var stored, found uint64
	for _, a := range got.Adapters {
		require.True(t, a.Used)
		resident += a.Resident
		stored += a.Stored
		found += a.Found
	}
	var all uint64
	for _, n := range got.StoredTokens {
		all += n
	}
	assert.Equal(t, 16*got.Resident[GPU], resident, "every block is of one adapter, or of none")
	assert.Equal(t, got.HitTokens, found)
	assert.Equal(t, all, stored)
	assert.Equal(t, OtherAdapters, got.Adapters[MaxAdapters-1].Name)
	assert.Positive(t, got.Adapters[MaxAdapters-1].Resident)
	assert.Empty(t, got.Adapters[0].Name)
}

// inWindow is an event of a group with a window of 32 tokens beside the one of stored.
func inWindow(parent uint64, hashes ...uint64) Stored {
	e := stored(parent, hashes...)
	e.Group, e.Secondary, e.Kind, e.Window = 1, true, SlidingWindow, 32
	return e
}

func TestBlocksOutOfTheWindowMayGo(t *testing.T) {
	x := NewIndex(testSettings(), true)
	x.At(1000)
	x.Store(stored(0, 1, 2, 3, 4))
	x.Store(inWindow(0, 1, 2, 3, 4))
	x.EndBatch()
	x.Remove([]uint64{1, 2}, GPU, 1)
	got := x.Totals()
	assert.Equal(t, uint64(2), got.Groups[1].Passed, "32 tokens are two blocks")
	x.At(2000)
	x.Store(stored(4, 5))
	x.Store(inWindow(4, 5))
	got = x.Totals()
	assert.Equal(t, int64(3), got.Groups[1].Resident, "what is out of the window is not brought back")
	assert.Equal(t, uint64(64), got.HitTokens)
	assert.Equal(t, uint64(2), got.Groups[1].Found)
	x.Remove([]uint64{5}, GPU, 1)
	assert.Equal(t, uint64(2), x.Totals().Groups[1].Passed, "the end of a sequence has use")
	checkInvariants(t, x)
}

func TestATokenIsFoundWhenAllGroupsHaveIt(t *testing.T) {
	x := NewIndex(testSettings(), true)
	x.At(1000)
	x.Store(stored(0, 1, 2, 3, 4))
	x.Store(inWindow(0, 1, 2, 3, 4))
	x.Remove([]uint64{1, 2}, GPU, 1)
	x.At(1300)
	// Somebody asks for 1 and 2 only: the window before their end is gone.
	x.Store(stored(0, 1, 2))
	x.Store(inWindow(0, 1, 2))
	x.At(1301)
	x.Store(stored(2, 8, 9, 10))
	x.Store(inWindow(2, 8, 9, 10))
	got := x.Totals()
	assert.Equal(t, uint64(32), got.StoredTokens[Capacity])
	assert.Equal(t, uint64(32), got.RegretTokens)
	assert.Zero(t, got.StoredTokens[Concurrent])
	assert.Zero(t, got.HitTokens, "the next chunk of a prompt finds nothing")
	assert.Equal(t, int64(4+2+3), got.Groups[0].Resident, "1 and 2 are there twice")
	x.Remove([]uint64{1, 2}, GPU, 0)
	x.Remove([]uint64{1, 2}, GPU, 0)
	got = x.Totals()
	assert.Zero(t, got.UnknownRemovals)
	assert.Equal(t, int64(5), got.Groups[0].Resident)
	checkInvariants(t, x)
}

func TestFurtherGroupsShareAPlace(t *testing.T) {
	x := NewIndex(testSettings(), true)
	x.At(float64(time.Hour / time.Second))
	for g := range 20 {
		e := stored(0, 1, 2)
		e.Group, e.Secondary = g, g > 0
		x.Store(e)
	}
	got := x.Totals()
	sum := int64(0)
	for _, g := range got.Groups {
		sum += g.Resident
	}
	assert.Equal(t, int64(40), sum)
	assert.Equal(t, int64(26), got.Groups[MaxGroups-1].Resident)
	x.Remove([]uint64{1}, GPU, 19)
	assert.Equal(t, int64(25), x.Totals().Groups[MaxGroups-1].Resident)
}
