package kvfragmentationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/kvfragmentationprocessor"

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor"
	"go.uber.org/zap"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	book "github.com/otelcol-inference/otelcol-inference/internal/facts"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/snapshots"
	"github.com/otelcol-inference/otelcol-inference/internal/wall"
	"github.com/otelcol-inference/otelcol-inference/processor/kvfragmentationprocessor/internal/metadata"
)

type kvFragmentation struct {
	id        component.ID
	cfg       *Config
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	next      consumer.Metrics
	running   *derive.Registry
	clock     derive.Clock
	steps     wall.Steps
	table     map[string]signal.Metric
	inputs    derive.Inputs
	workers   derive.Held[workerID, worker]
	gpus      *devices
	models    book.Book
	snapshots *snapshots.Keeper
	saved     time.Time // the sweep and Shutdown alone use it

	sweeper derive.Sweeper
	counted int64 // workers last reported to telemetry; the sweep alone uses it
	refused derive.Change
}

// gpusPerWorker bounds the GPUs remembered, by max_workers.
const gpusPerWorker = 16

func newProcessor(set processor.Settings, cfg *Config, next consumer.Metrics, running *derive.Registry, c derive.Clock) (*kvFragmentation, error) {
	models, err := book.Load()
	if err != nil {
		return nil, err
	}
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	return &kvFragmentation{
		id: set.ID, cfg: cfg, logger: set.Logger, telemetry: telemetry, next: next, running: running, clock: c,
		table:   signal.Index(signal.KVFragmentationMetrics()),
		inputs:  inputs(),
		workers: derive.Held[workerID, worker]{Limit: cfg.MaxWorkers},
		gpus:    newDevices(gpusPerWorker * cfg.MaxWorkers),
		models:  models,
	}, nil
}

func (p *kvFragmentation) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: false}
}

// Start begins the sweep for silent workers.
func (p *kvFragmentation) Start(ctx context.Context, host component.Host) error {
	if err := p.running.Acquire(p.id); err != nil {
		return err
	}
	kept, err := p.openSnapshots(ctx, host)
	if err != nil {
		p.running.Release(p.id)
		return err
	}
	p.snapshots, p.saved = kept, p.clock.Now()
	p.sweeper.Start(ctx, p.clock, p.cfg.Window, p.sweep)
	return nil
}

// Shutdown ends the sweep and waits for it. It may be called without Start and more than once.
func (p *kvFragmentation) Shutdown(ctx context.Context) error {
	var err error
	if p.sweeper.Stop() {
		p.snapshots.Save(ctx, p.clock.Now(), p.workers.Snapshots(workerID.key, (*worker).snapshot))
		err = p.snapshots.Close(ctx)
		p.running.Release(p.id)
	}
	p.telemetry.Shutdown()
	return err
}

// ConsumeMetrics passes md on, then what was derived from it as a batch of its own. Only the first decides the outcome.
func (p *kvFragmentation) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	// Read before passing on: afterwards the data belongs to the next component.
	derived := p.derive(ctx, md)
	err := p.next.ConsumeMetrics(ctx, md)
	// Also when md was refused and will be offered again: its windows are closed now, and the second offer is late.
	p.send(ctx, derived)
	return err
}

func (p *kvFragmentation) derive(ctx context.Context, md pmetric.Metrics) pmetric.Metrics {
	derived := pmetric.NewMetrics()
	now := p.clock.Now()
	if p.steps.Passed(now) {
		p.workers.Each(func(w *worker) bool { return w.restart() })
	}
	for _, rm := range md.ResourceMetrics().All() {
		switch id, is := identify(rm.Resource()); is {
		case aWorker:
			p.worker(ctx, id, rm, now, derived)
		case aGPU:
			p.gpus.learn(derive.Text(rm.Resource().Attributes(), signal.AttrHWID), rm.ScopeMetrics(), now)
		case aFleet:
			p.duplicates(rm, derived)
		}
	}
	return derived
}

func (p *kvFragmentation) worker(ctx context.Context, id workerID, rm pmetric.ResourceMetrics, now time.Time, derived pmetric.Metrics) {
	w := p.workers.Get(id, func() *worker {
		w := newWorker(p.cfg, p.table, p.inputs, &p.models, rm.Resource())
		p.snapshots.Load(ctx, id.key(), w.restore)
		return w
	})
	if w == nil {
		p.telemetry.ProcessorKvFragmentationRejected.Add(ctx, 1)
		return
	}
	if late := w.consume(rm.ScopeMetrics(), now, p.gpus, derived); late > 0 {
		p.telemetry.ProcessorKvFragmentationLate.Add(ctx, int64(late))
	}
}

// duplicates gives the tokens that workers of a fleet hold twice in bytes.
func (p *kvFragmentation) duplicates(rm pmetric.ResourceMetrics, derived pmetric.Metrics) {
	a := rm.Resource().Attributes()
	model, fleet := derive.Text(a, signal.AttrModel), derive.Text(a, signal.AttrFleetName)
	var size float64
	for _, sm := range rm.ScopeMetrics().All() {
		for _, m := range sm.Metrics().All() {
			if m.Name() != signal.KVDuplicates {
				continue
			}
			if size == 0 {
				size = p.tokenSize(fleet, model)
			}
			for _, dp := range points(m).All() {
				if size <= 0 || dp.Flags().NoRecordedValue() {
					continue
				}
				b := derive.NewBuilder(p.table, metadata.ScopeName, rm.Resource(), 0, dp.Timestamp(), nil, derived)
				b.Gauge(signal.KVDuplicateMemory, size*derive.Number(dp))
			}
		}
	}
}

// tokenSize is what a token of a fleet takes: as configured, else as one of its workers knows it. 0 when that is not known.
func (p *kvFragmentation) tokenSize(fleet, model string) (bytes float64) {
	if bytes = p.cfg.model(model, fleet).KVBytesPerToken; bytes > 0 {
		return bytes
	}
	p.workers.Each(func(w *worker) (forget bool) {
		if bytes <= 0 {
			bytes = w.fleetSize(fleet, model)
		}
		return false
	})
	return bytes
}

// send passes derived metrics on. Their failure is counted and never fails the input.
func (p *kvFragmentation) send(ctx context.Context, derived pmetric.Metrics) {
	if derived.ResourceMetrics().Len() == 0 {
		return
	}
	err := p.next.ConsumeMetrics(ctx, derived)
	if err != nil {
		p.telemetry.ProcessorKvFragmentationDerivedFailed.Add(ctx, 1)
	}
	if p.refused.To(err != nil) {
		if err != nil {
			p.logger.Warn("derived metrics are refused downstream", zap.Error(err))
		} else {
			p.logger.Info("derived metrics are accepted again")
		}
	}
}

// sweep finishes the windows of silent workers and forgets the long silent.
func (p *kvFragmentation) sweep(ctx context.Context) {
	derived := pmetric.NewMetrics()
	now := p.clock.Now()
	p.workers.Each(func(w *worker) bool { return w.sweep(now, p.gpus, derived) })
	p.gpus.forget(now.Add(-p.cfg.MaxStale))
	n := int64(p.workers.Len())
	p.telemetry.ProcessorKvFragmentationWorkers.Add(ctx, n-p.counted)
	p.counted = n
	if now.Sub(p.saved) >= p.cfg.SnapshotInterval {
		p.saved = now
		p.snapshots.Save(ctx, now, p.workers.Snapshots(workerID.key, (*worker).snapshot))
	}
	p.send(ctx, derived)
}
