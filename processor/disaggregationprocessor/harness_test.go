package disaggregationprocessor

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
	"github.com/otelcol-inference/otelcol-inference/internal/exposition"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/engine"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/scenario"
	"github.com/otelcol-inference/otelcol-inference/internal/objectives"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/wall/walltest"
	"github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor/internal/metadata"
)

func newTestProcessor(t testing.TB, cfg *Config, next consumer.Metrics) (*disaggregation, *walltest.Clock) {
	t.Helper()
	c := walltest.NewClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	p, err := newProcessor(processortest.NewNopSettings(metadata.Type), cfg, next, &derive.Registry{}, c)
	require.NoError(t, err)
	require.NoError(t, p.Start(context.Background(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, p.Shutdown(context.Background())) })
	return p, c
}

func testConfig() *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.Objectives = objectives.Config{{TTFT: objectives.Bound{Max: time.Second}, ITL: objectives.Bound{Max: 30 * time.Millisecond}}}
	return cfg
}

// batch is a scrape of one worker.
type batch struct {
	at     time.Time
	worker int
	md     pmetric.Metrics
}

// scrapes plays a ready scenario and returns what is scraped of its workers every five seconds, in order of time.
func scrapes(t testing.TB, name, fleetName string, duration time.Duration, seed int) []batch {
	t.Helper()
	s, err := scenario.Load(name, scenario.Options{Overrides: []scenario.Override{{Path: "seed", Value: fmt.Sprint(seed)}}})
	require.NoError(t, err)
	f, err := fleetsim.New(s.Fleet)
	require.NoError(t, err)
	defer f.Close()
	dialects, err := dialect.Load()
	require.NoError(t, err)
	books := make([]*exposition.Book, f.Workers())
	for i := range books {
		books[i] = exposition.NewBook(exposition.Settings{
			Dialects: dialects, Scope: "test", MaxSeries: 20_000,
			Identity: exposition.Identity{Address: fmt.Sprintf("%s-%d", fleetName, i), Port: 8000, Fleet: fleetName, Role: string(f.Pool(i).Role), Host: "host"},
		})
	}
	var out []batch
	var page bytes.Buffer
	const interval = 5 * time.Second
	for at := interval; at <= duration; at += interval {
		for i, book := range books {
			now := at + time.Duration(i)*300*time.Millisecond
			require.NoError(t, f.Advance(now))
			page.Reset()
			require.NoError(t, f.WriteMetrics(i, &page))
			page.Grow(1)
			when := s.Fleet.StartTime.Add(now)
			md, _, err := book.Scrape(page.Bytes(), false, when, engine.VLLMVersion)
			require.NoError(t, err)
			out = append(out, batch{when, i, md})
		}
	}
	return out
}

func feed(t testing.TB, p *disaggregation, c *walltest.Clock, batches []batch) {
	t.Helper()
	for _, b := range batches {
		c.Set(b.at)
		md := pmetric.NewMetrics()
		b.md.CopyTo(md)
		md.MarkReadOnly()
		require.NoError(t, p.ConsumeMetrics(context.Background(), md))
	}
}

// derivedOf are the batches that the processor made.
func derivedOf(sink *consumertest.MetricsSink) []pmetric.Metrics {
	var out []pmetric.Metrics
	for _, md := range sink.AllMetrics() {
		if md.ResourceMetrics().Len() > 0 && md.ResourceMetrics().At(0).ScopeMetrics().Len() > 0 &&
			md.ResourceMetrics().At(0).ScopeMetrics().At(0).Scope().Name() == metadata.ScopeName {
			out = append(out, md)
		}
	}
	return out
}

// eachPoint visits every point of numbers.
func eachPoint(mds []pmetric.Metrics, visit func(resource map[string]any, m pmetric.Metric, dp pmetric.NumberDataPoint)) {
	for _, md := range mds {
		for _, rm := range md.ResourceMetrics().All() {
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					points := pmetric.NewNumberDataPointSlice()
					if m.Type() == pmetric.MetricTypeGauge {
						points = m.Gauge().DataPoints()
					} else if m.Type() == pmetric.MetricTypeSum {
						points = m.Sum().DataPoints()
					}
					for _, dp := range points.All() {
						visit(rm.Resource().Attributes().AsRaw(), m, dp)
					}
				}
			}
		}
	}
}

// newest are the last values of the points on a fleet's own resource, by metric and attributes; points that are gone are left out.
func newest(sink *consumertest.MetricsSink, fleetName string) map[string]float64 {
	out := map[string]float64{}
	eachPoint(derivedOf(sink), func(resource map[string]any, m pmetric.Metric, dp pmetric.NumberDataPoint) {
		if _, worker := resource[signal.AttrEngineName]; worker || resource[signal.AttrFleetName] != fleetName {
			return
		}
		key := fmt.Sprint(m.Name(), dp.Attributes().AsRaw())
		if delete(out, key); !dp.Flags().NoRecordedValue() {
			out[key] = derive.Number(dp)
		}
	})
	return out
}
