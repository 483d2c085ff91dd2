package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
	"github.com/otelcol-inference/otelcol-inference/internal/exposition"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/engine"
	"github.com/otelcol-inference/otelcol-inference/internal/objectives"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"
)

// fleetPlay is a simulated fleet whose workers are scraped into the disaggregation processor, in simulated time.
type fleetPlay struct {
	fleet    *fleetsim.Fleet
	interval time.Duration
	duration time.Duration
	seed     uint64
	change   func(*disaggregationprocessor.Config) // of the processor's configuration; nil for none
	// each, when set, sees what the fleet's resource said after every scrape.
	each func(now time.Duration, said fleetReadings)

	reading sync.Mutex // the processor also sends by its own clock, on a machine so slow that a fleet seems silent
}

// fleetReadings holds the newest value of each point on the fleet's own resource, by metric and the values of its attributes.
type fleetReadings map[string]float64

func (r fleetReadings) of(metric string, values ...string) (float64, bool) {
	v, ok := r[key(metric, values...)]
	return v, ok
}

// which is the value of the attribute of the metric's point that is there, for metrics that are 1 for one of several.
func (r fleetReadings) which(metric string) string {
	for k := range r {
		if rest, ok := strings.CutPrefix(k, metric+"|"); ok {
			return rest
		}
	}
	return ""
}

// fleetAttributes are those that tell points apart here, in order.
func fleetAttributes() []string {
	return []string{
		signal.AttrTopology, signal.AttrRole, signal.AttrQuantile, signal.AttrBound, signal.AttrFactor, signal.AttrPhase, signal.AttrGate,
		signal.AttrGateWhy, signal.AttrAmplifier, signal.AttrTransport, signal.AttrEstimate, signal.AttrReason,
	}
}

func (r fleetReadings) take(md pmetric.Metrics) {
	for _, rm := range md.ResourceMetrics().All() {
		if _, worker := rm.Resource().Attributes().Get(signal.AttrEngineName); worker {
			continue
		}
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				r.metric(m)
			}
		}
	}
}

func (r fleetReadings) metric(m pmetric.Metric) {
	points := pmetric.NewNumberDataPointSlice()
	switch m.Type() {
	case pmetric.MetricTypeSum:
		points = m.Sum().DataPoints()
	case pmetric.MetricTypeGauge:
		points = m.Gauge().DataPoints()
	}
	for _, dp := range points.All() {
		var values []string
		for _, name := range fleetAttributes() {
			if v, ok := dp.Attributes().Get(name); ok {
				values = append(values, v.Str())
			}
		}
		k := key(m.Name(), values...)
		if dp.Flags().NoRecordedValue() {
			delete(r, k)
			continue
		}
		if r[k] = dp.DoubleValue(); dp.ValueType().String() == "Int" {
			r[k] = float64(dp.IntValue())
		}
	}
}

// play runs it and returns the last readings.
func (p *fleetPlay) play() (fleetReadings, error) {
	said := fleetReadings{}
	pipeline, stop, err := p.pipeline(said)
	if err != nil {
		return nil, err
	}
	defer stop()
	dialects, err := dialect.Load()
	if err != nil {
		return nil, err
	}
	books := make([]*exposition.Book, p.fleet.Workers())
	for i := range books {
		books[i] = exposition.NewBook(exposition.Settings{
			Dialects: dialects, Scope: "accuracy", MaxSeries: 20_000,
			Identity: exposition.Identity{
				Address: fmt.Sprintf("worker-%d", i), Port: 8000, Fleet: "fleet", Role: string(p.fleet.Pool(i).Role), Host: fmt.Sprintf("worker-%d", i),
			},
		})
	}
	random := rand.New(rand.NewPCG(p.seed, 44))
	epoch := p.fleet.Config().StartTime
	var page bytes.Buffer
	for at := p.interval; at <= p.duration; at += p.interval {
		// Scrapes of the workers are spread over the interval, in the same order each time, with a jitter.
		for i, book := range books {
			now := at + time.Duration((float64(i)/float64(len(books))+0.02*random.Float64())*float64(p.interval))
			if err := p.fleet.Advance(now); err != nil {
				return nil, err
			}
			page.Reset()
			if err := p.fleet.WriteMetrics(i, &page); err != nil {
				return nil, err
			}
			page.Grow(1) // the decoder writes behind the end
			md, _, err := book.Scrape(page.Bytes(), false, epoch.Add(now), engine.VLLMVersion)
			if err != nil {
				return nil, err
			}
			if err := pipeline.ConsumeMetrics(context.Background(), md); err != nil {
				return nil, err
			}
		}
		if p.each != nil {
			p.reading.Lock()
			p.each(at, said)
			p.reading.Unlock()
		}
	}
	p.reading.Lock()
	defer p.reading.Unlock()
	return maps.Clone(said), nil
}

// pipeline starts a disaggregation processor that writes into said.
func (p *fleetPlay) pipeline(said fleetReadings) (consumer.Metrics, func(), error) {
	sink, err := consumer.NewMetrics(func(_ context.Context, md pmetric.Metrics) error {
		p.reading.Lock()
		defer p.reading.Unlock()
		said.take(md)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	factory := disaggregationprocessor.NewFactory()
	cfg := factory.CreateDefaultConfig().(*disaggregationprocessor.Config)
	cfg.Window, cfg.AllowedLateness = p.interval, p.interval
	sim := p.fleet.Config()
	cfg.MaxNumBatchedTokens, cfg.MaxNumSeqs = sim.Pools[0].MaxBatchedTokens, sim.Pools[len(sim.Pools)-1].MaxNumSeqs
	cfg.Objectives = objectives.Config{{TTFT: objectives.Bound{Max: sim.Objectives.TTFT}, ITL: objectives.Bound{Max: sim.Objectives.ITL}}}
	if p.change != nil {
		p.change(cfg)
	}
	d, err := factory.CreateMetrics(context.Background(), processortest.NewNopSettings(factory.Type()), cfg, sink)
	if err != nil {
		return nil, nil, err
	}
	if err := d.Start(context.Background(), componenttest.NewNopHost()); err != nil {
		return nil, nil, err
	}
	return d, func() { _ = d.Shutdown(context.Background()) }, nil
}
