package adviceconnector // import "github.com/otelcol-inference/otelcol-inference/connector/adviceconnector"

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-inference/otelcol-inference/connector/adviceconnector/internal/metadata"
	"github.com/otelcol-inference/otelcol-inference/internal/advice"
	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/wall"
)

// saveEvery is how often the state is kept although nothing changed in it but how long conditions hold.
const saveEvery = time.Minute

// adviser is what the instances of one connector share.
type adviser struct {
	cfg        *Config
	logger     *zap.Logger
	telemetry  *metadata.TelemetryBuilder
	clock      derive.Clock
	steps      wall.Steps
	id         component.ID
	references int       // guarded by the registry
	feeder     *instance // that hands data on; set before any instance is started
	logs       consumer.Logs
	metrics    consumer.Metrics
	storage    *keeper
	sweeper    derive.Sweeper
	saved      time.Time // the sweep alone uses it

	// mu is held from reading a batch until what came of it was told, so that events are told in the order in which they happened.
	mu      sync.Mutex
	advisor *advice.Advisor
	reader  reader
	failing bool
}

func newAdviser(set connector.Settings, cfg *Config, c derive.Clock) (*adviser, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	a := &adviser{cfg: cfg, logger: set.Logger, telemetry: telemetry, clock: c, id: set.ID, advisor: cfg.advisor()}
	a.reader.advisor = a.advisor
	return a, nil
}

// start restores what was kept and begins the sweep for silent subjects.
func (a *adviser) start(ctx context.Context, host component.Host) error {
	var err error
	if a.storage, err = openKeeper(ctx, host, a.cfg.Storage, a.id); err != nil {
		return err
	}
	a.restore(ctx)
	a.saved = a.clock.Now()
	a.sweeper.Start(ctx, a.clock, a.cfg.Window, a.tick)
	return nil
}

// tick sweeps, and keeps the state when it changed. What happened since the last time may be told once more after a crash: at most what a window
// brought.
func (a *adviser) tick(ctx context.Context) {
	changed := a.sweep(ctx)
	if now := a.clock.Now(); changed || now.Sub(a.saved) >= saveEvery {
		a.save(ctx)
		a.saved = now
	}
}

// stop ends the sweep, waits for it and keeps the state.
func (a *adviser) stop(ctx context.Context) error {
	if !a.sweeper.Stop() {
		return nil
	}
	a.save(ctx)
	return a.storage.close(ctx)
}

// restore takes what was kept. What cannot be read is dropped with one line: advice is then raised anew.
func (a *adviser) restore(ctx context.Context) {
	data, err := a.storage.load(ctx)
	if err == nil && len(data) > 0 {
		a.mu.Lock()
		err = a.advisor.Restore(data, a.clock.Now())
		a.mu.Unlock()
	}
	if err != nil {
		a.logger.Warn("Standing advice of before the restart is not known", zap.Error(err))
	}
}

func (a *adviser) save(ctx context.Context) {
	if a.storage == nil {
		return
	}
	a.mu.Lock()
	data, err := a.advisor.Snapshot()
	a.mu.Unlock()
	if err == nil {
		err = a.storage.save(ctx, data)
	}
	if a.storage.failing.Swap(err != nil) != (err != nil) {
		if err != nil {
			a.logger.Warn("Standing advice cannot be kept over a restart", zap.Error(err))
		} else {
			a.logger.Info("Standing advice is kept again")
		}
	}
}

// consume takes a batch and tells what comes of it.
func (a *adviser) consume(ctx context.Context, md pmetric.Metrics) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.clock.Now()
	if a.steps.Passed(now) {
		a.restart(now)
	}
	refused := a.reader.read(md, now)
	if refused > 0 {
		a.telemetry.ConnectorAdviceRefused.Add(ctx, int64(refused))
	}
	a.tell(ctx, a.advisor.Judge())
}

// sweep tells of silent subjects, and reports whether what outlives a restart changed since the last sweep.
func (a *adviser) sweep(ctx context.Context) (changed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tell(ctx, a.advisor.Sweep(a.clock.Now()))
	a.telemetry.ConnectorAdviceSubjects.Record(ctx, int64(a.advisor.Subjects()))
	for is, windows := range a.advisor.Withheld() {
		a.telemetry.ConnectorAdviceWithheld.Add(ctx, windows, metric.WithAttributes(attribute.String("rule", is.Rule), attribute.String("reason", is.Reason)))
	}
	return a.advisor.Changed()
}

// tell sends a report to the pipelines there are. The caller holds the lock.
func (a *adviser) tell(ctx context.Context, r advice.Report) {
	var errs error
	if len(r.Events) > 0 {
		for _, e := range r.Events {
			a.telemetry.ConnectorAdviceEvents.Add(ctx, 1, metric.WithAttributes(attribute.String("event", string(e.Name))))
		}
		if a.logs != nil {
			errs = errors.Join(errs, a.count(ctx, a.logs.ConsumeLogs(ctx, logsOf(r.Events, a.clock.Now()))))
		}
	}
	if len(r.Gauges) > 0 && a.metrics != nil {
		errs = errors.Join(errs, a.count(ctx, a.metrics.ConsumeMetrics(ctx, metricsOf(r.Gauges))))
	}
	if len(r.Events) == 0 && len(r.Gauges) == 0 || a.failing == (errs != nil) {
		return
	}
	if a.failing = errs != nil; a.failing {
		a.logger.Warn("Advice is refused downstream", zap.Error(errs))
	} else {
		a.logger.Info("Advice is accepted again")
	}
}

func (a *adviser) count(ctx context.Context, err error) error {
	if err != nil {
		a.telemetry.ConnectorAdviceFailed.Add(ctx, 1)
	}
	return err
}
