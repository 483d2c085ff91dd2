package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/wall"
	"github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver/internal/metadata"
)

// NewFactory returns the factory of the llm_engine receiver.
func NewFactory() receiver.Factory {
	common := newShared()
	create := func(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Metrics) (receiver.Metrics, error) {
		return newReceiver(set, cfg.(*Config), next, wall.Clock{}, common)
	}
	return receiver.NewFactory(metadata.Type, createDefaultConfig, receiver.WithMetrics(create, metadata.MetricsStability))
}

func createDefaultConfig() component.Config {
	client := confighttp.NewDefaultClientConfig()
	// One connection per target is kept open, and there is no limit over all of them: a limit under the number of targets would
	// close and open a connection at each scrape. The fields are deprecated for the keepalive section of the YAML; confighttp
	// itself folds that section into them and asks programs to leave it empty.
	client.MaxIdleConns = 0        //nolint:staticcheck // see above
	client.MaxIdleConnsPerHost = 1 //nolint:staticcheck // see above
	return &Config{
		ClientConfig: client,
		Scrape: ScrapeConfig{
			CollectionInterval: 5 * time.Second,
			MaxBodyBytes:       16 << 20,
			MaxSeries:          20_000,
			Preset:             string(signal.PresetDefault),
			ProcPath:           "/proc",
		},
		Streams: defaultStreams(),
	}
}
