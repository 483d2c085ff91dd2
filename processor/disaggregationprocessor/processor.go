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
	"github.com/otelcol-inference/otelcol-inference/internal/wall"
	"github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor/internal/metadata"
)

type disaggregation struct {
	id        component.ID
	cfg       *Config
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	next      consumer.Metrics
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

	sweeper         derive.Sweeper
	fleetsCounted   int64 // last reported to telemetry; the sweep alone uses them
	workersCounted  int64
	downstreamFails derive.Change
}

func newProcessor(set processor.Settings, cfg *Config, next consumer.Metrics, r *derive.Registry, c derive.Clock) (*disaggregation, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	return &disaggregation{
		id: set.ID, cfg: cfg, logger: set.Logger, telemetry: telemetry, next: next, registry: r, clock: c,
		table:  signal.Index(signal.DisaggregationMetrics()),
		inputs: workerInputs(),
		nixl:   agentInputs(),
		writer: writerOf(set),
		fleets: fleets{limit: cfg.MaxFleets, workerLimit: int64(cfg.MaxWorkers), byName: map[string]*fleet{}, places: map[place]string{}},
		agents: derive.Held[agentID, agent]{Limit: cfg.MaxAgents},
		hosts:  hosts{limit: cfg.MaxWorkers, rates: map[string]float64{}},
	}, nil
}

// writerOf names this processor among all that might write a fleet's series.
func writerOf(set processor.Settings) string {
	if v, ok := set.Resource.Attributes().Get(signal.AttrServiceInstanceID); ok {
		return v.Str() + "/" + set.ID.String()
	}
	return set.ID.String()
}

func (p *disaggregation) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: false}
}

// Start begins the sweep for silent fleets.
func (p *disaggregation) Start(ctx context.Context, _ component.Host) error {
	if err := p.registry.Acquire(p.id); err != nil {
		return err
	}
	p.sweeper.Start(ctx, p.clock, p.cfg.Window, p.sweep)
	return nil
}

// Shutdown ends the sweep and waits for it. It may be called without Start and more than once.
func (p *disaggregation) Shutdown(context.Context) error {
	if p.sweeper.Stop() {
		p.registry.Release(p.id)
	}
	p.telemetry.Shutdown()
	return nil
}

// ConsumeMetrics passes md on, then what was derived from it as a batch of its own. Only the first decides the outcome.
func (p *disaggregation) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	// Read before passing on: afterwards the data belongs to the next component.
	derived := p.derive(ctx, md)
	err := p.next.ConsumeMetrics(ctx, md)
	p.send(ctx, derived)
	return err
}

func (p *disaggregation) derive(ctx context.Context, md pmetric.Metrics) pmetric.Metrics {
	derived := pmetric.NewMetrics()
	now := p.clock.Now()
	if p.steps.Passed(now) {
		p.fleets.restart(now, derived)
		p.agents.Clear()
	}
	for _, rm := range md.ResourceMetrics().All() {
		late, known := 0, true
		switch id, is := identify(rm.Resource()); is {
		case aWorker:
			late, known = p.worker(id, rm, now, derived)
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
	return derived
}

func (p *disaggregation) worker(id identity, rm pmetric.ResourceMetrics, now time.Time, derived pmetric.Metrics) (late int, known bool) {
	admit := func() bool {
		ok := p.fleets.admit()
		if ok {
			p.fleets.locate(place{id.host, id.port}, id.fleet)
		}
		return ok
	}
	for range 2 {
		f := p.fleets.get(id.fleet, func() *fleet { return newFleet(id.fleet, p.writer, p.cfg, p.table, p.inputs, id.model, p.hosts.rate) })
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
	return a.consume(rm, now, p.hosts.rate(id.host), p.fleets.at, p.table, derived), true
}

// host takes the rates of a host's links, and what an agent says of the size of a fleet.
func (p *disaggregation) host(id identity, rm pmetric.ResourceMetrics) {
	for _, sm := range rm.ScopeMetrics().All() {
		for _, m := range sm.Metrics().All() {
			switch m.Name() {
			case signal.NIXLLinkLimit:
				p.hosts.take(id.host, m)
			case signal.FleetExpected:
				p.fleets.tell(id.fleet, m)
			}
		}
	}
}

// send passes derived metrics on. Their failure is counted and never fails the input.
func (p *disaggregation) send(ctx context.Context, derived pmetric.Metrics) {
	if derived.ResourceMetrics().Len() == 0 {
		return
	}
	err := p.next.ConsumeMetrics(ctx, derived)
	if err != nil {
		p.telemetry.ProcessorDisaggregationDerivedFailed.Add(ctx, 1)
	}
	if p.downstreamFails.To(err != nil) {
		if err != nil {
			p.logger.Warn("derived metrics are refused downstream", zap.Error(err))
		} else {
			p.logger.Info("derived metrics are accepted again")
		}
	}
}

// sweep finishes the windows of what fell silent and forgets what did long ago.
func (p *disaggregation) sweep(ctx context.Context) {
	derived := pmetric.NewMetrics()
	now := p.clock.Now()
	fleets, workers := p.fleets.sweep(now, derived)
	p.agents.Each(func(a *agent) bool { return a.sweep(now, p.table, derived) })
	p.telemetry.ProcessorDisaggregationFleets.Add(ctx, fleets-p.fleetsCounted)
	p.telemetry.ProcessorDisaggregationWorkers.Add(ctx, workers-p.workersCounted)
	p.fleetsCounted, p.workersCounted = fleets, workers
	p.send(ctx, derived)
}
