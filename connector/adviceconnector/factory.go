package adviceconnector // import "github.com/otelcol-inference/otelcol-inference/connector/adviceconnector"

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"

	"github.com/otelcol-inference/otelcol-inference/connector/adviceconnector/internal/metadata"
	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/wall"
)

// NewFactory returns the factory of the advice connector. The collector makes one connector for each kind of pipeline that it feeds;
// those with the same name share one adviser, so that logs and metrics never disagree.
func NewFactory() connector.Factory { return newFactory(wall.Clock{}) }

func newFactory(c derive.Clock) connector.Factory {
	shared := newRegistry()
	return connector.NewFactory(metadata.Type, createDefaultConfig,
		connector.WithMetricsToLogs(func(_ context.Context, set connector.Settings, cfg component.Config, next consumer.Logs) (connector.Metrics, error) {
			return shared.connect(set, cfg.(*Config), c, func(a *adviser) { a.logs = next })
		}, metadata.MetricsToLogsStability),
		connector.WithMetricsToMetrics(func(_ context.Context, set connector.Settings, cfg component.Config, next consumer.Metrics) (connector.Metrics, error) {
			return shared.connect(set, cfg.(*Config), c, func(a *adviser) { a.metrics = next })
		}, metadata.MetricsToMetricsStability),
	)
}
