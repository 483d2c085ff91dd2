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

// NewFactory returns the factory of the phase_attribution processor. It remembers which of its processors run, so that one
// processor in two pipelines, which would write every derived series twice, is refused.
func NewFactory() processor.Factory {
	running := newRegistry()
	create := func(_ context.Context, set processor.Settings, cfg component.Config, next consumer.Metrics) (processor.Metrics, error) {
		return newProcessor(set, cfg.(*Config), next, running, wall.Clock{})
	}
	return processor.NewFactory(metadata.Type, createDefaultConfig, processor.WithMetrics(create, metadata.MetricsStability))
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
