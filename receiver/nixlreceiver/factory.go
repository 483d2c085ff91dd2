package nixlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver"

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"

	"github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/metadata"
)

// NewFactory returns the factory of the nixl receiver.
func NewFactory() receiver.Factory {
	return receiver.NewFactory(metadata.Type, createDefaultConfig, receiver.WithMetrics(createMetrics, metadata.MetricsStability))
}

func createDefaultConfig() component.Config {
	return &Config{
		Sources: SourcesConfig{
			Buffer: BufferConfig{
				Directories: []string{"/dev/shm/nixl"}, Mode: ModeAuto, TakeoverAfter: 30 * time.Second,
			},
			Links: LinksConfig{Enabled: true},
		},
		CollectionInterval: 5 * time.Second,
		PollInterval:       50 * time.Millisecond,
		RescanInterval:     5 * time.Second,
		StaleAfter:         5 * time.Minute,
		MaxAgents:          1024,
		AgentName:          NameAuto,
		ProcPath:           "/proc",
		SysPath:            "/sys",
	}
}

func createMetrics(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Metrics) (receiver.Metrics, error) {
	return newReceiver(set, cfg.(*Config), next, systemClock{})
}
