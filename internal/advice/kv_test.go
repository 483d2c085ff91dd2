package advice

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// raised are the findings that rules raised, by rule.
func (b *bench) raised() map[string]Finding {
	all := map[string]Finding{}
	for _, e := range b.events {
		if e.Name == Raised {
			all[e.Rule] = e.Finding
		}
	}
	return all
}

// pool observes a pool of a million tokens by use.
func (b *bench) pool(w Ref, live, tail, useful, dead, free float64) {
	for use, share := range map[string]float64{
		signal.KVUseLive: live, signal.KVUseTailWaste: tail, signal.KVUseCachedUseful: useful, signal.KVUseCachedDead: dead, signal.KVUseFree: free,
		signal.KVUseReserved: 0, signal.KVUsePinned: 0,
	} {
		b.level(w, signal.KVTokens, 1e6*share, signal.AttrKVUse, use)
	}
}

func TestKVRules(t *testing.T) {
	w := worker("a")
	for name, c := range map[string]struct {
		observe func(*bench)
		rule    string
		change  string
		to      float64
	}{
		"large blocks": {func(b *bench) {
			b.pool(w, 0.3, 0.3, 0, 0, 0.4)
			b.level(w, signal.KVBlockSize, 256)
			b.level(w, signal.Running, 3000)
		}, "kv-block-size", "--block-size 16", 7.5 / 107.5},
		"small blocks": {func(b *bench) {
			b.pool(w, 0.5, 0.1, 0, 0, 0.4)
			b.level(w, signal.KVBlockSize, 16)
			b.level(w, signal.Running, 3000)
		}, "", "", 0},
		"one piece a request": {func(b *bench) {
			b.pool(w, 0.1, 0.5, 0, 0, 0.4)
			b.level(w, signal.KVBlockSize, 4096)
			b.level(w, signal.Running, 200)
		}, "kv-paging", "--block-size 16", 7.5 / 507.5},
		"a cache that is too small": {func(b *bench) {
			b.level(w, signal.KVHitRatioPredicted, 0.4, signal.AttrCacheScale, "1")
			b.level(w, signal.KVHitRatioPredicted, 0.6, signal.AttrCacheScale, "2")
			b.level(w, signal.KVThrash, 0.4)
			b.level(w, signal.KVSavedTokens, 900, signal.AttrCacheScale, "2")
		}, "kv-larger-cache", `--kv-transfer-config '{"kv_connector":"LMCacheConnectorV1","kv_role":"kv_both"}'`, 0.6},
		"a cache that twice the room would not help": {func(b *bench) {
			b.level(w, signal.KVHitRatioPredicted, 0.4, signal.AttrCacheScale, "1")
			b.level(w, signal.KVHitRatioPredicted, 0.41, signal.AttrCacheScale, "2")
			b.level(w, signal.KVThrash, 0.4)
		}, "", "", 0},
		"dead cache, and requests wait": {func(b *bench) {
			b.pool(w, 0.2, 0, 0, 0.8, 0)
			b.level(w, signal.KVHitRatioPredicted, 0, signal.AttrCacheScale, "1")
			b.level(w, signal.KVHitRatioPredicted, 0, signal.AttrCacheScale, "2")
			b.level(w, signal.Running, 10)
			b.level(w, signal.Waiting, 20)
		}, "kv-dead-cache", "--max-num-seqs 42", 0},
		"an idle pool": {func(b *bench) {
			b.pool(w, 0.1, 0, 0, 0, 0.9)
			b.level(w, signal.KVFreeLowest, 0.8)
		}, "kv-idle-pool", "", 0.4e6},
		"a pool that was used": {func(b *bench) {
			b.pool(w, 0.1, 0, 0, 0, 0.9)
			b.level(w, signal.KVFreeLowest, 0.5)
		}, "", "", 0},
		"leases end": {func(b *bench) {
			b.count(w, signal.KVTransferFailures, 1, signal.AttrFailure, signal.FailureExpired)
		}, "kv-lease", "VLLM_NIXL_ABORT_REQUEST_TIMEOUT=480", 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, testConfig(), kvRules()...)
			b.windows(30, func() { c.observe(b) })
			got := b.raised()
			if c.rule == "" {
				assert.Empty(t, got)
				return
			}
			require.Contains(t, got, c.rule)
			f := got[c.rule]
			assert.Equal(t, c.change, f.Action.Change)
			assert.NotEmpty(t, f.Evidence)
			require.NotNil(t, f.Predicted)
			assert.InDelta(t, c.to, f.Predicted.To, 1e-6+0.01*c.to)
			assert.True(t, f.Predicted.Low <= f.Predicted.To && f.Predicted.To <= f.Predicted.High, "%+v", f.Predicted)
		})
	}
}

func TestMemoryBesideAFullPool(t *testing.T) {
	b := newBench(t, testConfig(), kvRules()...)
	w := worker("a")
	look := func() {
		b.info(w, signal.AttrEngineName, "vllm", signal.AttrMemoryUtilization, "0.6")
		b.level(w, signal.HBMMemory, 30e9, signal.AttrHBMUse, signal.HBMUseOutside)
		b.level(w, signal.HBMMemory, 50e9, signal.AttrHBMUse, signal.HBMUseKVPool)
		b.level(w, signal.KVUtilization, 0.97)
		b.level(w, signal.Waiting, 5)
	}
	b.windows(600, look)
	assert.Empty(t, b.raised(), "not within the hour")
	b.windows(200, look)
	require.Contains(t, b.raised(), "kv-memory-share")
	assert.Equal(t, "--gpu-memory-utilization 0.92", b.raised()["kv-memory-share"].Action.Change)
}

func TestPrefixesOfAFleet(t *testing.T) {
	one, two := worker("a"), worker("b")
	b := newBench(t, testConfig(), kvRules()...)
	b.windows(30, func() {
		b.info(one, signal.AttrEngineName, "vllm", signal.AttrPrefixCaching, "true")
		b.info(two, signal.AttrEngineName, "vllm", signal.AttrPrefixCaching, "false")
		b.count(one, signal.KVLookupTokens, 1000, signal.AttrCacheScope, signal.CacheScopeLocal)
		b.count(one, signal.KVHitTokens, 600, signal.AttrCacheScope, signal.CacheScopeLocal)
		b.count(two, signal.KVLookupTokens, 1000, signal.AttrCacheScope, signal.CacheScopeLocal)
	})
	require.Contains(t, b.raised(), "kv-prefix-caching")
	assert.Equal(t, "--enable-prefix-caching", b.raised()["kv-prefix-caching"].Action.Change)
	assert.InDelta(t, 0.6, b.raised()["kv-prefix-caching"].Predicted.To, 1e-6)
}

// route observes windows of two workers: of 1000 tokens looked up so many are found, and so many lie on the other worker only; of those
// that lie anywhere a share lies on both.
func (b *bench) route(windows int, hits, routed, both float64) {
	b.windows(windows, func() {
		for _, w := range []Ref{worker("a"), worker("b")} {
			b.count(w, signal.KVLookupTokens, 1000, signal.AttrCacheScope, signal.CacheScopeLocal)
			b.count(w, signal.KVHitTokens, hits, signal.AttrCacheScope, signal.CacheScopeLocal)
			b.count(w, signal.KVRoutingTokens, routed, signal.AttrMissCause, signal.MissCompulsory)
			b.count(w, signal.KVHeldTokens, hits+routed)
			b.count(w, signal.KVHolderTokens, (hits+routed)*(1+both))
		}
	})
}

func TestRoutingByPrefix(t *testing.T) {
	const rule = "kv-prefix-routing"
	b := newBench(t, testConfig(), kvRules()...)
	b.route(50, 300, 200, 0.2)
	assert.Empty(t, b.raised(), "a cache that fills tells too little")
	b.route(30, 300, 200, 0.2)
	require.Contains(t, b.raised(), rule)
	p := b.raised()[rule].Predicted
	assert.InDelta(t, 0.3, p.From, 1e-6)
	assert.InDelta(t, 0.5*(0.6+0.4*routerAware), p.To, 1e-6)
	assert.InDelta(t, 0.5, p.High, 1e-6)
	b.events = nil
	// The route knows the prefixes now, and is held back by load.
	b.route(100, 400, 110, 0.2)
	assert.Contains(t, b.told(rule), Cleared)

	b = newBench(t, testConfig(), kvRules()...)
	b.route(100, 850, 120, 0.75)
	assert.Contains(t, b.raised(), rule, "most is on both workers, and is found by chance")

	b = newBench(t, testConfig(), kvRules()...)
	b.route(100, 600, 30, 0.2)
	assert.NotContains(t, b.raised(), rule, "hardly anything is computed twice")
}
