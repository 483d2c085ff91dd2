package main

import (
	"context"
	"maps"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver"
)

// reading is a running receiver and the last that it told.
type reading struct {
	receiver receiver.Metrics
	mu       sync.Mutex
	last     points
	seen     map[sighting]int
}

// sighting is what a point of nixl.transport.info says.
type sighting struct{ transport, evidence string }

func startReceiver(dir, log, mode string, store bool) (*reading, error) {
	factory := nixlreceiver.NewFactory()
	cfg := factory.CreateDefaultConfig()
	rings, stores := []any{dir}, []any{}
	if store {
		rings, stores = stores, rings
	}
	err := confmap.NewFromStringMap(map[string]any{
		"sources": map[string]any{
			"buffer":    map[string]any{"directories": rings, "mode": mode, "takeover_after": "1s"},
			"multiproc": map[string]any{"directories": stores},
		},
		"collection_interval": "200ms", "rescan_interval": "1s", "engine_logs": []any{log},
	}).Unmarshal(cfg)
	if err != nil {
		return nil, err
	}
	if err := confmap.Validate(cfg); err != nil {
		return nil, err
	}
	r := &reading{seen: make(map[sighting]int)}
	next, err := consumer.NewMetrics(r.take)
	if err != nil {
		return nil, err
	}
	set := receiver.Settings{
		ID: component.NewID(factory.Type()), TelemetrySettings: componenttest.NewNopTelemetrySettings(),
		BuildInfo: component.NewDefaultBuildInfo(),
	}
	if r.receiver, err = factory.CreateMetrics(context.Background(), set, cfg, next); err != nil {
		return nil, err
	}
	return r, r.receiver.Start(context.Background(), componenttest.NewNopHost())
}

func (r *reading) take(_ context.Context, m pmetric.Metrics) error {
	var all points
	for _, rm := range m.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, metric := range sm.Metrics().All() {
				all = all.with(metric)
			}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range all {
		if p.name == signal.NIXLTransport {
			r.seen[sighting{p.attributes[signal.AttrTransport].(string), p.attributes[signal.AttrEvidence].(string)}]++
		}
	}
	if all.has(signal.NIXLTransferIO, "", nil) { // until the agents are forgotten
		r.last = all
	}
	return nil
}

func (r *reading) points() points {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// transports counts what was inferred, over the whole run.
func (r *reading) transports() map[sighting]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.seen)
}

// waitFor waits up to ten seconds until something has been told.
func (r *reading) waitFor(condition func(points) bool) bool {
	for range 100 {
		if condition(r.points()) {
			return true
		}
		time.Sleep(100 * time.Millisecond)
	}
	return false
}

func (r *reading) stop() error { return r.receiver.Shutdown(context.Background()) }

// point is one data point; of a histogram, its count and sum.
type point struct {
	name       string
	attributes map[string]any
	value, sum float64
}

type points []point

func (all points) with(m pmetric.Metric) points {
	numbers := func(s pmetric.NumberDataPointSlice) {
		for _, p := range s.All() {
			all = append(all, point{m.Name(), raw(p.Attributes()), p.DoubleValue() + float64(p.IntValue()), 0})
		}
	}
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		numbers(m.Gauge().DataPoints())
	case pmetric.MetricTypeSum:
		numbers(m.Sum().DataPoints())
	case pmetric.MetricTypeHistogram:
		for _, p := range m.Histogram().DataPoints().All() {
			all = append(all, point{m.Name(), raw(p.Attributes()), float64(p.Count()), p.Sum()})
		}
	}
	return all
}

func raw(m pcommon.Map) map[string]any { return m.AsRaw() }

// has says whether a metric was told, with an attribute unless that is "".
func (all points) has(name, attribute string, value any) bool {
	for _, p := range all {
		if p.name == name && (attribute == "" || p.attributes[attribute] == value) {
			return true
		}
	}
	return false
}

// value adds the points of a metric up that have all of the attributes, over both agents.
func (all points) value(name string, attributes map[string]any) (value float64) {
	value, _ = all.both(name, attributes)
	return value
}

func (all points) both(name string, attributes map[string]any) (value, sum float64) {
next:
	for _, p := range all {
		if p.name != name {
			continue
		}
		for k, v := range attributes {
			if p.attributes[k] != v {
				continue next
			}
		}
		value, sum = value+p.value, sum+p.sum
	}
	return value, sum
}
