package rig

import (
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
)

// Tally is a backend that counts points and keeps none: an OTLP/HTTP server for more of them than a Sink could hold.
type Tally struct {
	URL string

	mu     sync.Mutex
	scopes map[string]int             // points by scope
	fleets map[string]map[string]bool // fleets by metric that is about a fleet
}

// NewTally listens on loopback until the test ends.
func NewTally(tb testing.TB) *Tally {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	t := &Tally{URL: "http://" + l.Addr().String(), scopes: map[string]int{}, fleets: map[string]map[string]bool{}}
	server, done := &http.Server{Handler: http.HandlerFunc(t.serve)}, make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	tb.Cleanup(func() { _ = server.Close(); <-done })
	return t
}

func (t *Tally) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-protobuf")
	if !strings.HasSuffix(r.URL.Path, "/v1/metrics") {
		return // logs are taken and not looked at
	}
	md, err := decode(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	t.take(md)
	answer, _ := pmetricotlp.NewExportResponse().MarshalProto()
	_, _ = w.Write(answer)
}

func (t *Tally) take(md pmetric.Metrics) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, rm := range md.ResourceMetrics().All() {
		fleet, _ := rm.Resource().Attributes().Get("llm.fleet.name")
		for _, sm := range rm.ScopeMetrics().All() {
			scope := sm.Scope().Name()
			for _, m := range sm.Metrics().All() {
				t.scopes[scope] += pointsOf(m)
				if !ofGateways(scope) {
					continue
				}
				if t.fleets[m.Name()] == nil {
					t.fleets[m.Name()] = map[string]bool{}
				}
				t.fleets[m.Name()][fleet.Str()] = true
			}
		}
	}
}

func pointsOf(m pmetric.Metric) int {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		return m.Gauge().DataPoints().Len()
	case pmetric.MetricTypeSum:
		return m.Sum().DataPoints().Len()
	case pmetric.MetricTypeHistogram:
		return m.Histogram().DataPoints().Len()
	}
	return 0 // other kinds are not sent here
}

// Points are those that a gateway passed on, and those that it derived.
func (t *Tally) Points() (passed, derived int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for scope, n := range t.scopes {
		if ofGateways(scope) {
			derived += n
		} else {
			passed += n
		}
	}
	return passed, derived
}

// ofGateways tells whether gateways, not agents, derive what is in a scope.
func ofGateways(scope string) bool {
	return strings.HasSuffix(scope, "/disaggregationprocessor") || strings.HasSuffix(scope, "/adviceconnector")
}

// Fleets is for how many fleets a derived metric came.
func (t *Tally) Fleets(metric string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.fleets[metric])
}
