package kvfragmentationprocessor

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/objectives"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/wall/walltest"
	"github.com/otelcol-inference/otelcol-inference/processor/kvfragmentationprocessor/internal/metadata"
)

func newTestProcessor(t testing.TB, cfg *Config, next consumer.Metrics) (*kvFragmentation, *walltest.Clock) {
	t.Helper()
	c := walltest.NewClock(time.Unix(1_700_000_000, 0))
	p, err := newProcessor(processortest.NewNopSettings(metadata.Type), cfg, next, &derive.Registry{}, c)
	require.NoError(t, err)
	require.NoError(t, p.Start(context.Background(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, p.Shutdown(context.Background())) })
	return p, c
}

func testConfig() *Config { return createDefaultConfig().(*Config) }

// play feeds scrapes of engines every five seconds.
func play(t testing.TB, p *kvFragmentation, c *walltest.Clock, scrapes int, engines ...*engine) {
	t.Helper()
	for range scrapes {
		c.Add(5 * time.Second)
		for _, e := range engines {
			e.advance(5 * time.Second)
			md := e.page()
			md.MarkReadOnly()
			require.NoError(t, p.ConsumeMetrics(context.Background(), md))
		}
	}
}

// last returns the newest point of a derived metric with these attributes, given as key, value.
func last(sink *consumertest.MetricsSink, metric string, attributes ...string) (point pmetric.NumberDataPoint, ok bool) {
	eachDerived(sink, func(_ pcommon.Resource, m pmetric.Metric) {
		if m.Name() != metric {
			return
		}
	next:
		for _, dp := range points(m).All() {
			for i := 0; i < len(attributes); i += 2 {
				if derive.Text(dp.Attributes(), attributes[i]) != attributes[i+1] {
					continue next
				}
			}
			point, ok = dp, !dp.Flags().NoRecordedValue()
		}
	})
	return point, ok
}

// eachDerived visits all metrics that the processor made, in their order.
func eachDerived(sink *consumertest.MetricsSink, visit func(pcommon.Resource, pmetric.Metric)) {
	for _, md := range sink.AllMetrics() {
		for _, rm := range md.ResourceMetrics().All() {
			for _, sm := range rm.ScopeMetrics().All() {
				if sm.Scope().Name() != metadata.ScopeName {
					continue
				}
				for _, m := range sm.Metrics().All() {
					visit(rm.Resource(), m)
				}
			}
		}
	}
}

// derivedPoints counts the points of a metric that the processor made.
func derivedPoints(sink *consumertest.MetricsSink, metric string) (n int) {
	eachDerived(sink, func(_ pcommon.Resource, m pmetric.Metric) {
		if m.Name() == metric {
			n += points(m).Len()
		}
	})
	return n
}

func value(t *testing.T, sink *consumertest.MetricsSink, metric string, attributes ...string) float64 {
	t.Helper()
	dp, ok := last(sink, metric, attributes...)
	require.True(t, ok, "%s %v", metric, attributes)
	return derive.Number(dp)
}

func withheld(sink *consumertest.MetricsSink, estimate, reason string) float64 {
	dp, ok := last(sink, signal.EstimateWithheld, signal.AttrEstimate, estimate, signal.AttrReason, reason)
	if !ok {
		return 0
	}
	return derive.Number(dp)
}

func TestPoolOfAKnownEngine(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	cfg := testConfig()
	cfg.Models = []ModelRule{{Match: objectives.Match{Model: "lla*"}, KVBytesPerToken: 1000, WeightBytes: 20e9}}
	p, c := newTestProcessor(t, cfg, sink)
	e := newEngine("a:8000")
	e.gpus = []string{"GPU-0"}
	require.NoError(t, p.ConsumeMetrics(context.Background(), gpu("GPU-0", e.now)))
	play(t, p, c, 200, e)

	tokens := func(use string) float64 { return value(t, sink, signal.KVTokens, signal.AttrKVUse, use) }
	total := 0.0
	for _, use := range []string{
		signal.KVUseLive, signal.KVUseTailWaste, signal.KVUseReserved, signal.KVUsePinned, signal.KVUseCachedUseful, signal.KVUseCachedDead, signal.KVUseFree,
	} {
		total += tokens(use)
		assert.InDelta(t, tokens(use)*1000, value(t, sink, signal.KVMemory, signal.AttrKVUse, use), 1e-3)
	}
	assert.InDelta(t, 16_000, total, 1e-6)
	assert.InDelta(t, 3200, tokens(signal.KVUseLive)+tokens(signal.KVUseTailWaste), 1e-6)
	assert.InDelta(t, 75, tokens(signal.KVUseTailWaste), 40)
	assert.InDelta(t, 16*(900-(200-10)), tokens(signal.KVUseCachedUseful)+tokens(signal.KVUseCachedDead), 16*2)
	assert.InDelta(t, 0.53, value(t, sink, signal.KVHitRatio, signal.AttrCacheScope, signal.CacheScopeLocal), 0.01)
	assert.InDelta(t, 800, tokens2(t, sink), 1e-6)
	assert.Equal(t, methodEventsPasses, method(t, sink, signal.KVTokens))

	for use, want := range map[string]float64{
		signal.HBMUseWeights: 20e9, signal.HBMUseKVPool: 1001 * 16 * 1000, signal.HBMUseRuntime: 60e9 - 20e9 - 1001*16*1000,
		signal.HBMUseOther: 2e9, signal.HBMUseOutside: 18e9,
	} {
		assert.InDelta(t, want, value(t, sink, signal.HBMMemory, signal.AttrHBMUse, use), 1, use)
	}
	// 18 blocks a second, half of them at a depth of up to 600 and half up to 1200: the 900 that the pool holds have three quarters of them.
	assert.InDelta(t, 160.0/300, value(t, sink, signal.KVHitRatioPredicted, signal.AttrCacheScale, "1"), 0.01)
	assert.InDelta(t, 160.0/300+4.5*16/300, value(t, sink, signal.KVHitRatioPredicted, signal.AttrCacheScale, "2"), 0.02)
	assert.InDelta(t, 4.5*16, value(t, sink, signal.KVSavedTokens, signal.AttrCacheScale, "2"), 4)
	assert.InDelta(t, 4.5*16*0.05/140, value(t, sink, signal.KVSavedTime, signal.AttrCacheScale, "2"), 0.003)
	assert.InDelta(t, 4.5*16*20/140, value(t, sink, signal.KVSavedPower, signal.AttrCacheScale, "2"), 1)
}

// tokens2 is what the host tier holds.
func tokens2(t *testing.T, sink *consumertest.MetricsSink) float64 {
	return value(t, sink, signal.KVTierTokens, signal.AttrCacheTier, signal.TierHost)
}

func method(t *testing.T, sink *consumertest.MetricsSink, estimate string) string {
	t.Helper()
	dp, ok := last(sink, signal.EstimateConfidence, signal.AttrEstimate, estimate)
	require.True(t, ok)
	return derive.Text(dp.Attributes(), signal.AttrEstimateMethod)
}

func TestDegrees(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*engine)
		method  string
		missing []string // estimates withheld, and why
	}{
		"events, no passes": {func(e *engine) { e.passes = false }, methodEvents, nil},
		"counters": {
			func(e *engine) { e.events = false }, methodCounters,
			[]string{signal.KVTokens, reasonNoReuse, signal.KVThrash, reasonNoEvents, signal.KVMissTokens, reasonNoEvents, signal.KVHitRatioPredicted, reasonNoEvents},
		},
		"events that were lost": {
			func(e *engine) { e.known = false }, methodCounters,
			[]string{signal.KVTokens, reasonEventsLost, signal.KVThrash, reasonEventsLost},
		},
		"no prefix caching": {func(e *engine) { e.uncached = true }, methodNoCache, nil},
	} {
		t.Run(name, func(t *testing.T) {
			sink := new(consumertest.MetricsSink)
			p, clk := newTestProcessor(t, testConfig(), sink)
			e := newEngine("a:8000")
			c.change(e)
			play(t, p, clk, 100, e)
			assert.Equal(t, c.method, method(t, sink, signal.KVTokens))
			for i := 0; i < len(c.missing); i += 2 {
				assert.Positive(t, withheld(sink, c.missing[i], c.missing[i+1]), "%s %s", c.missing[i], c.missing[i+1])
			}
			total := 0.0
			for _, use := range []string{
				signal.KVUseLive, signal.KVUseTailWaste, signal.KVUseReserved, signal.KVUsePinned, signal.KVUseCachedUseful,
				signal.KVUseCachedDead, signal.KVUseFree, signal.KVUseUnattributed,
			} {
				if dp, ok := last(sink, signal.KVTokens, signal.AttrKVUse, use); ok {
					total += dp.DoubleValue()
				}
			}
			assert.InDelta(t, 16_000, total, 1e-6)
		})
	}
}

func TestEveryDerivedMetricIsInTheVocabulary(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	cfg := testConfig()
	cfg.Models = []ModelRule{{KVBytesPerToken: 1000}}
	p, c := newTestProcessor(t, cfg, sink)
	e := newEngine("a:8000")
	e.gpus, e.thrash, e.preemptions, e.hybrid = []string{"GPU-0"}, 0.01, 0.1, true
	require.NoError(t, p.ConsumeMetrics(context.Background(), gpu("GPU-0", e.now)))
	play(t, p, c, 750, e)
	require.NoError(t, p.ConsumeMetrics(context.Background(), duplicates(e.now)))
	declared := signal.Index(signal.KVFragmentationMetrics())
	emitted := map[string]bool{}
	eachDerived(sink, func(_ pcommon.Resource, m pmetric.Metric) {
		want, ok := declared[m.Name()]
		require.True(t, ok, m.Name())
		assert.Equal(t, want.Unit, m.Unit(), m.Name())
		assert.Equal(t, want.Instrument == signal.Sum, m.Type() == pmetric.MetricTypeSum, m.Name())
		for _, dp := range points(m).All() {
			for k := range dp.Attributes().All() {
				assert.Contains(t, want.Attributes, k, m.Name())
			}
		}
		emitted[m.Name()] = true
	})
	for name := range declared {
		assert.True(t, emitted[name], "%s is declared and never emitted", name)
	}
}

// duplicates is what the receiver says of a fleet.
func duplicates(now time.Time) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr(signal.AttrFleetName, "chat")
	w := writer{rm.ScopeMetrics().AppendEmpty().Metrics(), 0, pcommon.NewTimestampFromTime(now)}
	w.gauge(signal.KVDuplicates, 5000)
	return md
}

func TestDuplicatesOfAFleetInBytes(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	cfg := testConfig()
	cfg.Models = []ModelRule{{Match: objectives.Match{Fleet: "chat"}, KVBytesPerToken: 1000}}
	p, _ := newTestProcessor(t, cfg, sink)
	require.NoError(t, p.ConsumeMetrics(context.Background(), duplicates(time.Unix(1_700_000_000, 0))))
	assert.InDelta(t, 5e6, value(t, sink, signal.KVDuplicateMemory), 1e-9)
}

func TestAStormIsTold(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, testConfig(), sink)
	e := newEngine("a:8000")
	play(t, p, c, 30, e)
	assert.Zero(t, value(t, sink, signal.KVStorm))
	assert.Zero(t, value(t, sink, signal.KVThrash))
	e.thrash, e.resident = 0.6, 1000
	e.calm = e.seconds
	play(t, p, c, 5, e)
	assert.InDelta(t, 1, value(t, sink, signal.KVStorm), 0)
	assert.InDelta(t, 0.6, value(t, sink, signal.KVThrash), 0.01)
	assert.Positive(t, value(t, sink, signal.KVWasteTokens, signal.AttrKVWaste, signal.WasteThrash))
	assert.Positive(t, value(t, sink, signal.KVWasteEnergy, signal.AttrKVWaste, signal.WasteThrash))
	e.known = false
	play(t, p, c, 5, e)
	_, ok := last(sink, signal.KVStorm)
	assert.False(t, ok, "it is not known any more")
}

// TestAPreemptionIsWastedOnce: events show the blocks that a preempted request stores again, and they count as thrash.
func TestAPreemptionIsWastedOnce(t *testing.T) {
	for name, want := range map[string]struct {
		change func(*engine)
		tokens float64 // of a preemption
	}{
		"with events":     {func(*engine) {}, 7.5},
		"without events":  {func(e *engine) { e.events = false }, 325},
		"without a cache": {func(e *engine) { e.events, e.uncached = false, true }, 325},
	} {
		t.Run(name, func(t *testing.T) {
			sink := new(consumertest.MetricsSink)
			p, c := newTestProcessor(t, testConfig(), sink)
			e := newEngine("a:8000")
			e.preemptions = 0.5
			want.change(e)
			play(t, p, c, 13, e)
			dp, ok := last(sink, signal.KVWasteTokens, signal.AttrKVWaste, signal.WastePreemption)
			require.True(t, ok)
			seconds := dp.Timestamp().AsTime().Sub(dp.StartTimestamp().AsTime()).Seconds()
			assert.InDelta(t, want.tokens*0.5, dp.DoubleValue()/seconds, 0.02*want.tokens)
		})
	}
}
