// Package curve holds what a gateway's components take to the number of its workers: cost grows in proportion, whatever the machine.
package curve

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/connector/connectortest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-inference/otelcol-inference/connector/adviceconnector"
	"github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"
	"github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"
	"github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

// gateway is the pipeline of gateway.yaml between its receiver and its exporter, in this process, with the settings of that file but for windows of
// the interval at which points come, a page that nobody reads (it has no port of its own, and judges by the clock once a minute, not a second), and
// no rehearsals: they are a cost of fleets and of time, not of points, and come too rarely to be met alike by every size in a few intervals.
type gateway struct {
	first   consumer.Metrics
	workers *rig.Workers
	began   time.Time
	round   int
}

func newGateway(tb testing.TB, fleets, each, rounds int) *gateway {
	tb.Helper()
	g := &gateway{workers: rig.RecordWorkers(tb, "pd-balanced", fleets, each, rounds)}
	g.began = time.Now().Add(-time.Duration(rounds) * g.workers.Interval) // never in the future
	shipped, err := confmaptest.LoadConf(filepath.Join(rig.Root(tb), "distributions", "otelcol-inference", "gateway.yaml"))
	require.NoError(tb, err)
	configure := func(f component.Factory, section, overlay string) component.Config {
		cfg := f.CreateDefaultConfig()
		own, err := shipped.Sub(section + "::" + f.Type().String())
		require.NoError(tb, err)
		laid, err := confmap.NewRetrievedFromYAML([]byte(overlay))
		require.NoError(tb, err)
		over, err := laid.AsConf()
		require.NoError(tb, err)
		require.NoError(tb, own.Merge(over))
		require.NoError(tb, own.Unmarshal(cfg))
		return cfg
	}
	page := inferencedashboardexporter.NewFactory()
	shown, err := page.CreateMetrics(tb.Context(), exportertest.NewNopSettings(page.Type()),
		configure(page, "exporters", `{endpoint: "localhost:0", update_interval: 1m, resolution: 1m}`))
	require.NoError(tb, err)
	run(tb, shown)
	advice := adviceconnector.NewFactory()
	advised, err := advice.CreateMetricsToMetrics(tb.Context(), connectortest.NewNopSettings(advice.Type()), configure(advice, "connectors", "{}"), shown)
	require.NoError(tb, err)
	run(tb, advised)
	f := disaggregationprocessor.NewFactory()
	cfg := configure(f, "processors", "{window: 10s, allowed_lateness: 10s, evaluate_every: 24h}")
	p, err := f.CreateMetrics(tb.Context(), processortest.NewNopSettings(f.Type()), cfg, everywhere(tb, shown, advised))
	require.NoError(tb, err)
	run(tb, p)
	g.first = p
	return g
}

func run(tb testing.TB, c component.Component) {
	require.NoError(tb, c.Start(tb.Context(), componenttest.NewNopHost()))
	tb.Cleanup(func() { require.NoError(tb, c.Shutdown(context.Background())) })
}

// everywhere hands on to all of them.
func everywhere(tb testing.TB, all ...consumer.Metrics) consumer.Metrics {
	c, err := consumer.NewMetrics(func(ctx context.Context, md pmetric.Metrics) error {
		for _, one := range all {
			if err := one.ConsumeMetrics(ctx, md); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(tb, err)
	return c
}

// send is one interval; consume is called around each batch. It returns how many points there were.
func (g *gateway) send(tb testing.TB, around func(consume func())) (points int) {
	at := g.began.Add(time.Duration(g.round) * g.workers.Interval)
	for md := range g.workers.Hosts(g.round, at) {
		points += md.DataPointCount()
		md.MarkReadOnly() // as several consumers make it
		around(func() { require.NoError(tb, g.first.ConsumeMetrics(tb.Context(), md)) })
	}
	g.round++
	return points
}
