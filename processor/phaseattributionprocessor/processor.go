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
	id        component.ID
	cfg       *Config
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	next      consumer.Metrics
	registry  *registry
	clock     derive.Clock
	steps     wall.Steps
	table     map[string]signal.Metric // what it emits
	inputs    derive.Inputs
	book      facts.Book
	workers   derive.Held[workerID, worker]
	births    sync.Mutex // held while a worker is made; taken before any other lock
	joins     *joins
	board     *board // set by Start; shared with the traces pipelines of the same ID
	snapshots *snapshots.Keeper
	saved     time.Time // the sweep and Shutdown alone use it

	sweeper derive.Sweeper
	counted int64 // workers last reported to telemetry; the sweep alone uses it
	refused derive.Change
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
	return &phaseAttribution{
		id: set.ID, cfg: cfg, logger: set.Logger, telemetry: telemetry, next: next, registry: r, clock: c,
		table: signal.Index(signal.PhaseMetrics()), inputs: inputs(), book: cfg.Facts.Over(builtIn),
		workers: derive.Held[workerID, worker]{Limit: cfg.MaxWorkers},
		joins:   newJoins(cfg.GPUs, maxGPUsPerWorker*cfg.MaxWorkers),
		board:   newBoard(),
	}, nil
}

func (p *phaseAttribution) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: false}
}

// Start begins the sweep for silent workers.
func (p *phaseAttribution) Start(ctx context.Context, host component.Host) error {
	board, err := p.registry.acquireMetrics(p.id)
	if err != nil {
		return err
	}
	kept, err := p.openSnapshots(ctx, host)
	if err != nil {
		p.registry.releaseMetrics(p.id)
		return err
	}
	p.board, p.snapshots, p.saved = board, kept, p.clock.Now()
	p.sweeper.Start(ctx, p.clock, p.cfg.Window, p.sweep)
	return nil
}

// Shutdown ends the sweep and waits for it. It may be called without Start and more than once.
func (p *phaseAttribution) Shutdown(ctx context.Context) error {
	var err error
	if p.sweeper.Stop() {
		p.snapshots.Save(ctx, p.clock.Now(), p.workers.Snapshots(workerID.key, (*worker).snapshot))
		err = p.snapshots.Close(ctx)
		p.workers.Each(func(w *worker) bool {
			p.board.remove(w.posting)
			return true
		})
		p.registry.releaseMetrics(p.id)
	}
	p.telemetry.Shutdown()
	return err
}

// ConsumeMetrics passes md on, then what was derived from it as a batch of its own. Only the first decides the outcome.
func (p *phaseAttribution) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	// Read before passing on: afterwards the data belongs to the next component.
	derived, ok := p.derive(ctx, md)
	err := p.next.ConsumeMetrics(ctx, md)
	if ok {
		// Also when md was refused and will be offered again: its windows are closed now, and the second offer is late.
		p.send(ctx, derived)
	}
	return err
}

// derive takes a batch. ok is false when there is nothing in it for this processor, which then costs no allocation.
func (p *phaseAttribution) derive(ctx context.Context, md pmetric.Metrics) (derived pmetric.Metrics, ok bool) {
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
func (p *phaseAttribution) worker(ctx context.Context, id workerID, rm pmetric.ResourceMetrics, now time.Time, derived pmetric.Metrics) int {
	w := p.find(ctx, id, rm.Resource(), now, derived)
	if w == nil {
		return 0
	}
	late, place := w.consume(rm.ScopeMetrics(), now, derived)
	p.joins.inform(w, place)
	return late
}

// hooks count and log what a worker tells of itself.
func (p *phaseAttribution) hooks(ctx context.Context, id workerID) hooks {
	ctx = context.WithoutCancel(ctx)
	return hooks{
		forgot: func(why string) {
			p.telemetry.ProcessorPhaseAttributionFitReset.Add(ctx, 1)
			p.logger.Info("the cost of steps is learnt anew", zap.String("changed", why), zap.String("model", id.model),
				zap.String("instance", id.instance))
		},
		doubted: func() { p.telemetry.ProcessorPhaseAttributionDoubted.Add(ctx, 1) },
	}
}

// send passes derived metrics on. Their failure is counted and never fails the input.
func (p *phaseAttribution) send(ctx context.Context, derived pmetric.Metrics) {
	if derived.ResourceMetrics().Len() == 0 {
		return
	}
	err := p.next.ConsumeMetrics(ctx, derived)
	if err != nil {
		p.telemetry.ProcessorPhaseAttributionDerivedFailed.Add(ctx, 1)
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
func (p *phaseAttribution) sweep(ctx context.Context) {
	derived := pmetric.NewMetrics()
	now := p.clock.Now()
	p.workers.Each(func(w *worker) bool {
		forget := w.sweep(now, derived)
		if forget {
			p.joins.remove(w)
			p.board.remove(w.posting)
		}
		return forget
	})
	n := int64(p.workers.Len())
	p.telemetry.ProcessorPhaseAttributionWorkers.Add(ctx, n-p.counted)
	p.counted = n
	if now.Sub(p.saved) >= p.cfg.SnapshotInterval {
		p.saved = now
		p.snapshots.Save(ctx, now, p.workers.Snapshots(workerID.key, (*worker).snapshot))
	}
	p.send(ctx, derived)
}
