package phaseattributionprocessor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor/internal/metadata"
)

func TestASilentWorkerIsFinishedMarkedAndForgotten(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	cfg := createDefaultConfig().(*Config)
	p, c := newTestProcessor(t, cfg, sink)
	play(t, p, c, 10, 5*time.Second, newEngine("a:8000", 1_700_000_000*second))
	c.Add(10 * time.Second)
	c.Sweep()
	dp, _ := last(sink, signal.PhaseImbalance, "", "")
	assert.False(t, dp.Flags().NoRecordedValue(), "two windows of silence are not yet silence")
	c.Add(6 * time.Second)
	c.Sweep()
	dp, _ = last(sink, signal.PhaseImbalance, "", "")
	assert.True(t, dp.Flags().NoRecordedValue())
	assert.Equal(t, 1, p.workers.Len())
	c.Add(cfg.MaxStale)
	c.Sweep()
	assert.Zero(t, p.workers.Len())
}

// Scrapes are so far apart that a worker is forgotten before it counts as silent.
func TestAWorkerIsMarkedBeforeItIsForgotten(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	cfg := createDefaultConfig().(*Config)
	cfg.MaxStale = time.Minute
	p, c := newTestProcessor(t, cfg, sink)
	play(t, p, c, 5, 50*time.Second, newEngine("a:8000", 1_700_000_000*second))
	dp, ok := last(sink, signal.PhaseImbalance, "", "")
	require.True(t, ok)
	require.False(t, dp.Flags().NoRecordedValue())
	c.Add(70 * time.Second)
	c.Sweep()
	assert.Zero(t, p.workers.Len())
	dp, _ = last(sink, signal.PhaseImbalance, "", "")
	assert.True(t, dp.Flags().NoRecordedValue())
}

// How often a worker is scraped is told by its batches, however many resources one has for it, and whatever comes shortly after a scrape, as
// its streams do.
func TestAWorkerIsNotSilentBetweenScrapes(t *testing.T) {
	for name, after := range map[string]time.Duration{"in several resources": 0, "streams come later": 2 * time.Second} {
		t.Run(name, func(t *testing.T) {
			sink := new(consumertest.MetricsSink)
			p, c := newTestProcessor(t, createDefaultConfig().(*Config), sink)
			e := newEngine("a:8000", 1_700_000_000*second)
			for range 8 {
				c.Add(30*time.Second - after)
				e.advance(e.now + 30*second)
				md, more := e.page(), pmetric.NewMetrics()
				if after == 0 {
					more = md
				}
				e.page().ResourceMetrics().At(0).Resource().CopyTo(more.ResourceMetrics().AppendEmpty().Resource())
				require.NoError(t, p.ConsumeMetrics(context.Background(), md))
				if after > 0 {
					c.Add(after)
					require.NoError(t, p.ConsumeMetrics(context.Background(), more))
				}
			}
			c.Add(20 * time.Second)
			c.Sweep()
			dp, ok := last(sink, signal.PhaseImbalance, "", "")
			require.True(t, ok)
			assert.False(t, dp.Flags().NoRecordedValue())
		})
	}
}

func TestNewWorkersAreTurnedAwayWhenFull(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	cfg := createDefaultConfig().(*Config)
	cfg.MaxWorkers = 2
	p, c := newTestProcessor(t, cfg, sink)
	start := 1_700_000_000 * second
	play(t, p, c, 4, 5*time.Second, newEngine("a", start), newEngine("b", start), newEngine("c", start))
	assert.Equal(t, 2, p.workers.Len())
	instances := map[string]int{}
	for _, md := range sink.AllMetrics() {
		v, _ := md.ResourceMetrics().At(0).Resource().Attributes().Get(signal.AttrServiceInstanceID)
		instances[v.Str()]++
	}
	assert.Equal(t, 4, instances["c"], "passed through all the same")
	assert.Greater(t, instances["a"], 4)
}

func TestAFailureOfTheDerivedBatchDoesNotFailTheInput(t *testing.T) {
	var inputs int
	next, err := consumer.NewMetrics(func(_ context.Context, md pmetric.Metrics) error {
		if md.ResourceMetrics().At(0).ScopeMetrics().At(0).Scope().Name() == metadata.ScopeName {
			return errors.New("no")
		}
		inputs++
		return nil
	})
	require.NoError(t, err)
	p, c := newTestProcessor(t, createDefaultConfig().(*Config), next)
	play(t, p, c, 10, 5*time.Second, newEngine("a", 1_700_000_000*second))
	assert.Equal(t, 10, inputs)
}

func TestOneProcessorInTwoPipelinesIsRefused(t *testing.T) {
	f := NewFactory()
	set := processortest.NewNopSettings(metadata.Type)
	set.ID = component.MustNewIDWithName("phase_attribution", "x")
	first, err := f.CreateMetrics(context.Background(), set, f.CreateDefaultConfig(), consumertest.NewNop())
	require.NoError(t, err)
	second, err := f.CreateMetrics(context.Background(), set, f.CreateDefaultConfig(), consumertest.NewNop())
	require.NoError(t, err)
	require.NoError(t, first.Start(context.Background(), componenttest.NewNopHost()))
	err = second.Start(context.Background(), componenttest.NewNopHost())
	assert.ErrorContains(t, err, `processor "phase_attribution/x" is in two metrics pipelines`)
	require.NoError(t, second.Shutdown(context.Background()))
	require.NoError(t, first.Shutdown(context.Background()))
	require.NoError(t, second.Start(context.Background(), componenttest.NewNopHost()), "free again after shutdown")
	require.NoError(t, second.Shutdown(context.Background()))
}

func TestConcurrentPipelinesAreSafe(t *testing.T) {
	p, _ := newTestProcessor(t, createDefaultConfig().(*Config), consumertest.NewNop())
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			e := newEngine(fmt.Sprint(i%2), 1_700_000_000*second)
			for range 50 {
				e.advance(e.now + second)
				assert.NoError(t, p.ConsumeMetrics(context.Background(), e.page()))
			}
		})
	}
	wg.Wait()
}

func TestHostileValuesDoNoHarm(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, createDefaultConfig().(*Config), sink)
	e := newEngine("a", 1_700_000_000*second)
	for i := range 20 {
		c.Add(5 * time.Second)
		e.advance(e.now + 5*second)
		md := e.page()
		for _, m := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
			switch {
			case i%3 == 0 && m.Type() == pmetric.MetricTypeSum:
				m.Sum().DataPoints().At(0).SetDoubleValue(math.NaN())
			case i%4 == 0 && m.Type() == pmetric.MetricTypeHistogram:
				m.Histogram().DataPoints().At(0).BucketCounts().FromRaw([]uint64{1})
			case i%5 == 0 && m.Type() == pmetric.MetricTypeGauge:
				m.Gauge().DataPoints().At(0).SetDoubleValue(math.Inf(1))
			}
		}
		require.NoError(t, p.ConsumeMetrics(context.Background(), md))
	}
	for _, phase := range phaseOrder() {
		v := seconds(t, sink, phase)
		assert.False(t, math.IsNaN(v) || math.IsInf(v, 0) || v < 0, "%s = %v", phase, v)
	}
}

func TestTheOrderOfWorkersDoesNotMatter(t *testing.T) {
	run := func(swap bool) map[string]float64 {
		sink := new(consumertest.MetricsSink)
		p, c := newTestProcessor(t, createDefaultConfig().(*Config), sink)
		engines := []*engine{newEngine("a:1", 1_800_000_000*second), newEngine("longer:1", 1_800_000_000*second)}
		if swap {
			engines[0], engines[1] = engines[1], engines[0]
		}
		play(t, p, c, 40, 5*time.Second, engines...)
		got := map[string]float64{}
		for _, md := range sink.AllMetrics() {
			for _, rm := range md.ResourceMetrics().All() {
				for _, sm := range rm.ScopeMetrics().All() {
					for _, m := range sm.Metrics().All() {
						if m.Name() != signal.PhaseWorkerTime {
							continue
						}
						for _, dp := range m.Sum().DataPoints().All() {
							got[derive.Text(rm.Resource().Attributes(), signal.AttrServiceInstanceID)+derive.Text(dp.Attributes(), signal.AttrPhase)] = dp.DoubleValue()
						}
					}
				}
			}
		}
		return got
	}
	straight := run(false)
	require.Len(t, straight, 2*4, "two workers, four phases")
	assert.Equal(t, straight, run(true))
}
