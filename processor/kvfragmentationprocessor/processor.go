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
	derive.Processor
	id        component.ID
	cfg       *Config
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	running   *derive.Registry
	clock     derive.Clock
	steps     wall.Steps
	table     map[string]signal.Metric
	inputs    derive.Inputs
	workers   derive.Held[derive.WorkerID, worker]
	gpus      *devices
	models    book.Book
	snapshots *snapshots.Keeper
	level     derive.Level // of workers
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
	p := &kvFragmentation{
		id: set.ID, cfg: cfg, logger: set.Logger, telemetry: telemetry, running: running, clock: c,
		table:   signal.Index(signal.KVFragmentationMetrics()),
		inputs:  inputs(),
		workers: derive.Held[derive.WorkerID, worker]{Limit: cfg.MaxWorkers},
		gpus:    newDevices(gpusPerWorker * cfg.MaxWorkers),
		models:  models,
	}
	p.Processor = derive.NewProcessor(derive.Parts{
		Deriver: p, Next: next, Clock: c, Every: cfg.Window, Logger: set.Logger, Failed: telemetry.ProcessorKvFragmentationDerivedFailed,
		Telemetry: telemetry,
	})
	return p, nil
}

// Begin takes the ID and what was learnt before.
func (p *kvFragmentation) Begin(ctx context.Context, host component.Host) (err error) {
	if err := p.running.Acquire(p.id); err != nil {
		return err
	}
	if p.snapshots, err = p.openSnapshots(ctx, host); err != nil {
		p.running.Release(p.id)
	}
	return err
}

// End keeps what was learnt and gives the ID back.
func (p *kvFragmentation) End(ctx context.Context) error {
	p.snapshots.Save(ctx, p.clock.Now(), p.learnt())
	err := p.snapshots.Close(ctx)
	p.running.Release(p.id)
	return err
}

// Derive takes a batch.
func (p *kvFragmentation) Derive(ctx context.Context, md pmetric.Metrics) (derived pmetric.Metrics, ok bool) {
	derived = pmetric.NewMetrics()
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
	return derived, true
}

func (p *kvFragmentation) worker(ctx context.Context, id derive.WorkerID, rm pmetric.ResourceMetrics, now time.Time, derived pmetric.Metrics) {
	w := p.workers.Get(id, func() *worker {
		w := newWorker(p.cfg, p.table, p.inputs, &p.models, rm.Resource())
		p.snapshots.Load(ctx, id.Key(), w.restore)
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

// Sweep finishes the windows of silent workers and forgets the long silent.
func (p *kvFragmentation) Sweep(ctx context.Context, now time.Time, derived pmetric.Metrics) {
	p.workers.Each(func(w *worker) bool { return w.sweep(now, p.gpus, derived) })
	p.gpus.forget(now.Add(-p.cfg.MaxStale))
	p.level.To(ctx, p.telemetry.ProcessorKvFragmentationWorkers, int64(p.workers.Len()))
	p.snapshots.SaveDue(ctx, now, p.learnt())
}
