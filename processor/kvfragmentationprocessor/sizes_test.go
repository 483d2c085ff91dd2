package kvfragmentationprocessor

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// gpuMemory is what is told of the worker's GPU.
func gpuMemory(t *testing.T, sink *consumertest.MetricsSink, use string) float64 {
	return value(t, sink, signal.HBMMemory, signal.AttrHBMUse, use)
}

// Llama 3 8B has 32 layers of 8 KV heads of 128: 131,072 bytes a token at 16 bits, and 8.03e9 parameters.
func TestSizesOfAKnownModelNeedNoConfiguration(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, testConfig(), sink)
	e := newEngine("a:8000")
	e.model, e.gpus = "meta-llama/Meta-Llama-3-8B-Instruct", []string{"GPU-0"}
	require.NoError(t, p.ConsumeMetrics(context.Background(), gpu("GPU-0", e.now)))
	play(t, p, c, 5, e)
	live := value(t, sink, signal.KVTokens, signal.AttrKVUse, signal.KVUseLive)
	assert.InDelta(t, 131_072*live, value(t, sink, signal.KVMemory, signal.AttrKVUse, signal.KVUseLive), 1)
	assert.Equal(t, methodTable, method(t, sink, signal.KVMemory))
	assert.Less(t, value(t, sink, signal.EstimateConfidence, signal.AttrEstimate, signal.KVMemory),
		value(t, sink, signal.EstimateConfidence, signal.AttrEstimate, signal.KVTokens))
	assert.InDelta(t, 2*8.03e9, gpuMemory(t, sink, signal.HBMUseWeights), 1)
	assert.InDelta(t, 131_072*1001*16, gpuMemory(t, sink, signal.HBMUseKVPool), 1)

	e.cacheType, e.tensorParallel = "fp8_e4m3", 16
	play(t, p, c, 5, e)
	live = value(t, sink, signal.KVTokens, signal.AttrKVUse, signal.KVUseLive)
	assert.InDelta(t, 2*65_536*live, value(t, sink, signal.KVMemory, signal.AttrKVUse, signal.KVUseLive), 1,
		"half the bytes, and twice as many GPUs as KV heads")
}

func TestSizesAreConfiguredBeforeTheyAreToldBeforeTheyAreLookedUp(t *testing.T) {
	w := worker{modelName: "x"}
	assert.Zero(t, w.tokenSize())
	assert.Zero(t, w.weightSize())
	w.model.Layers, w.model.KVHeads, w.model.HeadSize, w.model.Parameters = 1, 1, 1, 10
	assert.Equal(t, size{4, methodTable}, w.tokenSize())
	assert.Equal(t, size{20, methodTable}, w.weightSize())
	w.facts.poolBytes, w.facts.capacity, w.facts.weightBytes = 300, 100, 30
	assert.Equal(t, size{3, methodTold}, w.tokenSize())
	assert.Equal(t, size{30, methodTold}, w.weightSize())
	w.sizes = ModelRule{KVBytesPerToken: 7, WeightBytes: 70}
	assert.Equal(t, size{7, methodConfigured}, w.tokenSize())
	assert.Equal(t, size{70, methodConfigured}, w.weightSize())
}

func TestDuplicatesAreSizedByAWorkerOfTheFleet(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, testConfig(), sink)
	require.NoError(t, p.ConsumeMetrics(context.Background(), duplicates(c.Now())))
	_, ok := last(sink, signal.KVDuplicateMemory)
	assert.False(t, ok, "nobody knows the size of a token")
	e := newEngine("a:8000")
	e.model = "meta-llama/Meta-Llama-3-8B-Instruct"
	play(t, p, c, 1, e)
	md := duplicates(c.Now())
	require.NoError(t, p.ConsumeMetrics(context.Background(), md))
	assert.InDelta(t, 5000*131_072, value(t, sink, signal.KVDuplicateMemory), 1)

	md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Gauge().DataPoints().At(0).
		SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	before := derivedPoints(sink, signal.KVDuplicateMemory)
	require.NoError(t, p.ConsumeMetrics(context.Background(), md))
	assert.Equal(t, before, derivedPoints(sink, signal.KVDuplicateMemory), "a mark that it is gone is no zero")
}

func TestGPUsThatFellSilentAreForgotten(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, testConfig(), sink)
	e := newEngine("a:8000")
	e.gpus = []string{"GPU-0"}
	require.NoError(t, p.ConsumeMetrics(context.Background(), gpu("GPU-0", e.now)))
	play(t, p, c, 5, e)
	_, ok := last(sink, signal.HBMMemory, signal.AttrHBMUse, signal.HBMUseOutside)
	require.True(t, ok)
	play(t, p, c, 70, e) // MaxStale is five minutes
	c.Sweep()
	play(t, p, c, 3, e)
	_, ok = last(sink, signal.HBMMemory, signal.AttrHBMUse, signal.HBMUseOutside)
	assert.False(t, ok, "what it had then is not what it has now")
}

// Events stop, as when their publisher died: what was heard of reuse fades, and the lookups go on.
func TestOtherSizesAreNotToldFromThePast(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, testConfig(), sink)
	e := newEngine("a:8000")
	play(t, p, c, 60, e)
	value(t, sink, signal.KVHitRatioPredicted, signal.AttrCacheScale, "2")
	e.events = false
	play(t, p, c, 10, e)
	_, ok := last(sink, signal.KVHitRatioPredicted, signal.AttrCacheScale, "2")
	assert.False(t, ok)
	assert.Positive(t, withheld(sink, signal.KVHitRatioPredicted, reasonNoEvents))
}

func TestARoleOfTheResourceIsKept(t *testing.T) {
	f := facts{role: signal.RolePrefill}
	m := pmetric.NewMetric()
	m.SetName(signal.EngineInfo)
	dp := m.SetEmptyGauge().DataPoints().AppendEmpty()
	f.learn(m)
	assert.Equal(t, signal.RolePrefill, f.role, "info that tells no role takes none away")
	dp.Attributes().PutStr(signal.AttrRole, signal.RoleDecode)
	f.learn(m)
	assert.Equal(t, signal.RoleDecode, f.role)
}

// Scrapes are so far apart that a worker is forgotten before it counts as silent.
func TestAWorkerIsMarkedBeforeItIsForgotten(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	cfg := testConfig()
	cfg.MaxStale = time.Minute
	p, c := newTestProcessor(t, cfg, sink)
	e := newEngine("a:8000")
	for range 5 {
		c.Add(50 * time.Second)
		e.advance(50 * time.Second)
		require.NoError(t, p.ConsumeMetrics(context.Background(), e.page()))
	}
	value(t, sink, signal.KVTokens, signal.AttrKVUse, signal.KVUseLive)
	c.Add(70 * time.Second)
	c.Tick()
	require.Eventually(t, func() bool { return p.workers.Len() == 0 }, 5*time.Second, time.Millisecond)
	c.Tick()
	_, ok := last(sink, signal.KVTokens, signal.AttrKVUse, signal.KVUseLive)
	assert.False(t, ok)
}

// How often a worker is scraped is told by its scrapes, whatever comes with one or shortly after, as its streams do.
func TestAWorkerIsNotSilentBetweenScrapes(t *testing.T) {
	for _, after := range []time.Duration{0, 2 * time.Second} {
		sink := new(consumertest.MetricsSink)
		p, c := newTestProcessor(t, testConfig(), sink)
		e := newEngine("a:8000")
		for range 8 {
			c.Add(30*time.Second - after)
			e.advance(30 * time.Second)
			require.NoError(t, p.ConsumeMetrics(context.Background(), e.page()))
			c.Add(after)
			streams := pmetric.NewMetrics()
			e.page().ResourceMetrics().At(0).Resource().CopyTo(streams.ResourceMetrics().AppendEmpty().Resource())
			require.NoError(t, p.ConsumeMetrics(context.Background(), streams))
		}
		c.Add(20 * time.Second)
		c.Sweep()
		_, ok := last(sink, signal.KVTokens, signal.AttrKVUse, signal.KVUseLive)
		assert.True(t, ok, "%v later", after)
	}
}

// After the clock was set back, words of KV events that are of a later time by it are none of now.
func TestEventsOfAnotherTimeAreNotHeard(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, testConfig(), sink)
	e := newEngine("a:8000")
	play(t, p, c, 80, e)
	require.Equal(t, methodEventsPasses, method(t, sink, signal.KVTokens))
	p.workers.Each(func(w *worker) bool { return w.restart() })
	e.events, e.now, e.start = false, e.now.Add(-time.Hour), e.start.Add(-time.Hour)
	play(t, p, c, 80, e)
	assert.Equal(t, methodCounters, method(t, sink, signal.KVTokens))
	assert.Zero(t, withheld(sink, signal.KVTokens, reasonEventsLost))
}

// Phases are told apart only once a fit has seen enough.
func TestAPriceIsOfTheTimeThatItIsKnownFor(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, testConfig(), sink)
	e := newEngine("a:8000")
	e.unphased = 300
	play(t, p, c, 80, e)
	tokens := value(t, sink, signal.KVSavedTokens, signal.AttrCacheScale, "2")
	assert.InEpsilon(t, tokens*0.05/140, value(t, sink, signal.KVSavedTime, signal.AttrCacheScale, "2"), 0.03)
	assert.InEpsilon(t, tokens*20/140, value(t, sink, signal.KVSavedPower, signal.AttrCacheScale, "2"), 0.03)
}

func TestConfidenceOfWaste(t *testing.T) {
	var s sums
	_, sure := s.wasteTrust()
	assert.Zero(t, sure)
	s.waste[wasteThrash].tokens = 100
	method, sure := s.wasteTrust()
	assert.Equal(t, methodRegret, method)
	assert.InDelta(t, measured, sure, 1e-9)
	s.waste[wasteLease].tokens = 300
	method, sure = s.wasteTrust()
	assert.Equal(t, methodLengths, method)
	assert.InDelta(t, (measured+3*byLength)/4, sure, 1e-9)
}
