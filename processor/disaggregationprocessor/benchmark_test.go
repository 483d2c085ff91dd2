//go:build linux

package disaggregationprocessor

import (
	"context"
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// BenchmarkGateway is one interval of a gateway with fleets of 50 workers. cpu-s/op is the CPU time of an interval of ten seconds, of which two
// cores have 20, with what fleets are evaluated in it; B/worker is the heap that is held, RSS-MiB the most memory that the process had. A
// fleet of 50 is evaluated every four minutes: 24 intervals (-benchtime 24x) have one evaluation of each.
func BenchmarkGateway(b *testing.B) {
	for _, fleets := range []int{20, 200} {
		b.Run(fmt.Sprintf("%d fleets", fleets), func(b *testing.B) { gateway(b, fleets, 50) })
	}
}

func gateway(b *testing.B, fleets, workersOf int) {
	const warmUp = 16
	cfg := testConfig()
	cfg.Window, cfg.AllowedLateness = 10*time.Second, 10*time.Second
	p, c := newTestProcessor(b, cfg, consumertest.NewNop())
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	// Pages of a prefill and of a decode worker, as a simulated fleet has them.
	pages := scrapes(b, "pd-balanced", "x", 5*time.Minute, 1)
	step := func(i int) {
		now = now.Add(10 * time.Second)
		c.Set(now)
		for f := range fleets {
			for w := range workersOf {
				source := 4 * ((2*i + 1) % (len(pages) / 4)) // every second scrape
				if w%4 == 3 {
					source += 3
				}
				md := pmetric.NewMetrics()
				pages[source].md.CopyTo(md)
				rename(md, f, w, now)
				if err := p.ConsumeMetrics(context.Background(), md); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	for i := range warmUp {
		step(i)
	}
	b.ReportAllocs()
	n, before := warmUp, used(b)
	for b.Loop() {
		step(n)
		n++
	}
	b.StopTimer()
	after := used(b)
	b.ReportMetric((seconds(after.Utime)+seconds(after.Stime)-seconds(before.Utime)-seconds(before.Stime))/float64(n-warmUp), "cpu-s/op")
	b.ReportMetric(float64(after.Maxrss)/1024, "RSS-MiB")
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapAlloc)/float64(fleets*workersOf), "B/worker")
	b.ReportMetric(float64(m.HeapAlloc)/(1<<20), "MiB")
	runtime.KeepAlive(p)
}

func used(b *testing.B) (r syscall.Rusage) {
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return r
}

func seconds(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }

// rename makes a page that of another worker, at another time.
func rename(md pmetric.Metrics, fleet, worker int, now time.Time) {
	rm := md.ResourceMetrics().At(0)
	a := rm.Resource().Attributes()
	a.PutStr(signal.AttrFleetName, fmt.Sprintf("fleet-%d", fleet))
	a.PutStr(signal.AttrServiceInstanceID, fmt.Sprintf("worker-%d-%d:8000", fleet, worker))
	at := pcommon.NewTimestampFromTime(now)
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
