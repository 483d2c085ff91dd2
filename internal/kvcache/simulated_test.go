package kvcache

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
)

// play gives a batch of a simulated worker to an index.
func play(x *Index, b fleetsim.KVBatch) {
	x.At(1e9 + b.At.Seconds())
	for _, e := range b.Events {
		switch e.Kind {
		case fleetsim.BlockStored:
			s := Stored{Hashes: e.Hashes, Parent: e.Parent, HasParent: e.HasParent, Tokens: e.BlockSize, Group: e.Group, Adapter: e.AdapterName}
			if e.Window > 0 {
				s.Kind, s.Window, s.Secondary = SlidingWindow, e.Window, true
			}
			x.Store(s)
		case fleetsim.BlockRemoved:
			x.Remove(e.Hashes, GPU, e.Group)
		case fleetsim.AllBlocksCleared:
			x.Clear()
		}
	}
	x.EndBatch()
}

// simulate plays the events of a simulated worker to an index, and returns what the worker knows.
func simulate(t *testing.T, cfg fleetsim.Config, minutes int) (*Index, fleetsim.Truth) {
	t.Helper()
	set := testSettings()
	set.MemoryLimit = 32 << 20
	x := NewIndex(set, true)
	cfg.OnKV = func(b fleetsim.KVBatch) { play(x, b) }
	f, err := fleetsim.New(cfg)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	require.NoError(t, f.Advance(time.Duration(minutes)*time.Minute))
	return x, f.Truth()
}

// TestHitsOfASimulatedWorker holds the hits that events show against those that the worker had, and the output that is told apart from
// prompts against the tokens that it generated.
func TestHitsOfASimulatedWorker(t *testing.T) {
	for name, load := range map[string]float64{"idle": 0.1, "usual": 1, "busy": 2} {
		t.Run(name, func(t *testing.T) {
			cfg := fleetsim.DefaultConfig()
			cfg.Workload = fleetsim.Synthetic{
				Shape: "azure-conversation", Load: load, SharedPrefixShare: 0.7, SharedPrefixes: 20, SharedPrefixTokens: 1024,
			}
			x, truth := simulate(t, cfg, 10)
			got := x.Totals()
			var stored, generated uint64
			for c, n := range got.StoredTokens {
				stored += n
				if Cause(c) == Generated {
					generated = n
				}
			}
			t.Logf("hits: %d of %d tokens; output: %d of %d; prompts stored %d of %d computed; resident %d",
				got.HitTokens, truth.CachedTokens, generated, truth.OutputTokens, stored-generated, truth.PromptTokens-truth.CachedTokens,
				got.Resident[GPU])
			assert.InEpsilon(t, truth.CachedTokens, got.HitTokens, 0.05)
			assert.InEpsilon(t, truth.OutputTokens, generated, 0.1)
			assert.LessOrEqual(t, got.UnknownRemovals, got.Removed[GPU]/1000, "the other copy of a block that was computed twice at once")
		})
	}
}

// TestLossOnASimulatedWorker: of one batch in a hundred nothing arrives, for ten minutes. What is known then is right, and after the loss
// the index finds back by the turnover of the cache.
func TestLossOnASimulatedWorker(t *testing.T) {
	cfg := fleetsim.DefaultConfig()
	cfg.Pools[0].KVBlocks = 20_000
	cfg.Workload = fleetsim.Synthetic{
		Shape: "azure-conversation", Load: 1, SharedPrefixShare: 0.7, SharedPrefixes: 20, SharedPrefixTokens: 1024,
	}
	whole, lossy := NewIndex(testSettings(), true), NewIndex(testSettings(), true)
	rng := rand.New(rand.NewPCG(1, 1))
	const lossUntil = 10 * time.Minute
	known, wrong, batches := 0, 0.0, 0
	cfg.OnKV = func(b fleetsim.KVBatch) {
		play(whole, b)
		if b.At < lossUntil && rng.IntN(100) == 0 {
			lossy.Gap()
			return
		}
		play(lossy, b)
		batches++
		if lossy.knows(GPU) {
			known++
			truth := float64(whole.totals.Resident[GPU])
			wrong = max(wrong, math.Abs(float64(lossy.totals.Resident[GPU])-truth)/truth)
		}
	}
	f, err := fleetsim.New(cfg)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	require.NoError(t, f.Advance(20*time.Minute))
	a, b := whole.Totals(), lossy.Totals()
	t.Logf("%d gaps, mended %d times; known for %d of %d batches, at most %.1f %% off; at the end %d of %d blocks; hits %d of %d",
		b.Gaps, b.Resyncs, known, batches, 100*wrong, b.Resident[GPU], a.Resident[GPU], b.HitTokens, a.HitTokens)
	assert.True(t, lossy.State().Known)
	assert.Less(t, wrong, 0.05)
	assert.InEpsilon(t, a.Resident[GPU], b.Resident[GPU], 0.01)
}
