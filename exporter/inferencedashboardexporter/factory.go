package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter/internal/metadata"
)

// NewFactory returns the factory of the inference_dashboard exporter.
func NewFactory() exporter.Factory {
	return exporter.NewFactory(
		metadata.Type,
		createDefaultConfig,
		exporter.WithMetrics(createMetrics, metadata.MetricsStability),
	)
}

func createDefaultConfig() component.Config {
	server := confighttp.NewDefaultServerConfig()
	server.NetAddr.Endpoint = "localhost:8899"
	server.ReadHeaderTimeout = 10 * time.Second
	server.MaxRequestBodySize = 1024 // the API reads no bodies
	return &Config{
		ServerConfig:   server,
		History:        time.Hour,
		Resolution:     5 * time.Second,
		UpdateInterval: time.Second,
		MaxWorkers:     1000,
	}
}

// createMetrics makes the exporter without queue and retry: the next scrape replaces what one push would have shown.
func createMetrics(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Metrics, error) {
	d, err := newDashboard(cfg.(*Config), set, time.Now)
	if err != nil {
		return nil, err
	}
	return exporterhelper.NewMetrics(ctx, set, cfg, d.consumeMetrics,
		exporterhelper.WithStart(d.start),
		exporterhelper.WithShutdown(d.shutdown),
		exporterhelper.WithTimeout(exporterhelper.TimeoutConfig{Timeout: 0}),
		exporterhelper.WithCapabilities(consumer.Capabilities{MutatesData: false}),
	)
}
