package disaggregationprocessor

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.uber.org/zap"
	zapobserver "go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/snapshots"
	"github.com/otelcol-inference/otelcol-inference/internal/snapshots/storagetest"
	"github.com/otelcol-inference/otelcol-inference/internal/wall/walltest"
	"github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor/internal/metadata"
)

// life is one of the collector.
type life struct {
	p    *disaggregation
	c    *walltest.Clock
	sink *consumertest.MetricsSink
	logs *zapobserver.ObservedLogs
}

func begin(t *testing.T, kept *storagetest.Shelf) life {
	t.Helper()
	cfg, id := testConfig(), component.MustNewID("shelf")
	cfg.Storage = &id
	core, logs := zapobserver.New(zap.InfoLevel)
	set := processortest.NewNopSettings(metadata.Type)
	set.Logger = zap.New(core)
	l := life{c: walltest.NewClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)), sink: new(consumertest.MetricsSink), logs: logs}
	var err error
	l.p, err = newProcessor(set, cfg, l.sink, &derive.Registry{}, l.c)
	require.NoError(t, err)
	require.NoError(t, l.p.Start(t.Context(), kept))
	t.Cleanup(func() { require.NoError(t, l.p.Shutdown(context.Background())) })
	return l
}

const recommendedPrefill = "llm.topology.workersmap[llm.engine.role:prefill llm.topology:recommended]"

// until is how many of the batches are of the time before.
func until(batches []batch, after time.Duration) int {
	n := 0
	for n < len(batches) && batches[n].at.Sub(batches[0].at) < after {
		n++
	}
	return n
}

// shelf is a storage, in which there is that of the fleet chat; nothing of an empty text.
func shelf(t *testing.T, text string) *storagetest.Shelf {
	t.Helper()
	s := storagetest.NewShelf(component.MustNewID("shelf"))
	if text != "" {
		require.NoError(t, s.Set(t.Context(), snapshots.Key("chat"), []byte(text)))
	}
	return s
}

// A collector ends while a recommendation stands.
func TestOverARestartOfTheCollector(t *testing.T) {
	batches := scrapes(t, "pd-prefill-bound", "chat", 18*time.Minute, 1)
	kept := shelf(t, "")
	first := begin(t, kept)
	n := until(batches, 11*time.Minute+30*time.Second)
	feed(t, first.p, first.c, batches[:n])
	require.Equal(t, 3.0, newest(first.sink, "chat")[recommendedPrefill])
	require.NoError(t, first.p.Shutdown(t.Context()))
	require.Len(t, kept.Values(), 2, "a fleet and the index")
	text := string(kept.Values()[snapshots.Key("chat")])
	assert.Less(t, len(text), 512)

	t.Run("it is recommended again", func(t *testing.T) { recommendedAgain(t, text, batches[n:]) })
	t.Run("another topology", func(t *testing.T) { changedOver(t, text, batches[n:]) })
	t.Run("of no use", func(t *testing.T) { ofNoUse(t, text, batches[n:]) })
}

// It is recommended again with the first evaluation, which follows the minute in which workers are met, also when the collector ends once more within
// that; without a storage it would take ten minutes.
func recommendedAgain(t *testing.T, text string, rest []batch) {
	kept := shelf(t, text)
	second := begin(t, kept)
	n := until(rest, 20*time.Second)
	feed(t, second.p, second.c, rest[:n])
	require.NoError(t, second.p.Shutdown(t.Context()))
	rest = rest[n:]

	third, bare := begin(t, kept), begin(t, shelf(t, ""))
	n = until(rest, 40*time.Second)
	feed(t, third.p, third.c, rest[:n])
	assert.NotContains(t, newest(third.sink, "chat"), recommendedPrefill, "not before the fleet is met")
	m := until(rest, 2*time.Minute+15*time.Second)
	feed(t, third.p, third.c, rest[n:m])
	feed(t, bare.p, bare.c, rest[:m])
	assert.Equal(t, 3.0, newest(third.sink, "chat")[recommendedPrefill])
	assert.NotContains(t, newest(bare.sink, "chat"), recommendedPrefill)
	assert.Zero(t, newest(third.sink, "chat")["llm.topology.changesmap[]"])
	assert.Zero(t, third.logs.Len())
}

// A worker went over the restart: nothing of what was concluded for the other topology is left but that it is another.
func changedOver(t *testing.T, text string, rest []batch) {
	second := begin(t, shelf(t, text))
	for _, b := range rest[:until(rest, 3*time.Minute)] {
		if b.worker != 3 {
			feed(t, second.p, second.c, []batch{b})
		}
	}
	eachPoint(derivedOf(second.sink), func(_ map[string]any, m pmetric.Metric, dp pmetric.NumberDataPoint) {
		v, ok := dp.Attributes().Get(signal.AttrTopology)
		assert.False(t, ok && v.Str() == signal.TopologyRecommended, m.Name())
	})
	f := second.p.fleets.byName["chat"]
	assert.Equal(t, 1, f.adviser.Changes())
	assert.Equal(t, serving.Topology{Prefill: 1, Decode: 2}, f.topology())
	assert.Greater(t, f.adviser.Latest(), rest[0].at.UnixNano())
}

// What is too old, of a time to come, or cannot be read is dropped with one line.
func ofNoUse(t *testing.T, text string, rest []batch) {
	of := func(from, to string) func(string) string {
		return func(text string) string { return strings.Replace(text, from, to, 1) }
	}
	for name, c := range map[string]struct {
		damage func(text string) string
		away   time.Duration
	}{
		"a long pause":    {func(text string) string { return text + " " }, 5*time.Minute + 15*time.Second},
		"of the future":   {of(`"At":17`, `"At":18`), 0},
		"another schema":  {of(`"Schema":1`, `"Schema":0`), 0},
		"garbage":         {func(string) string { return "\x00\xff{" }, 0},
		"a half":          {func(text string) string { return text[:len(text)/2] }, 0},
		"no such time":    {of(`"Since":1`, `"Since":-1`), 0},
		"later than told": {of(`"ChangedAt":0`, `"ChangedAt":9000000000000000000`), 0},
	} {
		t.Run(name, func(t *testing.T) {
			damaged := c.damage(text)
			require.NotEqual(t, text, damaged)
			second := begin(t, shelf(t, damaged))
			from := until(rest, c.away)
			feed(t, second.p, second.c, rest[from:until(rest, c.away+75*time.Second)])
			f := second.p.fleets.byName["chat"]
			assert.True(t, f.adviser.Known(), "the fleet is met")
			assert.False(t, f.adviser.Stands())
			assert.Nil(t, f.kept)
			assert.Equal(t, 1, second.logs.FilterMessageSnippet("dropped").Len())
		})
	}
}

// What was not yet better for long enough was not so for longer because nobody looked.
func TestThePauseDoesNotCount(t *testing.T) {
	const at, pause = int64(1_700_000_000e9), 2 * time.Minute
	f := newFleet("chat", "a", testConfig(), signal.Index(signal.DisaggregationMetrics()), workerInputs(), "", nil)
	require.NoError(t, f.restore([]byte(`{"At":1700000000000000000,"Record":[false,false,false,false,false],"Adviser":{"Current":{"Prefill":1,"Decode":3},
		"Candidate":{"Prefill":2,"Decode":2},"Since":1699999900000000000,"Seen":2,"Likely":true}}`)))
	f.started = at + int64(pause)
	now := f.started + int64(settling)
	f.resume(now)
	assert.Equal(t, now-100e9, f.adviser.Latest(), "better for 100 s, as before")
	assert.True(t, f.record.Poor())
	assert.ErrorIs(t, f.restore([]byte(`{"At":1700000000000000000}`)), errUnsettled)
}

// It is written while the collector runs, too, and not before the fleet is met.
func TestSnapshotsAreWrittenInBetween(t *testing.T) {
	kept := shelf(t, "")
	l := begin(t, kept)
	batches := scrapes(t, "pd-balanced", "chat", 2*time.Minute, 1)
	n := until(batches, 30*time.Second)
	feed(t, l.p, l.c, batches[:n])
	_, err := l.p.fleets.byName["chat"].snapshot()
	require.ErrorIs(t, err, errUnsettled)
	feed(t, l.p, l.c, batches[n:])
	l.p.Tick(t.Context())
	assert.Contains(t, kept.Values(), snapshots.Key("chat"))
}
