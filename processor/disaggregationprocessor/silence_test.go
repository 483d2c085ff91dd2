package disaggregationprocessor

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

// How often a fleet is scraped is told by the longest gap: its workers' pages may come at once.
func TestAFleetIsNotSilentBetweenScrapes(t *testing.T) {
	p, c := newTestProcessor(t, testConfig(), consumertest.NewNop())
	batches := scrapes(t, "pd-balanced", "chat", 5*time.Minute, 1)
	start := batches[0].at
	for _, b := range batches {
		if at := b.at.Sub(start); at/(5*time.Second)%6 != 0 { // each sixth scrape is taken: every 30 s
			continue
		}
		c.Set(start.Add(b.at.Sub(start).Truncate(30 * time.Second)))
		require.NoError(t, p.ConsumeMetrics(context.Background(), b.md))
	}
	c.Set(c.Now().Add(20 * time.Second))
	p.Tick(context.Background())
	assert.False(t, p.fleets.byName["chat"].silent)
	c.Set(c.Now().Add(75 * time.Second))
	p.Tick(context.Background())
	assert.True(t, p.fleets.byName["chat"].silent)
}

// One agent's data comes a whole interval after the others'.
func TestAnAgentThatIsLate(t *testing.T) {
	inTime, late := new(consumertest.MetricsSink), new(consumertest.MetricsSink)
	batches := scrapes(t, "pd-balanced", "chat", 4*time.Minute, 1)
	p, c := newTestProcessor(t, testConfig(), inTime)
	feed(t, p, c, batches)
	q, d := newTestProcessor(t, testConfig(), late)
	var held []batch
	for _, b := range batches {
		if b.worker != 3 {
			feed(t, q, d, []batch{b})
			continue
		}
		feed(t, q, d, held)
		held = []batch{b}
	}
	feed(t, q, d, held)
	a, b := newest(inTime, "chat"), newest(late, "chat")
	for _, key := range []string{"llm.transfer.bandwidthmap[]", "llm.disaggregation.scoremap[]", "llm.fleet.observed_workersmap[]"} {
		require.Contains(t, b, key)
		assert.InEpsilon(t, a[key], b[key], 0.1, key)
	}
	const withheld = "llm.estimate.withheldmap[llm.estimate:llm.topology.goodput reason:coverage]"
	assert.LessOrEqual(t, b[withheld], a[withheld]+2, "a late worker is no missing one")
}

func TestSilenceEndsGauges(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, testConfig(), sink)
	batches := scrapes(t, "pd-balanced", "chat", 2*time.Minute, 1)
	feed(t, p, c, batches)
	require.Contains(t, newest(sink, "chat"), "llm.transfer.bandwidthmap[]")
	c.Set(batches[len(batches)-1].at.Add(time.Minute))
	p.Tick(context.Background())
	assert.NotContains(t, newest(sink, "chat"), "llm.transfer.bandwidthmap[]")
	c.Set(batches[len(batches)-1].at.Add(10 * time.Minute))
	p.Tick(context.Background())
	assert.Empty(t, p.fleets.byName)
	assert.Zero(t, p.fleets.workers)
}

// A worker goes and its fleet stays: no backend carries on what was last said of it.
func TestAWorkerThatGoesEndsItsGauges(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	cfg := testConfig()
	cfg.MaxStale = 30 * time.Second
	p, c := newTestProcessor(t, cfg, sink)
	batches := scrapes(t, "pd-balanced", "chat", 2*time.Minute, 1)
	for _, b := range batches {
		if b.worker != 3 || b.at.Sub(batches[0].at) < time.Minute {
			feed(t, p, c, []batch{b})
		}
	}
	ended := func() (said, gone bool) {
		eachPoint(derivedOf(sink), func(resource map[string]any, m pmetric.Metric, dp pmetric.NumberDataPoint) {
			if m.Name() == signal.TransferConcurrent && resource[signal.AttrServiceInstanceID] == "chat-3:8000" {
				said, gone = true, dp.Flags().NoRecordedValue()
			}
		})
		return said, gone
	}
	said, gone := ended()
	require.True(t, said)
	require.False(t, gone)
	p.Tick(context.Background())
	_, gone = ended()
	assert.True(t, gone)
	assert.Len(t, p.fleets.byName["chat"].members, 3)
}

// Scrapes are so far apart that a fleet is forgotten before it counts as silent.
func TestAFleetIsMarkedBeforeItIsForgotten(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, testConfig(), sink)
	batches := scrapes(t, "pd-balanced", "chat", 2*time.Minute, 1)
	feed(t, p, c, batches)
	require.Contains(t, newest(sink, "chat"), "llm.transfer.bandwidthmap[]")
	one := p.fleets.byName["chat"]
	one.interval = p.cfg.MaxStale
	c.Set(batches[len(batches)-1].at.Add(p.cfg.MaxStale + time.Second))
	p.Tick(context.Background())
	assert.True(t, one.gone)
	assert.NotContains(t, newest(sink, "chat"), "llm.transfer.bandwidthmap[]")
}
