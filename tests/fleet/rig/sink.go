package rig

import (
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
)

// Sink is a backend: an OTLP/HTTP server that remembers every numbered point, and who wrote which point of a derived series. Each gateway has
// a path of its own, /NAME, by which the sink knows it.
type Sink struct {
	address string
	server  *http.Server
	done    chan struct{}

	mu      sync.Mutex
	marks   map[string]map[int64]int // times a numbered point came, by feeder
	Written *Written
	See     func(pmetric.Metrics) // what comes, in its order; nil for nobody
}

// NewSink listens on loopback until the test ends.
func NewSink(tb testing.TB) *Sink {
	tb.Helper()
	s := &Sink{address: "127.0.0.1:0", marks: map[string]map[int64]int{}, Written: newWritten()}
	s.Up(tb)
	tb.Cleanup(s.Down)
	return s
}

// URL is the endpoint for one gateway.
func (s *Sink) URL(gateway string) string { return "http://" + s.address + "/" + gateway }

// Up listens, again on the same port after Down.
func (s *Sink) Up(tb testing.TB) {
	tb.Helper()
	l, err := net.Listen("tcp", s.address)
	require.NoError(tb, err)
	s.address = l.Addr().String()
	s.server, s.done = &http.Server{Handler: http.HandlerFunc(s.serve)}, make(chan struct{})
	server, done := s.server, s.done
	go func() { defer close(done); _ = server.Serve(l) }()
}

// Down ends the backend as a crash does: connections break, requests under way are not answered.
func (s *Sink) Down() {
	_ = s.server.Close()
	<-s.done
}

func (s *Sink) serve(w http.ResponseWriter, r *http.Request) {
	gateway, signal, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	w.Header().Set("Content-Type", "application/x-protobuf")
	if signal != "v1/metrics" {
		return // logs and traces are taken and not looked at
	}
	md, err := decode(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.take(gateway, md)
	answer, _ := pmetricotlp.NewExportResponse().MarshalProto()
	_, _ = w.Write(answer)
}

func decode(r *http.Request) (pmetric.Metrics, error) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(r.Body)
		if err != nil {
			return pmetric.Metrics{}, err
		}
		body = unzipped
	}
	b, err := io.ReadAll(body)
	if err != nil {
		return pmetric.Metrics{}, err
	}
	request := pmetricotlp.NewExportRequest()
	err = request.UnmarshalProto(b)
	return request.Metrics(), err
}

func (s *Sink) take(gateway string, md pmetric.Metrics) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.See != nil {
		s.See(md)
	}
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, metric := range sm.Metrics().All() {
				if metric.Name() == Sequence {
					s.mark(rm, metric)
					continue
				}
				s.Written.take(gateway, rm.Resource(), sm.Scope(), metric)
			}
		}
	}
}

func (s *Sink) mark(rm pmetric.ResourceMetrics, metric pmetric.Metric) {
	name, _ := rm.Resource().Attributes().Get("service.instance.id")
	counts := s.marks[name.Str()]
	if counts == nil {
		counts = map[int64]int{}
		s.marks[name.Str()] = counts
	}
	for _, point := range metric.Gauge().DataPoints().All() {
		counts[point.IntValue()]++
	}
}

func (s *Sink) missing(feeder string, accepted []int64) []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var missing []int64
	for _, n := range accepted {
		if s.marks[feeder][n] == 0 {
			missing = append(missing, n)
		}
	}
	return missing
}

// Repeated is how many numbered points of a feeder came more than once.
func (s *Sink) Repeated(feeder string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	repeated := 0
	for _, n := range s.marks[feeder] {
		if n > 1 {
			repeated++
		}
	}
	return repeated
}

// Look reads what was written while nothing is being taken.
func (s *Sink) Look(look func(*Written)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	look(s.Written)
}
