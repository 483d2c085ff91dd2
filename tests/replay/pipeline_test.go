package replay

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/connector/connectortest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-inference/otelcol-inference/connector/adviceconnector"
	"github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"
	"github.com/otelcol-inference/otelcol-inference/processor/kvfragmentationprocessor"
	"github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"
)

// derivers are the scopes of derived metrics.
func derivers() []string {
	const module = "github.com/otelcol-inference/otelcol-inference/"
	return []string{
		module + "processor/phaseattributionprocessor", module + "processor/kvfragmentationprocessor", module + "processor/disaggregationprocessor",
		module + "connector/adviceconnector",
	}
}

// newPipeline starts the pipeline of config.yaml: three processors, what they say into the sink and the adviser, and what that says into
// the sink.
func newPipeline(t *testing.T, s *sink) (consumer.Metrics, func()) {
	t.Helper()
	metrics, err := s.metrics()
	require.NoError(t, err)
	logs, err := s.logs()
	require.NoError(t, err)

	advice := adviceconnector.NewFactory()
	set, cfg := connectortest.NewNopSettings(advice.Type()), advice.CreateDefaultConfig()
	toLogs, err := advice.CreateMetricsToLogs(context.Background(), set, cfg, logs)
	require.NoError(t, err)
	toMetrics, err := advice.CreateMetricsToMetrics(context.Background(), set, cfg, metrics)
	require.NoError(t, err)
	both, err := consumer.NewMetrics(func(ctx context.Context, md pmetric.Metrics) error {
		if err := metrics.ConsumeMetrics(ctx, md); err != nil {
			return err
		}
		return toLogs.ConsumeMetrics(ctx, md)
	})
	require.NoError(t, err)

	next := both
	var all []processor.Metrics
	for _, factory := range []processor.Factory{disaggregationprocessor.NewFactory(), kvfragmentationprocessor.NewFactory(), phaseattributionprocessor.NewFactory()} {
		p, err := factory.CreateMetrics(context.Background(), processortest.NewNopSettings(factory.Type()), factory.CreateDefaultConfig(), next)
		require.NoError(t, err)
		all = append(all, p)
		next = p
	}
	stop := started(t, toLogs, toMetrics, all[0], all[1], all[2])
	return next, stop
}
