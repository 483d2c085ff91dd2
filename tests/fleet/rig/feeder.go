package rig

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
)

// Sequence is the metric of numbered points.
const Sequence = "rig.sequence"

// Feeder sends numbered points of one fleet to a collector and remembers which it accepted.
type Feeder struct {
	Name, Fleet string
	URL         string // of the collector's OTLP/HTTP receiver
	Batch       int    // points a request

	client   http.Client
	mu       sync.Mutex
	next     int64
	accepted []int64
	refused  int64
	skew     time.Duration
}

// NewFeeder feeds the collector at a loopback port.
func NewFeeder(name, fleet string, port, batch int) *Feeder {
	return &Feeder{
		Name: name, Fleet: fleet, URL: "http://" + Local(port) + "/v1/metrics", Batch: batch,
		client: http.Client{Timeout: 5 * time.Second},
	}
}

// Start sends a batch every interval until the returned function is called, which waits for the last answer.
func (f *Feeder) Start(tb testing.TB, every time.Duration) (stop func()) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				f.Send()
			}
		}
	}()
	stop = func() { cancel(); <-done }
	tb.Cleanup(stop)
	return stop
}

// Send sends one batch. Its points count as accepted when the answer says so; a number is never sent twice.
func (f *Feeder) Send() bool {
	f.mu.Lock()
	first := f.next
	f.next += int64(f.Batch)
	skew := f.skew
	f.mu.Unlock()
	body, err := pmetricotlp.NewExportRequestFromMetrics(f.points(first, skew)).MarshalProto()
	if err != nil {
		panic(err) // of points that are made here
	}
	ok := f.post(body)
	f.mu.Lock()
	defer f.mu.Unlock()
	if !ok {
		f.refused += int64(f.Batch)
		return false
	}
	for i := range int64(f.Batch) {
		f.accepted = append(f.accepted, first+i)
	}
	return true
}

func (f *Feeder) post(body []byte) bool {
	response, err := f.client.Post(f.URL, "application/x-protobuf", bytes.NewReader(body))
	if err != nil {
		return false
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return false
	}
	said := pmetricotlp.NewExportResponse()
	return said.UnmarshalProto(answer) == nil && said.PartialSuccess().RejectedDataPoints() == 0
}

func (f *Feeder) points(first int64, skew time.Duration) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("llm.fleet.name", f.Fleet)
	rm.Resource().Attributes().PutStr("service.instance.id", f.Name)
	metric := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	metric.SetName(Sequence)
	points := metric.SetEmptyGauge().DataPoints()
	now := pcommon.NewTimestampFromTime(time.Now().Add(skew))
	for i := range int64(f.Batch) {
		point := points.AppendEmpty()
		point.SetIntValue(first + i)
		point.SetTimestamp(now)
		point.Attributes().PutInt("n", i)
	}
	return md
}

// Jump moves the clock that the points tell, from now on.
func (f *Feeder) Jump(by time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.skew += by
}

// Counts tells how many points were accepted and refused so far.
func (f *Feeder) Counts() (accepted, refused int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return int64(len(f.accepted)), f.refused
}

// Missing are accepted points that the backend does not have.
func (f *Feeder) Missing(s *Sink) []int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return s.missing(f.Name, f.accepted)
}

// Arrived waits until the backend has every point that was accepted, for as long as more of them come.
func Arrived(tb testing.TB, s *Sink, feeders ...*Feeder) {
	tb.Helper()
	for _, f := range feeders {
		missing := f.Missing(s)
		for deadline := time.Now().Add(Patience); len(missing) > 0 && time.Now().Before(deadline); <-time.After(100 * time.Millisecond) {
			if left := f.Missing(s); len(left) < len(missing) {
				missing, deadline = left, time.Now().Add(Patience)
			}
		}
		accepted, refused := f.Counts()
		tb.Logf("%s: %d points accepted, %d refused, %d missing, %d came twice or more", f.Name, accepted, refused, len(missing), s.Repeated(f.Name))
		if len(missing) > 0 {
			tb.Errorf("%s: %d of %d accepted points were lost: %s", f.Name, len(missing), accepted, some(missing))
		}
		if accepted == 0 {
			tb.Errorf("%s: nothing was accepted", f.Name)
		}
	}
}

func some(numbers []int64) string {
	const most = 20
	if len(numbers) > most {
		return fmt.Sprintf("%v and %d more", numbers[:most], len(numbers)-most)
	}
	return fmt.Sprint(numbers)
}
