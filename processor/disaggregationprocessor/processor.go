package disaggregationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor"
	"go.uber.org/zap"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/snapshots"
	"github.com/otelcol-inference/otelcol-inference/internal/wall"
	"github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor/internal/metadata"
)

type disaggregation struct {
	derive.Processor
	id        component.ID
	cfg       *Config
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	registry  *derive.Registry
	clock     derive.Clock
	steps     wall.Steps
	table     map[string]signal.Metric
	inputs    derive.Inputs // of workers
	nixl      derive.Inputs // of agents
	writer    string        // of fleets' series: the collector and this component of it
	fleets    fleets
	agents    derive.Held[agentID, agent]
	hosts     hosts
	snapshots *snapshots.Keeper

	levels struct{ fleets, workers derive.Level }
}

func newProcessor(set processor.Settings, cfg *Config, next consumer.Metrics, r *derive.Registry, c derive.Clock) (*disaggregation, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	p := &disaggregation{
		id: set.ID, cfg: cfg, logger: set.Logger, telemetry: telemetry, registry: r, clock: c,
		table:  signal.Index(signal.DisaggregationMetrics()),
		inputs: workerInputs(),
		nixl:   agentInputs(),
		writer: writerOf(set),
		fleets: fleets{limit: cfg.MaxFleets, workerLimit: int64(cfg.MaxWorkers), byName: map[string]*fleet{}, places: map[place]string{}},
		agents: derive.Held[agentID, agent]{Limit: cfg.MaxAgents},
		hosts:  hosts{limit: cfg.MaxWorkers, rates: map[string]float64{}},
	}
	p.Processor = derive.NewProcessor(derive.Parts{
		Deriver: p, Next: next, Clock: c, Every: cfg.Window, Logger: set.Logger, Failed: telemetry.ProcessorDisaggregationDerivedFailed,
		Telemetry: telemetry,
	})
	return p, nil
}

// writerOf names this processor among all that might write a fleet's series.
func writerOf(set processor.Settings) string {
	if v, ok := set.Resource.Attributes().Get(signal.AttrServiceInstanceID); ok {
		return v.Str() + "/" + set.ID.String()
	}
	return set.ID.String()
}

// Begin takes the ID and what was learnt before.
func (p *disaggregation) Begin(ctx context.Context, host component.Host) (err error) {
	if err := p.registry.Acquire(p.id); err != nil {
		return err
	}
	if p.snapshots, err = p.openSnapshots(ctx, host); err != nil {
		p.registry.Release(p.id)
	}
	return err
}

// End keeps what was learnt and gives the ID back.
func (p *disaggregation) End(ctx context.Context) error {
	p.snapshots.Save(ctx, p.clock.Now(), p.fleets.learnt())
	err := p.snapshots.Close(ctx)
	p.registry.Release(p.id)
	return err
}

// Derive takes a batch.
func (p *disaggregation) Derive(ctx context.Context, md pmetric.Metrics) (derived pmetric.Metrics, ok bool) {
	derived = pmetric.NewMetrics()
	now := p.clock.Now()
	if p.steps.Passed(now) {
		p.fleets.restart(now, derived)
		p.agents.Clear()
	}
	for _, rm := range md.ResourceMetrics().All() {
		late, known := 0, true
		switch id, is := identify(rm.Resource()); is {
		case aWorker:
			late, known = p.worker(ctx, id, rm, now, derived)
		case anAgent:
			late, known = p.agent(id, rm, now, derived)
		case aHost:
			p.host(id, rm)
		}
		if late > 0 {
			p.telemetry.ProcessorDisaggregationLate.Add(ctx, int64(late))
		}
		if !known {
			p.telemetry.ProcessorDisaggregationRejected.Add(ctx, 1)
		}
	}
	return derived, true
}

func (p *disaggregation) worker(ctx context.Context, id identity, rm pmetric.ResourceMetrics, now time.Time, derived pmetric.Metrics) (late int, known bool) {
	admit := func() bool {
		ok := p.fleets.admit()
		if ok {
			p.fleets.locate(place{id.Host, id.port}, id.fleet)
		}
		return ok
	}
	for range 2 {
		f := p.fleets.get(id.fleet, func() *fleet {
			f := newFleet(id.fleet, p.writer, p.cfg, p.table, p.inputs, id.Model, p.hosts.rate)
			f.logger = p.logger
			p.snapshots.Load(ctx, snapshots.Key(id.fleet), f.restore)
			return f
		})
		if f == nil {
			return 0, false
		}
		late, is := f.consume(id, rm, now, admit, derived)
		if is != forgotten {
			return late, is == taken
		}
	}
	return 0, false
}

func (p *disaggregation) agent(id identity, rm pmetric.ResourceMetrics, now time.Time, derived pmetric.Metrics) (late int, known bool) {
	a := p.agents.Get(id.agentID(), func() *agent { return newAgent(p.cfg, p.nixl, id, rm.Resource()) })
	if a == nil {
		return 0, false
	}
	return a.consume(rm, now, p.hosts.rate(id.Host), p.fleets.at, p.table, derived), true
}

// host takes the rates of a host's links, and what an agent says of the size of a fleet.
func (p *disaggregation) host(id identity, rm pmetric.ResourceMetrics) {
	for _, sm := range rm.ScopeMetrics().All() {
		for _, m := range sm.Metrics().All() {
			switch m.Name() {
			case signal.NIXLLinkLimit:
				p.hosts.take(id.Host, m)
			case signal.FleetExpected:
				p.fleets.tell(id.fleet, m)
			}
		}
	}
}

// Sweep finishes the windows of what fell silent and forgets what did long ago.
func (p *disaggregation) Sweep(ctx context.Context, now time.Time, derived pmetric.Metrics) {
	fleets, workers := p.fleets.sweep(now, derived)
	p.agents.Each(func(a *agent) bool { return a.sweep(now, p.table, derived) })
	p.levels.fleets.To(ctx, p.telemetry.ProcessorDisaggregationFleets, fleets)
	p.levels.workers.To(ctx, p.telemetry.ProcessorDisaggregationWorkers, workers)
	p.snapshots.SaveDue(ctx, now, p.fleets.learnt())
}
