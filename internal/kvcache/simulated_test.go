package kvcache

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
)

// simulate plays the events of a simulated worker to an index, and returns what the worker knows.
func simulate(t *testing.T, cfg fleetsim.Config, minutes int) (*Index, fleetsim.Truth) {
	t.Helper()
	set := testSettings()
	set.MemoryLimit = 32 << 20
	x := NewIndex(set, true)
	cfg.OnKV = func(b fleetsim.KVBatch) {
		x.At(1e9 + b.At.Seconds())
		for _, e := range b.Events {
			switch e.Kind {
			case fleetsim.BlockStored:
				x.Store(Stored{Hashes: e.Hashes, Parent: e.Parent, HasParent: e.HasParent, Tokens: e.BlockSize})
			case fleetsim.BlockRemoved:
				x.Remove(e.Hashes, GPU, 0)
			case fleetsim.AllBlocksCleared:
				x.Clear()
			}
		}
		x.EndBatch()
	}
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
			t.Logf("preemptions %d of %d, recomputed %d, ITL %+v", truth.Preemptions, truth.FinishedRequests, truth.RecomputedTokens, truth.ITL)
			assert.InEpsilon(t, truth.CachedTokens, got.HitTokens, 0.05)
			assert.InEpsilon(t, truth.OutputTokens, generated, 0.1)
			assert.Zero(t, got.UnknownRemovals)
		})
	}
}
