package adviceconnector

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/connector/connectortest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/connector/adviceconnector/internal/metadata"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/wall/walltest"
)

// page is a worker's batch as it comes from the receiver and the processor: gauges, counters and histograms that rules read, and as many
// points that they do not.
func page(worker int, at time.Time, scrape int) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	a := rm.Resource().Attributes()
	a.PutStr(signal.AttrEngineName, "vllm")
	a.PutStr(signal.AttrServiceInstanceID, fmt.Sprintf("10.0.0.%d:8000", worker))
	a.PutStr(signal.AttrModel, "llama")
	a.PutStr(signal.AttrFleetName, "chat")
	ms := rm.ScopeMetrics().AppendEmpty().Metrics()
	now := pcommon.NewTimestampFromTime(at)
	for _, name := range []string{signal.Up, signal.Running, signal.Waiting, signal.KVUtilization, signal.PhaseImbalance, signal.InterferenceLost} {
		m := ms.AppendEmpty()
		m.SetName(name)
		dp := m.SetEmptyGauge().DataPoints().AppendEmpty()
		dp.SetTimestamp(now)
		dp.SetDoubleValue(1)
	}
	for _, name := range []string{signal.Preemptions, signal.TokensGenerated, signal.TokensPrompt, signal.TokensCached} {
		m := ms.AppendEmpty()
		m.SetName(name)
		m.SetEmptySum().SetIsMonotonic(true)
		m.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		dp := m.Sum().DataPoints().AppendEmpty()
		dp.SetTimestamp(now)
		dp.SetStartTimestamp(1)
		dp.SetDoubleValue(float64(scrape * 1000))
	}
	bounds := make([]float64, 22)
	for i := range bounds {
		bounds[i] = 0.001 * float64(int(1)<<i)
	}
	for _, name := range []string{signal.TTFT, signal.ITL, "http.client.request.duration", "http.server.request.duration"} {
		m := ms.AppendEmpty()
		m.SetName(name)
		m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		dp := m.Histogram().DataPoints().AppendEmpty()
		dp.SetTimestamp(now)
		dp.SetStartTimestamp(1)
		dp.ExplicitBounds().FromRaw(bounds)
		counts := make([]uint64, len(bounds)+1)
		counts[5] = uint64(scrape * 10)
		dp.BucketCounts().FromRaw(counts)
		dp.SetCount(uint64(scrape * 10))
		dp.SetSum(float64(scrape))
	}
	return md
}

func startBench(tb testing.TB, clock *walltest.Clock) func(pmetric.Metrics) {
	tb.Helper()
	factory := newFactory(clock)
	c, err := factory.CreateMetricsToMetrics(context.Background(), connectortest.NewNopSettings(factory.Type()), factory.CreateDefaultConfig(), consumertest.NewNop())
	require.NoError(tb, err)
	require.NoError(tb, c.Start(context.Background(), nop()))
	tb.Cleanup(func() { require.NoError(tb, c.Shutdown(context.Background())) })
	return func(md pmetric.Metrics) { _ = c.ConsumeMetrics(context.Background(), md) }
}

// A scrape of one worker in a fleet of a hundred, its rules and its share of the fleet's.
func BenchmarkScrape(b *testing.B) {
	clock := newHandClock()
	consume := startBench(b, clock)
	b.ReportAllocs()
	for i := range b.N {
		worker := i % 100
		if worker == 0 {
			clock.Add(5 * time.Second)
		}
		b.StopTimer()
		md := page(worker, clock.Now(), i/100)
		b.StartTimer()
		consume(md)
	}
}

// Points of resources that are no subjects.
func BenchmarkForeign(b *testing.B) {
	clock := newHandClock()
	consume := startBench(b, clock)
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "web")
	ms := rm.ScopeMetrics().AppendEmpty().Metrics()
	for i := range 1000 {
		m := ms.AppendEmpty()
		m.SetName(fmt.Sprintf("http.server.%d", i))
		m.SetEmptyGauge().DataPoints().AppendEmpty()
	}
	b.ReportAllocs()
	for b.Loop() {
		consume(md)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/point")
}

// BenchmarkMemory says what a worker's state takes once its trailing time is full.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		clock := newHandClock()
		consume := startBench(b, clock)
		before := heap()
		for scrape := range 20 {
			clock.Add(5 * time.Second)
			for worker := range 100 {
				consume(page(worker, clock.Now(), scrape))
			}
		}
		b.ReportMetric(float64(heap()-before)/100, "B/worker")
		consume(pmetric.NewMetrics())
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkSave says what it takes to write down the state of a fleet of a thousand workers.
func BenchmarkSave(b *testing.B) {
	clock := newHandClock()
	cfg := createDefaultConfig().(*Config)
	a, err := newAdviser(connectortest.NewNopSettings(metadata.Type), cfg, clock)
	require.NoError(b, err)
	for scrape := range 10 {
		clock.Add(5 * time.Second)
		for worker := range 1000 {
			a.consume(b.Context(), page(worker, clock.Now(), scrape))
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		data, err := a.advisor.Snapshot()
		require.NoError(b, err)
		b.ReportMetric(float64(len(data))/1000, "B/worker")
	}
}
