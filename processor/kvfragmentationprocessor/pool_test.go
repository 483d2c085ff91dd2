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
	for name, c := range map[string]struct{ held, least, most float64 }{
		"the same load":              {20, 14.5, 15},
		"requests of one block now":  {10, 7.5, 8.5},
		"requests of six blocks now": {60, 7.5, 7.7},
	} {
		w := newWorker(p.cfg, p.table, p.inputs, &p.models, pcommon.NewResource())
		w.sums.withheld = map[withholding]int64{}
		w.facts.blockSize, w.facts.blocks = 16, 1000
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
	}
}
