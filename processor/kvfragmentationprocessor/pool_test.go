package kvfragmentationprocessor

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// TestTheTailAfterAChangeOfLoad: requests of 17 tokens in two blocks of 16 leave 15 of them empty, while the load is what it was. When room
// and length are no longer of the same requests, lengths are taken to be even over a block.
func TestTheTailAfterAChangeOfLoad(t *testing.T) {
	p, _ := newTestProcessor(t, testConfig(), consumertest.NewNop())
	for name, c := range map[string]struct{ held, least, most, trust float64 }{
		"the same load":              {20, 14.5, 15, 0.57},
		"requests of one block now":  {10, 7.5, 8.5, 0.3},
		"requests of six blocks now": {60, 7.5, 7.7, 0.3},
	} {
		w := newWorker(p.cfg, p.table, p.inputs, &p.models, pcommon.NewResource())
		w.sums.withheld = map[withholding]int64{}
		w.facts.blockSize, w.facts.blocks, w.facts.computed = 16, 64, 1
		before := &w.short
		before.seconds, before.running, before.held = 60, 10*60, 20*60
		before.totals[inPromptSize] = window.Value{Sum: 1700, Count: 100}
		before.totals[inOutputSize] = window.Value{Sum: 100, Count: 100}
		win := window.Window{To: 5e9, Totals: make([]window.Value, counters), Covered: make([]float64, counters), Levels: make([]window.Level, gauges)}
		win.Levels[inUsage].Seen = true
		got := w.pool(win, look{held: c.held, running: 10})
		require.True(t, got.known, name)
		assert.GreaterOrEqual(t, got.use.TailWaste/10, c.least, name)
		assert.LessOrEqual(t, got.use.TailWaste/10, c.most, name)
		assert.InDelta(t, c.trust, got.confidence, 0.04, "%s: ten tails are a good part of a pool of 64 blocks", name)
	}
}

// TestALookThatIsPutRightIsTrustedAsFarAsTheLoadIsTheSame: what requests of a few steps hold is scaled by the trailing minute.
func TestALookThatIsPutRightIsTrustedAsFarAsTheLoadIsTheSame(t *testing.T) {
	before := trail{seconds: 60, running: 10 * 60, totals: [counters]window.Value{inInference: {Sum: 900, Count: 1000}}}
	same := look{held: 100, running: 10}
	same.between(&before, 1000, "")
	assert.InDelta(t, 150, same.held, 1e-9)
	assert.InDelta(t, 0, same.off, 1e-9)
	half := look{held: 50, running: 5}
	half.between(&before, 1000, "")
	assert.InDelta(t, 75, half.held, 1e-9)
	assert.InDelta(t, 12.5, half.off, 1e-9, "half of the correction")
}
