package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/processor"

	"github.com/otelcol-inference/otelcol-inference/internal/wall"
	"github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor/internal/metadata"
)

// NewFactory returns the factory of the phase_attribution processor. It remembers which of its processors run: one in two metrics pipelines,
// which would write every derived series twice, is refused, and one in a metrics and a traces pipeline shares what it estimates.
func NewFactory() processor.Factory {
	running := newRegistry()
	create := func(_ context.Context, set processor.Settings, cfg component.Config, next consumer.Metrics) (processor.Metrics, error) {
		return newProcessor(set, cfg.(*Config), next, running, wall.Clock{})
	}
	createTraces := func(_ context.Context, set processor.Settings, _ component.Config, next consumer.Traces) (processor.Traces, error) {
		return newRequestSpans(set, next, running)
	}
	return processor.NewFactory(metadata.Type, createDefaultConfig, processor.WithMetrics(create, metadata.MetricsStability),
		processor.WithTraces(createTraces, metadata.TracesStability))
}

func createDefaultConfig() component.Config {
	return &Config{
		Window:              5 * time.Second,
		AllowedLateness:     5 * time.Second,
		LatencyWindow:       time.Minute,
		MaxStale:            5 * time.Minute,
		MaxWorkers:          10_000,
		MaxNumBatchedTokens: 2048,
		SnapshotInterval:    5 * time.Minute,
	}
}
