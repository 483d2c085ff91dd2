package kvfragmentationprocessor

import (
	"context"
	"errors"
	"fmt"
	"sync"
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
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/processor/kvfragmentationprocessor/internal/metadata"
)

func TestInputIsPassedThroughFirstAndUntouched(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, testConfig(), sink)
	e := newEngine("a:8000")
	var sent []string
	for range 4 {
		c.Add(5 * time.Second)
		e.advance(5 * time.Second)
		md := e.page()
		sent = append(sent, asJSON(t, md))
		md.MarkReadOnly()
		require.NoError(t, p.ConsumeMetrics(context.Background(), md))
	}
	var got []string
	for _, md := range sink.AllMetrics() {
		got = append(got, asJSON(t, md))
	}
	assert.Equal(t, sent[0], got[0], "nothing follows from one scrape")
	assert.Subset(t, got, sent)
	assert.Greater(t, len(got), len(sent), "derived batches come on their own")
	assert.False(t, p.Capabilities().MutatesData)
}

func asJSON(t *testing.T, md pmetric.Metrics) string {
	t.Helper()
	text, err := (&pmetric.JSONMarshaler{}).MarshalMetrics(md)
	require.NoError(t, err)
	return string(text)
}

func TestARestartNeverLowersASum(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, testConfig(), sink)
	e := newEngine("a:8000")
	e.thrash = 0.5
	play(t, p, c, 40, e)
	e.restart()
	play(t, p, c, 40, e)
	highest := map[string]float64{}
	eachDerived(sink, func(_ pcommon.Resource, m pmetric.Metric) {
		if m.Type() != pmetric.MetricTypeSum {
			return
		}
		for _, dp := range m.Sum().DataPoints().All() {
			key := m.Name() + fmt.Sprint(dp.Attributes().AsRaw())
			assert.GreaterOrEqual(t, derive.Number(dp), highest[key], key)
			highest[key] = derive.Number(dp)
		}
	})
	evicted := value(t, sink, signal.KVEvictedBlocks)
	assert.InDelta(t, 8*5*78, evicted, 8*5*2, "nothing is counted twice")
}

func TestSilence(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, testConfig(), sink)
	play(t, p, c, 40, newEngine("a:8000"))
	_, ok := last(sink, signal.KVTokens, signal.AttrKVUse, signal.KVUseLive)
	require.True(t, ok)
	c.Add(time.Minute)
	c.Tick()
	require.Eventually(t, func() bool {
		_, ok := last(sink, signal.KVTokens, signal.AttrKVUse, signal.KVUseLive)
		return !ok
	}, 5*time.Second, time.Millisecond, "marked as not recorded")
	c.Add(time.Hour)
	c.Tick()
	require.Eventually(t, func() bool { return p.workers.Len() == 0 }, 5*time.Second, time.Millisecond)
}

func TestOnePipelineOnly(t *testing.T) {
	p, c := newTestProcessor(t, testConfig(), consumertest.NewNop())
	other, err := newProcessor(processortest.NewNopSettings(metadata.Type), testConfig(), consumertest.NewNop(), p.running, c)
	require.NoError(t, err)
	other.id = p.id
	assert.ErrorContains(t, other.Start(context.Background(), componenttest.NewNopHost()), "two metrics pipelines")
	require.NoError(t, other.Shutdown(context.Background()))
}

func TestARefusalOfWhatIsDerivedDoesNotFailTheInput(t *testing.T) {
	refuse, err := consumer.NewMetrics(func(_ context.Context, md pmetric.Metrics) error {
		if md.ResourceMetrics().At(0).ScopeMetrics().At(0).Scope().Name() == metadata.ScopeName {
			return errors.New("full")
		}
		return nil
	})
	require.NoError(t, err)
	p, c := newTestProcessor(t, testConfig(), refuse)
	play(t, p, c, 10, newEngine("a:8000"))
}

func TestWorkersAreBounded(t *testing.T) {
	cfg := testConfig()
	cfg.MaxWorkers = 3
	p, c := newTestProcessor(t, cfg, consumertest.NewNop())
	for i := range 10 {
		play(t, p, c, 1, newEngine(fmt.Sprint(i)))
	}
	assert.Equal(t, 3, p.workers.Len())
}

func TestConcurrentWorkers(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	cfg := testConfig()
	cfg.MaxStale = 24 * time.Hour // every worker turns the one clock on
	p, c := newTestProcessor(t, cfg, sink)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() { play(t, p, c, 50, newEngine(fmt.Sprint(i%4))) })
	}
	c.Tick()
	all.Wait()
	assert.Equal(t, 4, p.workers.Len())
}

func TestConfig(t *testing.T) {
	require.NoError(t, testConfig().Validate())
	cfg := testConfig()
	cfg.Window, cfg.Horizon, cfg.MaxWorkers = time.Millisecond, time.Second, 0
	cfg.Models = []ModelRule{{KVBytesPerToken: -1}}
	err := cfg.Validate()
	for _, text := range []string{"window must be between 100ms", "horizon must be between 1m", "max_workers must be", "models[0].kv_bytes_per_token"} {
		assert.ErrorContains(t, err, text)
	}
}
