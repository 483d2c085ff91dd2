package phaseattributionprocessor

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-inference/otelcol-inference/internal/wall"
	"github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor/internal/metadata"
)

// foreignResources is a batch of resources of other things with one point each, which is the most that a point can cost.
func foreignResources(n int) pmetric.Metrics {
	md := pmetric.NewMetrics()
	for range n {
		rm := md.ResourceMetrics().AppendEmpty()
		for i := range 10 {
			rm.Resource().Attributes().PutStr(fmt.Sprintf("k8s.some.attribute.%d", i), "value")
		}
		m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
		m.SetName("some.metric")
		m.SetEmptyGauge().DataPoints().AppendEmpty().SetDoubleValue(1)
	}
	md.MarkReadOnly()
	return md
}

func TestForeignMetricsCostNoAllocation(t *testing.T) {
	p, _ := newTestProcessor(t, createDefaultConfig().(*Config), consumertest.NewNop())
	md := foreignResources(100)
	assert.Zero(t, testing.AllocsPerRun(100, func() { _ = p.ConsumeMetrics(context.Background(), md) }))
}

func BenchmarkForeignResources(b *testing.B) {
	p, err := newProcessor(processortest.NewNopSettings(metadata.Type), createDefaultConfig().(*Config),
		consumertest.NewNop(), newRegistry(), wall.Clock{})
	require.NoError(b, err)
	const points = 1000
	md := foreignResources(points)
	b.ReportAllocs()
	for b.Loop() {
		_ = p.ConsumeMetrics(context.Background(), md)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*points), "ns/point")
}
