package kvfragmentationprocessor

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/snapshots/storagetest"
	"github.com/otelcol-inference/otelcol-inference/internal/wall/walltest"
	"github.com/otelcol-inference/otelcol-inference/processor/kvfragmentationprocessor/internal/metadata"
)

// life is one of the collector.
type life struct {
	p    *kvFragmentation
	c    *walltest.Clock
	sink *consumertest.MetricsSink
	logs *observer.ObservedLogs
}

func begin(t *testing.T, kept *storagetest.Shelf, at time.Time) life {
	t.Helper()
	cfg, id := testConfig(), component.MustNewID("shelf")
	cfg.Storage = &id
	core, logs := observer.New(zap.InfoLevel)
	set := processortest.NewNopSettings(metadata.Type)
	set.Logger = zap.New(core)
	l := life{c: walltest.NewClock(at), sink: new(consumertest.MetricsSink), logs: logs}
	var err error
	l.p, err = newProcessor(set, cfg, l.sink, &derive.Registry{}, l.c)
	require.NoError(t, err)
	require.NoError(t, l.p.Start(t.Context(), kept))
	t.Cleanup(func() { require.NoError(t, l.p.Shutdown(context.Background())) })
	return l
}

func TestARestartOfTheCollectorKeepsWhatTakesALongLook(t *testing.T) {
	kept := storagetest.NewShelf(component.MustNewID("shelf"))
	first := begin(t, kept, time.Unix(1_700_000_000, 0))
	e := newEngine("a:8000")
	e.resident = 1000
	play(t, first.p, first.c, 730, e)
	e.thrash = 0.6
	e.calm = e.seconds
	play(t, first.p, first.c, 10, e)
	require.InDelta(t, 1, value(t, first.sink, signal.KVStorm), 0)
	require.NoError(t, first.p.Shutdown(t.Context()))
	require.Len(t, kept.Values(), 2, "a worker and the index")
	for key, text := range kept.Values() {
		assert.Less(t, len(text), 16<<10, key)
	}

	e.thrash = 0.15 // too little for a storm to begin, and too much for one to end
	second := begin(t, kept, first.c.Now())
	play(t, second.p, second.c, 3, e)
	for _, m := range []string{signal.KVHitRatioPredicted, signal.KVFreeLowest} {
		_, ok := last(second.sink, m)
		require.True(t, ok, m)
	}
	_, ok := last(second.sink, signal.KVTokens, signal.AttrKVUse, signal.KVUseCachedUseful)
	assert.True(t, ok, "it need not warm up")
	assert.InDelta(t, 1, value(t, second.sink, signal.KVStorm), 0, "the storm goes on")
	before, _ := last(first.sink, signal.KVEvictedBlocks)
	after, _ := last(second.sink, signal.KVEvictedBlocks)
	assert.Greater(t, after.StartTimestamp(), before.StartTimestamp(), "sums begin anew")
	assert.InDelta(t, value(t, first.sink, signal.KVHitRatioPredicted, signal.AttrCacheScale, "2"),
		value(t, second.sink, signal.KVHitRatioPredicted, signal.AttrCacheScale, "2"), 0.01)
}

func TestAfterALongPauseItWarmsUpAgain(t *testing.T) {
	kept := storagetest.NewShelf(component.MustNewID("shelf"))
	first := begin(t, kept, time.Unix(1_700_000_000, 0))
	e := newEngine("a:8000")
	e.thrash, e.resident = 0.6, 1000
	play(t, first.p, first.c, 200, e)
	require.InDelta(t, 1, value(t, first.sink, signal.KVStorm), 0)
	require.NoError(t, first.p.Shutdown(t.Context()))
	e.thrash = 0.15
	e.advance(2 * time.Hour)
	second := begin(t, kept, first.c.Now().Add(2*time.Hour))
	play(t, second.p, second.c, 6, e)
	assert.Zero(t, value(t, second.sink, signal.KVStorm))
	assert.Positive(t, withheld(second.sink, signal.KVHitRatioPredicted, reasonWarmingUp))
}

func TestAnotherSchemaIsDroppedWithOneLine(t *testing.T) {
	kept := storagetest.NewShelf(component.MustNewID("shelf"))
	first := begin(t, kept, time.Unix(1_700_000_000, 0))
	a, b := newEngine("a:8000"), newEngine("b:8000")
	play(t, first.p, first.c, 100, a, b)
	require.NoError(t, first.p.Shutdown(t.Context()))
	for key, text := range kept.Values() {
		require.NoError(t, kept.Set(t.Context(), key, []byte(strings.Replace(string(text), `"Schema":1`, `"Schema":0`, 1))))
	}
	second := begin(t, kept, first.c.Now())
	play(t, second.p, second.c, 3, a, b)
	_, ok := last(second.sink, signal.KVHitRatioPredicted)
	assert.False(t, ok)
	assert.Equal(t, 1, second.logs.FilterMessageSnippet("dropped").Len())
}

func TestSnapshotsComeBackWholeOrNotAtAll(t *testing.T) {
	p, c := newTestProcessor(t, testConfig(), consumertest.NewNop())
	e := newEngine("a:8000")
	e.thrash = 0.6
	play(t, p, c, 300, e)
	for _, w := range p.workers.All() {
		text, err := w.snapshot()
		require.NoError(t, err)
		again := newWorker(p.cfg, p.table, p.inputs, &p.models, w.resource)
		require.NoError(t, again.restore(text))
		written, err := again.snapshot()
		require.NoError(t, err)
		assert.JSONEq(t, string(text), string(written))
		for _, damage := range [][2]string{
			{`"Inputs":`, `"Inputs":1`}, {`"At":1`, `"At":-1`}, {`"Seconds":`, `"Seconds":-`}, {`"Bounds":[`, `"Bounds":[9e9,`},
			{`"Totals":{"`, `"Totals":{"9`}, {`"Minute":`, `"Minute":-`}, {`"Since":0`, `"Since":-1`}, {`"Windows":[`, `"Windows":[{"Seconds":-1},`},
		} {
			damaged := strings.Replace(string(text), damage[0], damage[1], 1)
			require.NotEqual(t, string(text), damaged, damage)
			fresh := newWorker(p.cfg, p.table, p.inputs, &p.models, w.resource)
			require.Error(t, fresh.restore([]byte(damaged)), damage)
			assert.Zero(t, fresh.long.seconds)
			assert.Zero(t, fresh.kept)
		}
	}
}
