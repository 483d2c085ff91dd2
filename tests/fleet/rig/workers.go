package rig

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
	"github.com/otelcol-inference/otelcol-inference/internal/exposition"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/engine"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/scenario"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// WorkerScope is the scope of the points that Workers send; what a gateway derives has another.
const WorkerScope = "rig/workers"

// Workers stand for the agents of many fleets of one kind: pages of a simulated fleet, decoded as agents do it, under the names of as many workers
// as are asked for. Agents have a host of workers each, and send gzip over OTLP/gRPC.
type Workers struct {
	Fleets, Each int // fleets, and workers of each
	Host         int // workers of an agent
	Interval     time.Duration

	begin time.Time
	pages [][]pmetric.Metrics // of a round, by simulated worker

	client
}

// NewWorkers records a ready scenario for so many rounds and connects to a gateway.
func NewWorkers(tb testing.TB, name string, fleets, each, rounds int, gateway string) *Workers {
	tb.Helper()
	w := RecordWorkers(tb, name, fleets, each, rounds)
	w.connect(tb, gateway)
	return w
}

// RecordWorkers records a ready scenario for so many rounds, for those who take what Hosts send themselves.
func RecordWorkers(tb testing.TB, name string, fleets, each, rounds int) *Workers {
	tb.Helper()
	w := &Workers{Fleets: fleets, Each: each, Host: 8, Interval: 10 * time.Second}
	w.record(tb, name, rounds)
	return w
}

// Hosts are what the agents of all hosts send in a round.
func (w *Workers) Hosts(round int, at time.Time) iter.Seq[pmetric.Metrics] {
	return func(yield func(pmetric.Metrics) bool) {
		for i := range w.Fleets * w.hosts() {
			if !yield(w.host(round, i%w.Fleets, i/w.Fleets, pcommon.NewTimestampFromTime(at))) {
				return
			}
		}
	}
}

// hosts is how many hosts a fleet has.
func (w *Workers) hosts() int { return (w.Each + w.Host - 1) / w.Host }

// record plays the scenario and decodes what its workers say in each round.
func (w *Workers) record(tb testing.TB, name string, rounds int) {
	tb.Helper()
	s, err := scenario.Load(name, scenario.Options{})
	require.NoError(tb, err)
	fleet, err := fleetsim.New(s.Fleet)
	require.NoError(tb, err)
	defer func() { require.NoError(tb, fleet.Close()) }()
	dialects, err := dialect.Load()
	require.NoError(tb, err)
	books := make([]*exposition.Book, fleet.Workers())
	for i := range books {
		books[i] = exposition.NewBook(exposition.Settings{
			Dialects: dialects, Scope: WorkerScope, MaxSeries: 20_000,
			Identity: exposition.Identity{Address: "worker", Port: 8000, Fleet: "fleet", Role: string(fleet.Pool(i).Role), Host: "host"},
		})
	}
	var page bytes.Buffer
	for round := range rounds {
		at := time.Duration(round+1) * w.Interval
		require.NoError(tb, fleet.Advance(at))
		said := make([]pmetric.Metrics, len(books))
		for i, book := range books {
			page.Reset()
			require.NoError(tb, fleet.WriteMetrics(i, &page))
			page.Grow(1) // the decoder writes behind the end
			said[i], _, err = book.Scrape(page.Bytes(), false, s.Fleet.StartTime.Add(at), engine.VLLMVersion)
			require.NoError(tb, err)
		}
		w.pages = append(w.pages, said)
	}
}

// Send sends one round, spread over the time that it should take, and waits for all answers. 0 sends as fast as the gateway answers. The points
// are an interval after those of the round before, however long that took.
func (w *Workers) Send(ctx context.Context, round int, over time.Duration) {
	if w.begin.IsZero() {
		w.begin = time.Now()
		if over == 0 {
			w.begin = w.begin.Add(-time.Duration(len(w.pages)) * w.Interval) // not in the future
		}
	}
	at := pcommon.NewTimestampFromTime(w.begin.Add(time.Duration(round) * w.Interval))
	requests := make([]request, w.Fleets*w.hosts())
	for i := range requests {
		requests[i] = request{
			due: over * time.Duration(i) / time.Duration(len(requests)),
			md:  func() pmetric.Metrics { return w.host(round, i%w.Fleets, i/w.Fleets, at) },
		}
	}
	w.send(ctx, time.Now(), requests)
}

// host is what the agent of one host of a fleet sends.
func (w *Workers) host(round, fleet, host int, at pcommon.Timestamp) pmetric.Metrics {
	md := pmetric.NewMetrics()
	pages := w.pages[round]
	for worker := host * w.Host; worker < min(w.Each, (host+1)*w.Host); worker++ {
		for _, rm := range pages[worker%len(pages)].ResourceMetrics().All() {
			own := md.ResourceMetrics().AppendEmpty()
			rm.CopyTo(own)
			attributes := own.Resource().Attributes()
			attributes.PutStr(signal.AttrFleetName, fmt.Sprintf("fleet-%d", fleet))
			attributes.PutStr(signal.AttrHostName, fmt.Sprintf("host-%d-%d", fleet, host))
			attributes.PutStr(signal.AttrServiceInstanceID, fmt.Sprintf("worker-%d-%d:8000", fleet, worker))
			attributes.PutStr(signal.AttrServerAddress, fmt.Sprintf("worker-%d-%d", fleet, worker))
			date(own, at)
		}
	}
	return md
}

// date sets the time of all points.
func date(rm pmetric.ResourceMetrics, at pcommon.Timestamp) {
	for _, sm := range rm.ScopeMetrics().All() {
		for _, m := range sm.Metrics().All() {
			switch m.Type() {
			case pmetric.MetricTypeHistogram:
				for _, dp := range m.Histogram().DataPoints().All() {
					dp.SetTimestamp(at)
				}
			case pmetric.MetricTypeSum:
				for _, dp := range m.Sum().DataPoints().All() {
					dp.SetTimestamp(at)
				}
			case pmetric.MetricTypeGauge:
				for _, dp := range m.Gauge().DataPoints().All() {
					dp.SetTimestamp(at)
				}
			}
		}
	}
}
