package adviceconnector // import "github.com/otelcol-inference/otelcol-inference/connector/adviceconnector"

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
)

// registry holds the advisers by the name of their connector, for as long as one of its instances lives.
type registry struct {
	mu       sync.Mutex
	advisers map[component.ID]*adviser
}

func newRegistry() *registry { return &registry{advisers: map[component.ID]*adviser{}} }

// connect makes an instance of the connector and gives its output to the adviser of that name.
func (r *registry) connect(set connector.Settings, cfg *Config, c derive.Clock, attach func(*adviser)) (connector.Metrics, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.advisers[set.ID]
	if a == nil {
		var err error
		if a, err = newAdviser(set, cfg, c); err != nil {
			return nil, err
		}
		r.advisers[set.ID] = a
	}
	i := &instance{registry: r, adviser: a, id: set.ID}
	if a.feeder == nil {
		a.feeder = i
	}
	attach(a)
	a.references++
	return i, nil
}

// release drops an instance's hold on its adviser; last is whether it was the last one.
func (r *registry) release(i *instance) (last bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i.adviser.references--
	if i.adviser.references > 0 {
		return false
	}
	delete(r.advisers, i.id)
	return true
}

// instance is the connector between two kinds of pipelines. All instances of one name get the same data: one of them, the feeder, hands
// it on.
type instance struct {
	registry *registry
	adviser  *adviser
	id       component.ID
	end      sync.Once
	started  bool
}

func (i *instance) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: false}
}

// ConsumeMetrics takes a batch. It never fails: advice that cannot be told is no reason to send measurements again.
func (i *instance) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	if i.adviser.feeder == i {
		i.adviser.consume(ctx, md)
	}
	return nil
}

// Start starts the feeder's adviser.
func (i *instance) Start(ctx context.Context, host component.Host) error {
	if i.adviser.feeder != i {
		return nil
	}
	i.started = true
	return i.adviser.start(ctx, host)
}

// Shutdown may be called without Start and more than once.
func (i *instance) Shutdown(ctx context.Context) (err error) {
	i.end.Do(func() {
		last := i.registry.release(i)
		if i.started {
			err = i.adviser.stop(ctx)
		}
		if last {
			i.adviser.telemetry.Shutdown()
		}
	})
	return err
}
