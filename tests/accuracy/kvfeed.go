package main

import (
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/kvcache"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// kvFeed follows the KV events of a worker as the receiver does, and writes the points it would. A share of the batches is lost.
type kvFeed struct {
	index   *kvcache.Index
	random  *rand.Rand
	loss    float64
	process int
}

func newKVFeed(seed uint64, loss float64, fleet *kvcache.Fleet) *kvFeed {
	x := kvcache.NewIndex(kvcache.Settings{
		MemoryLimit: 64 << 20, Horizon: 10 * time.Minute, ExactBlocks: 1 << 20, SampledBlocks: 1 << 16, MaxDistance: 1 << 20,
	}, true)
	x.Join(fleet)
	return &kvFeed{index: x, random: rand.New(rand.NewPCG(seed, 44)), loss: loss}
}

func (f *kvFeed) take(epoch time.Time, b fleetsim.KVBatch) {
	if b.Process != f.process {
		f.process = b.Process
		f.index.Clear()
	}
	if f.loss > 0 && f.random.Float64() < f.loss {
		f.index.Gap()
		return
	}
	f.index.At(float64(epoch.Add(b.At).UnixNano()) / 1e9)
	for _, e := range b.Events {
		switch e.Kind {
		case fleetsim.BlockStored:
			f.index.Store(storedOf(&e))
		case fleetsim.BlockRemoved:
			f.index.Remove(e.Hashes, kvcache.GPU, e.Group)
		case fleetsim.AllBlocksCleared:
			f.index.Clear()
		}
	}
	f.index.EndBatch()
}

// append adds the points to the first resource of md.
func (f *kvFeed) append(md pmetric.Metrics, start, now time.Time) {
	ms := md.ResourceMetrics().At(0).ScopeMetrics().AppendEmpty().Metrics()
	t, state := f.index.Totals(), f.index.State()
	tier := func(p pmetric.NumberDataPoint) { p.Attributes().PutStr(signal.AttrCacheTier, kvcache.GPU.String()) }
	tier(sumPoint(newSum(ms, signal.KVBlockStored), float64(t.Stored[kvcache.GPU]), start, now))
	tier(sumPoint(newSum(ms, signal.KVBlockRemoved), float64(t.Removed[kvcache.GPU]), start, now))
	if state.Known {
		resident := newSum(ms, signal.KVBlockResident)
		resident.SetIsMonotonic(false)
		tier(sumPoint(resident, float64(max(0, t.Resident[kvcache.GPU])), start, now))
	}
	f.appendGroups(ms, &t, state.Known, start, now)
	sumPoint(newSum(ms, signal.KVReuseTokens), float64(t.HitTokens), start, now)
	sumPoint(newSum(ms, signal.KVHeldTokens), float64(t.HeldTokens), start, now)
	sumPoint(newSum(ms, signal.KVHolderTokens), float64(t.HolderTokens), start, now)
	sumPoint(newSum(ms, signal.KVRegretTokens), float64(t.RegretTokens), start, now)
	for _, m := range []struct {
		name   string
		tokens [kvcache.Causes]uint64
	}{{signal.KVStoredTokens, t.StoredTokens}, {signal.KVRoutingTokens, t.RoutedTokens}} {
		sum := newSum(ms, m.name)
		for i, n := range m.tokens {
			sumPoint(sum, float64(n), start, now).Attributes().PutStr(signal.AttrMissCause, kvcache.Cause(i).String())
		}
	}
	appendHistogram(ms, signal.KVReuseDistance, t.Reuse, start, now)
	appendHistogram(ms, signal.KVReuseGap, t.ReuseGap, start, now)
	known := ms.AppendEmpty()
	known.SetName(signal.KVEventsKnown)
	dp := known.SetEmptyGauge().DataPoints().AppendEmpty()
	dp.SetTimestamp(pcommon.NewTimestampFromTime(now))
	if state.Known {
		dp.SetDoubleValue(1)
	}
}

func appendHistogram(ms pmetric.MetricSlice, name string, h kvcache.Histogram, start, now time.Time) {
	m := ms.AppendEmpty()
	m.SetName(name)
	m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	dp := m.Histogram().DataPoints().AppendEmpty()
	dp.SetStartTimestamp(pcommon.NewTimestampFromTime(start))
	dp.SetTimestamp(pcommon.NewTimestampFromTime(now))
	dp.ExplicitBounds().FromRaw(h.Bounds)
	dp.BucketCounts().FromRaw(h.Counts)
	dp.SetCount(h.Count())
	dp.SetSum(h.Sum)
}
