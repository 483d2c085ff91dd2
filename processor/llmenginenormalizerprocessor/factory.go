package llmenginenormalizerprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/llmenginenormalizerprocessor"

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/processor"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/processor/llmenginenormalizerprocessor/internal/metadata"
)

// NewFactory returns the factory of the llm_engine_normalizer processor.
func NewFactory() processor.Factory {
	return processor.NewFactory(metadata.Type, createDefaultConfig, processor.WithMetrics(createMetrics, metadata.MetricsStability))
}

func createDefaultConfig() component.Config {
	return &Config{Preset: string(signal.PresetDefault), MaxTargets: 1000, MaxSeries: 20_000, MaxStale: 10 * time.Minute}
}

func createMetrics(_ context.Context, set processor.Settings, cfg component.Config, next consumer.Metrics) (processor.Metrics, error) {
	return newNormalizer(set, cfg.(*Config), next, time.Now)
}
