package kvfragmentationprocessor

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/consumer/consumertest"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// TestPoolOfAHybridModel: ten requests of about 313 tokens hold 200 blocks, 8 to 9 of each are of its window of 128 tokens.
func TestPoolOfAHybridModel(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	cfg := testConfig()
	cfg.Models = []ModelRule{{KVBytesPerToken: 1000}}
	p, c := newTestProcessor(t, cfg, sink)
	e := newEngine("a:8000")
	e.hybrid = true
	play(t, p, c, 200, e)

	tokens := func(use string) float64 { return value(t, sink, signal.KVTokens, signal.AttrKVUse, use) }
	blocks := func(group, use string) float64 {
		v := value(t, sink, signal.KVGroupBlocks, signal.AttrKVGroup, group, signal.AttrKVUse, use)
		bytes := value(t, sink, signal.KVGroupMemory, signal.AttrKVGroup, group, signal.AttrKVUse, use)
		assert.InDelta(t, v*16*1000/2, bytes, 1e-6, "a block holds 16 tokens for half of the layers")
		return v
	}
	total, bytes := 0.0, 0.0
	for _, use := range []string{
		signal.KVUseLive, signal.KVUseTailWaste, signal.KVUseReserved, signal.KVUsePinned, signal.KVUseCachedUseful, signal.KVUseCachedDead, signal.KVUseFree,
	} {
		total += tokens(use)
		bytes += value(t, sink, signal.KVMemory, signal.AttrKVUse, use)
	}
	assert.InDelta(t, 16_000, total, 1e-6, "the blocks of the pool, not the tokens of sequences")
	assert.InDelta(t, 8e6, bytes, 1)
	assert.InDelta(t, 2*10*7.5, tokens(signal.KVUseTailWaste), 20, "two last blocks a request")
	held := blocks("1", signal.KVUseLive) + blocks("1", signal.KVUseTailWaste)
	// Half of the prompts are told to have 1 to 300 tokens, so that some do not fill the window.
	assert.InDelta(t, 10*(127+7.5+7.5)/16, held, 8)
	sum := held + blocks("0", signal.KVUseLive) + blocks("0", signal.KVUseTailWaste)
	assert.InDelta(t, 200, sum, 1e-6)
	cached := blocks("0", signal.KVUseCached) + blocks("1", signal.KVUseCached)
	assert.InDelta(t, (tokens(signal.KVUseCachedUseful)+tokens(signal.KVUseCachedDead))/16, cached, 1e-6)
	assert.InDelta(t, 300-held, blocks("1", signal.KVUseCached), 12)
	assert.InDelta(t, 5*5*199, value(t, sink, signal.KVEvictedBlocks), 60, "of 8 blocks a second, 3 lay out of the window")
}
