package disaggregationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/processor"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/wall"
	"github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor/internal/metadata"
)

// NewFactory returns the factory of the disaggregation processor. It remembers which of its processors run, so that one processor in
// two pipelines, which would write every derived series twice, is refused.
func NewFactory() processor.Factory {
	running := &derive.Registry{}
	create := func(_ context.Context, set processor.Settings, cfg component.Config, next consumer.Metrics) (processor.Metrics, error) {
		return newProcessor(set, cfg.(*Config), next, running, wall.Clock{})
	}
	return processor.NewFactory(metadata.Type, createDefaultConfig, processor.WithMetrics(create, metadata.MetricsStability))
}

func createDefaultConfig() component.Config {
	return &Config{
		Window:              5 * time.Second,
		AllowedLateness:     5 * time.Second,
		Horizon:             5 * time.Minute,
		EvaluateEvery:       time.Minute,
		MaxStale:            5 * time.Minute,
		SnapshotInterval:    time.Minute,
		MaxWorkers:          10_000,
		MaxFleets:           1_000,
		MaxAgents:           20_000,
		MaxNumBatchedTokens: 8192,
		MaxNumSeqs:          256,
		MinCoverage:         0.9,
		// 320 KiB a token (70B, 16 bit) over four ranks, on a 400 Gbit/s link at half its rate.
		Transfer: TransferConfig{AssumedBandwidth: 25e9, AssumedTokenBytes: 80 << 10},
	}
}
