package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor"
	"go.uber.org/zap"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/facts"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/snapshots"
	"github.com/otelcol-inference/otelcol-inference/internal/wall"
	"github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor/internal/metadata"
)

type phaseAttribution struct {
	derive.Processor
	id        component.ID
	cfg       *Config
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	registry  *registry
	clock     derive.Clock
	steps     wall.Steps
	table     map[string]signal.Metric // what it emits
	inputs    derive.Inputs
	book      facts.Book
	workers   derive.Held[derive.WorkerID, worker]
	births    sync.Mutex // held while a worker is made; taken before any other lock
	joins     *joins
	board     *board // set by Begin; shared with the traces pipelines of the same ID
	snapshots *snapshots.Keeper
	level     derive.Level // of workers
}

// maxGPUsPerWorker bounds the GPUs remembered, by max_workers.
const maxGPUsPerWorker = 16

func newProcessor(set processor.Settings, cfg *Config, next consumer.Metrics, r *registry, c derive.Clock) (*phaseAttribution, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	builtIn, err := facts.Load()
	if err != nil {
		return nil, err
	}
	p := &phaseAttribution{
		id: set.ID, cfg: cfg, logger: set.Logger, telemetry: telemetry, registry: r, clock: c,
		table: signal.Index(signal.PhaseMetrics()), inputs: inputs(), book: cfg.Facts.Over(builtIn),
		workers: derive.Held[derive.WorkerID, worker]{Limit: cfg.MaxWorkers},
		joins:   newJoins(cfg.GPUs, maxGPUsPerWorker*cfg.MaxWorkers),
		board:   newBoard(),
	}
	p.Processor = derive.NewProcessor(derive.Parts{
		Deriver: p, Next: next, Clock: c, Every: cfg.Window, Logger: set.Logger, Failed: telemetry.ProcessorPhaseAttributionDerivedFailed,
		Telemetry: telemetry,
	})
	return p, nil
}

// Begin takes the ID and what was learnt before.
func (p *phaseAttribution) Begin(ctx context.Context, host component.Host) error {
	board, err := p.registry.acquireMetrics(p.id)
	if err != nil {
		return err
	}
	if p.snapshots, err = p.openSnapshots(ctx, host); err != nil {
		p.registry.releaseMetrics(p.id)
		return err
	}
	p.board = board
	if rules := unspread(p.cfg.Deployments); len(rules) > 0 {
		p.logger.Info("rules of deployments name gpu and not tensor_parallel: where neither the engine nor a join with GPUs tells it, steps are "+
			"estimated from their counts alone", zap.Ints("rules", rules))
	}
	return nil
}

// End keeps what was learnt and gives the ID back.
func (p *phaseAttribution) End(ctx context.Context) error {
	p.snapshots.Save(ctx, p.clock.Now(), p.learnt())
	err := p.snapshots.Close(ctx)
	p.workers.Each(func(w *worker) bool {
		p.board.remove(w.posting)
		return true
	})
	p.registry.releaseMetrics(p.id)
	return err
}

// Derive takes a batch. ok is false when there is nothing in it for this processor, which then costs no allocation.
func (p *phaseAttribution) Derive(ctx context.Context, md pmetric.Metrics) (derived pmetric.Metrics, ok bool) {
	var now time.Time
	var parents []seen
	for _, rm := range md.ResourceMetrics().All() {
		late := 0
		id, is := identify(rm.Resource())
		if is != foreign && !ok {
			derived, now, ok = pmetric.NewMetrics(), p.clock.Now(), true
			if p.steps.Passed(now) {
				p.joins.restart()
			}
		}
		switch is {
		case aWorker:
			late = p.worker(ctx, id, rm, now, derived)
		case aGPU:
			d := p.joins.see(rm.Resource(), readUsers(rm.ScopeMetrics()))
			if len(d.parts) > 0 {
				parents = append(parents, seen{d, rm})
				continue
			}
			late = p.gpu(&d, rm, now, derived)
		}
		p.late(ctx, late)
	}
	// How active its MIG devices were divides the energy of a GPU: they come first.
	for _, s := range parents {
		p.late(ctx, p.gpu(&s.device, s.metrics, now, derived))
	}
	return derived, ok
}

// seen is a GPU in a batch.
type seen struct {
	device  device
	metrics pmetric.ResourceMetrics
}

func (p *phaseAttribution) late(ctx context.Context, points int) {
	if points > 0 {
		p.telemetry.ProcessorPhaseAttributionLate.Add(ctx, int64(points))
	}
}

// gpu takes a GPU's metrics, for one worker as they are or for several in parts, and returns how many points were refused for their
// time.
func (p *phaseAttribution) gpu(d *device, rm pmetric.ResourceMetrics, now time.Time, derived pmetric.Metrics) (late int) {
	if d.g == nil {
		return 0
	}
	gap := int64(longestGap(p.cfg))
	if len(d.parts) > 0 || len(d.users) > 1 || len(d.users) == 1 && d.g.divider.wasDivided() {
		return d.g.divider.feed(d, rm.ScopeMetrics(), now, gap, derived)
	}
	d.g.divider.follow(rm.ScopeMetrics(), now, gap)
	for _, w := range d.users {
		late += w.consumeGPU(d.g.id, rm.ScopeMetrics(), now, derived)
	}
	return late
}

// worker takes a worker's metrics and returns how many points were refused for their time.
func (p *phaseAttribution) worker(ctx context.Context, id derive.WorkerID, rm pmetric.ResourceMetrics, now time.Time, derived pmetric.Metrics) int {
	w := p.find(ctx, id, rm.Resource(), now, derived)
	if w == nil {
		return 0
	}
	late, place := w.consume(rm.ScopeMetrics(), now, derived)
	p.joins.inform(w, place)
	return late
}

// hooks count and log what a worker tells of itself.
func (p *phaseAttribution) hooks(ctx context.Context, id derive.WorkerID) hooks {
	ctx = context.WithoutCancel(ctx)
	return hooks{
		forgot: func(why string) {
			p.telemetry.ProcessorPhaseAttributionFitReset.Add(ctx, 1)
			p.logger.Info("the cost of steps is learnt anew", zap.String("changed", why), zap.String("model", id.Model),
				zap.String("instance", id.Instance))
		},
		doubted: func() { p.telemetry.ProcessorPhaseAttributionDoubted.Add(ctx, 1) },
	}
}

// Sweep finishes the windows of silent workers and forgets the long silent.
func (p *phaseAttribution) Sweep(ctx context.Context, now time.Time, derived pmetric.Metrics) {
	p.workers.Each(func(w *worker) bool {
		forget := w.sweep(now, derived)
		if forget {
			p.joins.remove(w)
			p.board.remove(w.posting)
		}
		return forget
	})
	p.level.To(ctx, p.telemetry.ProcessorPhaseAttributionWorkers, int64(p.workers.Len()))
	p.snapshots.SaveDue(ctx, now, p.learnt())
}
