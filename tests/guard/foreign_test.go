package main

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/connector/connectortest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-inference/otelcol-inference/connector/adviceconnector"
	"github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"
	"github.com/otelcol-inference/otelcol-inference/processor/kvfragmentationprocessor"
	"github.com/otelcol-inference/otelcol-inference/processor/llmenginenormalizerprocessor"
	"github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"
)

const foreignPoints = 1000

// foreign are points of what is no engine, as most are in a shared pipeline.
func foreign() pmetric.Metrics {
	md := pmetric.NewMetrics()
	for host := range 10 {
		rm := md.ResourceMetrics().AppendEmpty()
		rm.Resource().Attributes().PutStr("host.name", fmt.Sprintf("host-%d", host))
		rm.Resource().Attributes().PutStr("service.name", "web")
		ms := rm.ScopeMetrics().AppendEmpty().Metrics()
		for i := range foreignPoints / 10 {
			m := ms.AppendEmpty()
			m.SetName(fmt.Sprintf("http.server.some_metric_%d", i))
			m.SetEmptyGauge().DataPoints().AppendEmpty().SetDoubleValue(1)
		}
	}
	md.MarkReadOnly()
	return md
}

// consumers are the components that stand in a pipeline with others' points, by type.
func consumers(tb testing.TB) map[string]consumer.Metrics {
	nowhere, err := consumer.NewMetrics(func(context.Context, pmetric.Metrics) error { return nil })
	require.NoError(tb, err)
	all := make(map[string]consumer.Metrics)
	run := func(name string, c interface {
		component.Component
		consumer.Metrics
	}) {
		require.NoError(tb, c.Start(context.Background(), componenttest.NewNopHost()))
		tb.Cleanup(func() { require.NoError(tb, c.Shutdown(context.Background())) })
		all[name] = c
	}
	for _, f := range []processor.Factory{
		phaseattributionprocessor.NewFactory(), kvfragmentationprocessor.NewFactory(), disaggregationprocessor.NewFactory(),
		llmenginenormalizerprocessor.NewFactory(),
	} {
		p, err := f.CreateMetrics(context.Background(), processortest.NewNopSettings(f.Type()), f.CreateDefaultConfig(), nowhere)
		require.NoError(tb, err)
		run(f.Type().String(), p)
	}
	f := adviceconnector.NewFactory()
	c, err := f.CreateMetricsToMetrics(context.Background(), connectortest.NewNopSettings(f.Type()), f.CreateDefaultConfig(), nowhere)
	require.NoError(tb, err)
	run(f.Type().String(), c)
	return all
}

// TestForeignPointsMakeNoAllocation in any component.
func TestForeignPointsMakeNoAllocation(t *testing.T) {
	md := foreign()
	for name, c := range consumers(t) {
		allocations := testing.AllocsPerRun(100, func() { _ = c.ConsumeMetrics(context.Background(), md) })
		assert.Less(t, allocations, float64(foreignPoints)/100, "%s, for %d points", name, foreignPoints)
	}
}

func BenchmarkForeign(b *testing.B) {
	for name, c := range consumers(b) {
		b.Run(name, func(b *testing.B) {
			md := foreign()
			b.ReportAllocs()
			for b.Loop() {
				if err := c.ConsumeMetrics(context.Background(), md); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/foreignPoints, "ns/point")
		})
	}
}
