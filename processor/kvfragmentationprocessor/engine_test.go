package kvfragmentationprocessor

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/kvcache"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// engine is a worker whose pool is the same at every look: of 1000 blocks of 16 tokens, 200 are held by 10 requests of 313 tokens each,
// and 900 have content. Every second a request of 300 tokens comes, of which 160 are found.
type engine struct {
	instance, engineName string
	start, now           time.Time
	seconds              float64 // of its process
	events, passes       bool
	known                bool // events
	uncached             bool
	resident             float64 // blocks
	calm                 float64 // seconds before which nothing that is stored was evicted shortly before
	thrash               float64 // share of the tokens stored then that were
	preemptions          float64 // a second
	gpus                 []string
	hybrid               bool // half of the layers attend to a window of 128 tokens
	model, cacheType     string
	tensorParallel       int64
	unphased             float64 // seconds before phases are told apart
}

func newEngine(instance string) *engine {
	start := time.Unix(1_700_000_000, 0)
	return &engine{instance: instance, engineName: vllm, model: "llama", start: start, now: start, events: true, passes: true, known: true, resident: 900}
}

func (e *engine) advance(d time.Duration) {
	e.now = e.now.Add(d)
	e.seconds += d.Seconds()
}

func (e *engine) restart() { e.start, e.seconds = e.now.Add(time.Millisecond), 0 }

// writer appends metrics of one scrape.
type writer struct {
	ms         pmetric.MetricSlice
	start, now pcommon.Timestamp
}

func (w writer) number(name string, sum bool, v float64, attributes ...string) {
	m := w.ms.AppendEmpty()
	m.SetName(name)
	var dp pmetric.NumberDataPoint
	if sum {
		m.SetEmptySum().SetIsMonotonic(true)
		m.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		dp = m.Sum().DataPoints().AppendEmpty()
		dp.SetStartTimestamp(w.start)
	} else {
		dp = m.SetEmptyGauge().DataPoints().AppendEmpty()
	}
	dp.SetTimestamp(w.now)
	dp.SetDoubleValue(v)
	for i := 0; i < len(attributes); i += 2 {
		dp.Attributes().PutStr(attributes[i], attributes[i+1])
	}
}

func (w writer) sum(name string, v float64, attributes ...string) {
	w.number(name, true, v, attributes...)
}
func (w writer) gauge(name string, v float64, attributes ...string) {
	w.number(name, false, v, attributes...)
}

func (w writer) histogram(name string, n, mean float64, attributes ...string) {
	m := w.ms.AppendEmpty()
	m.SetName(name)
	m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	dp := m.Histogram().DataPoints().AppendEmpty()
	dp.SetStartTimestamp(w.start)
	dp.SetTimestamp(w.now)
	dp.ExplicitBounds().FromRaw([]float64{mean, 2 * mean})
	dp.BucketCounts().FromRaw([]uint64{uint64(n / 2), uint64(n) - uint64(n/2), 0})
	dp.SetCount(uint64(n))
	dp.SetSum(mean * n)
	for i := 0; i < len(attributes); i += 2 {
		dp.Attributes().PutStr(attributes[i], attributes[i+1])
	}
}

// capacity is how many tokens of sequences the pool has room for.
func (e *engine) capacity() float64 {
	if e.hybrid {
		return 700 * 16
	}
	return 1001 * 16
}

func (e *engine) page() pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	a := rm.Resource().Attributes()
	a.PutStr(signal.AttrServiceName, "test")
	a.PutStr(signal.AttrServiceInstanceID, e.instance)
	a.PutStr(signal.AttrEngineName, e.engineName)
	a.PutStr(signal.AttrModel, e.model)
	a.PutStr(signal.AttrFleetName, "chat")
	w := writer{rm.ScopeMetrics().AppendEmpty().Metrics(), pcommon.NewTimestampFromTime(e.start), pcommon.NewTimestampFromTime(e.now)}
	t := e.seconds
	w.gauge(signal.KVUtilization, 0.2)
	w.gauge(signal.KVCapacityTokens, e.capacity())
	w.gauge(signal.KVBlockSize, 16)
	w.gauge(signal.Running, 10)
	w.gauge(signal.EngineInfo, 1)
	info := w.ms.At(w.ms.Len() - 1).Gauge().DataPoints().At(0).Attributes()
	if e.uncached {
		info.PutBool(signal.AttrPrefixCaching, false)
	}
	if e.cacheType != "" {
		info.PutStr(signal.AttrCacheDataType, e.cacheType)
		info.PutInt(signal.AttrTensorParallel, e.tensorParallel)
	}
	w.sum(signal.TokensPrompt, 140*t, signal.AttrTokenSource, signal.TokenSourceLocalCompute)
	w.sum(signal.TokensPrompt, 160*t, signal.AttrTokenSource, signal.TokenSourceLocalHit)
	w.sum(signal.KVLookupTokens, 300*t, signal.AttrCacheScope, signal.CacheScopeLocal)
	w.sum(signal.KVHitTokens, 160*t, signal.AttrCacheScope, signal.CacheScopeLocal)
	w.sum(signal.TokensGenerated, 50*t)
	w.sum(signal.Preemptions, e.preemptions*t)
	w.sum(signal.KVTransferFailures, 0.1*t, signal.AttrFailure, signal.FailureExpired)
	w.histogram(signal.TTFT, t, 0.2)
	w.histogram(signal.RequestTokens, t, 300, signal.AttrTokenType, signal.TokenTypeInput)
	w.histogram(signal.RequestTokens, t, 50, signal.AttrTokenType, signal.TokenTypeOutput)
	if told := t - e.unphased; told >= 0 {
		w.sum(signal.PhaseGPUTime, 0.05*told, signal.AttrPhase, signal.PhasePrefill)
		w.sum(signal.PhaseEnergy, 20*told, signal.AttrPhase, signal.PhasePrefill)
	}
	if e.passes {
		w.sum(signal.StepDecodeSequences, 100*t)
		w.sum(signal.StepDecodeKVTokens, 31_300*t)
	}
	for _, id := range e.gpus {
		w.gauge(signal.EngineGPUInfo, 1, signal.AttrHWID, id)
	}
	if e.events {
		e.cacheEvents(w, t)
	}
	return md
}

// cacheEvents are what the receiver makes of KV events: 8 blocks a second are stored and as many evicted; a block is used every 20 s.
func (e *engine) cacheEvents(w writer, t float64) {
	w.sum(signal.KVBlockStored, 8*t, signal.AttrCacheTier, kvcache.GPU.String())
	w.sum(signal.KVBlockRemoved, 8*t, signal.AttrCacheTier, kvcache.GPU.String())
	again := 8 * 16 * (t - e.calm) * e.thrash
	w.sum(signal.KVStoredTokens, 8*16*t-again, signal.AttrMissCause, signal.MissCompulsory)
	w.sum(signal.KVStoredTokens, again, signal.AttrMissCause, signal.MissCapacity)
	w.sum(signal.KVRegretTokens, again)
	w.sum(signal.KVReuseTokens, 160*t)
	w.histogram(signal.KVReuseDistance, 18*t, 600)
	w.histogram(signal.KVReuseGap, 10*t, 20)
	w.gauge(signal.KVBlockResident, 50, signal.AttrCacheTier, kvcache.CPU.String())
	known := 0.0
	if e.known {
		known = 1
		w.gauge(signal.KVBlockResident, e.resident, signal.AttrCacheTier, kvcache.GPU.String())
	}
	w.gauge(signal.KVEventsKnown, known)
	if e.hybrid {
		e.groups(w, t)
	}
}

// groups are what the receiver makes of KV events of a model with two kinds of layers: a third of the blocks is of the window.
func (e *engine) groups(w writer, t float64) {
	w.gauge(signal.KVCapacityBlocks, 1001)
	full := []string{signal.AttrKVGroup, "0", signal.AttrKVPool, signal.PoolFull}
	window := []string{signal.AttrKVGroup, "1", signal.AttrKVPool, signal.PoolSWA}
	w.gauge(signal.KVGroupResident, e.resident*2/3, full...)
	w.gauge(signal.KVGroupResident, e.resident/3, window...)
	w.gauge(signal.KVGroupBlockSize, 16, full...)
	w.gauge(signal.KVGroupBlockSize, 16, window...)
	w.gauge(signal.KVGroupWindow, 128, window...)
	w.sum(signal.KVGroupPassed, 3*t, window...)
}

// gpu is a GPU of 80 GB, 60 of them the engine's and 2 another process's.
func gpu(id string, now time.Time) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr(signal.AttrHWID, id)
	w := writer{rm.ScopeMetrics().AppendEmpty().Metrics(), 0, pcommon.NewTimestampFromTime(now)}
	w.gauge(signal.HWGPUMemoryLimit, 80e9)
	m := w.ms.AppendEmpty()
	m.SetName(signal.GPUProcessMemory)
	m.SetEmptySum()
	for _, v := range []float64{2e9, 60e9} {
		dp := m.Sum().DataPoints().AppendEmpty()
		dp.SetDoubleValue(v)
		dp.SetTimestamp(w.now)
	}
	return md
}
