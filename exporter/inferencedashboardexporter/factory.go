package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/exporter"

	"github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter/internal/metadata"
)

// NewFactory returns the factory of the inference_dashboard exporter. The collector makes one exporter for metrics and one for logs; those
// with the same name share one page.
func NewFactory() exporter.Factory {
	shared := newShared()
	return exporter.NewFactory(
		metadata.Type,
		createDefaultConfig,
		exporter.WithMetrics(shared.createMetrics, metadata.MetricsStability),
		exporter.WithLogs(shared.createLogs, metadata.LogsStability),
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
		LongHistory:    24 * time.Hour,
		LongResolution: 2 * time.Minute,
		UpdateInterval: time.Second,
		MaxWorkers:     1000,
	}
}
