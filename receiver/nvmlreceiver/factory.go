package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"

	"github.com/otelcol-inference/otelcol-inference/internal/hostproc/podresources"
	"github.com/otelcol-inference/otelcol-inference/internal/wall"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gonvml"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/metadata"
)

// NewFactory returns the factory of the nvml receiver.
func NewFactory() receiver.Factory {
	f := &factory{host: gonvml.NewHost(), byConfig: make(map[*Config]*nvmlReceiver)}
	return receiver.NewFactory(metadata.Type, createDefaultConfig,
		receiver.WithMetrics(f.createMetrics, metadata.MetricsStability),
		receiver.WithLogs(f.createLogs, metadata.LogsStability))
}

func createDefaultConfig() component.Config {
	return &Config{
		CollectionInterval: 5 * time.Second,
		SamplingInterval:   100 * time.Millisecond,
		DiscoveryInterval:  30 * time.Second,
		CallTimeout:        5 * time.Second,
		Preset:             PresetDefault,
		ProcPath:           "/proc",
		PodResources:       PodResourcesConfig{Socket: podresources.DefaultSocket},
	}
}

// factory makes one receiver per configuration, whatever the number of its pipelines: a GPU is read once.
type factory struct {
	host *gonvml.Host

	mu       sync.Mutex
	byConfig map[*Config]*nvmlReceiver
}

func (f *factory) createMetrics(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Metrics) (receiver.Metrics, error) {
	return f.shared(set, cfg.(*Config), func(r *nvmlReceiver) { r.metrics = next })
}

func (f *factory) createLogs(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Logs) (receiver.Logs, error) {
	return f.shared(set, cfg.(*Config), func(r *nvmlReceiver) { r.logs = next })
}

// shared returns the receiver of a configuration. It is forgotten when it ends.
func (f *factory) shared(set receiver.Settings, cfg *Config, with func(*nvmlReceiver)) (component.Component, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.byConfig[cfg]
	if r == nil {
		var err error
		if r, err = newReceiver(set, cfg, wall.Clock{}, func() gpu.Library { return f.host.Library(cfg.Library) }); err != nil {
			return nil, err
		}
		f.byConfig[cfg] = r
	}
	with(r)
	return &member{r, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.byConfig[cfg] == r {
			delete(f.byConfig, cfg)
		}
	}}, nil
}

// member is a pipeline's hold on a receiver.
type member struct {
	*nvmlReceiver
	forget func()
}

// Shutdown ends the receiver.
func (m *member) Shutdown(ctx context.Context) error {
	m.forget()
	return m.nvmlReceiver.Shutdown(ctx)
}
