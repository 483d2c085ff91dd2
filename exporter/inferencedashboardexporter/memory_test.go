package inferencedashboardexporter

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/exporter/exportertest"

	"github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter/internal/metadata"
)

// BenchmarkManyWorkers judges 10,000 workers of 200 fleets once, as a gateway does with nobody looking, and reports what is kept of each: histories
// as in gateway.yaml and full, engine and estimates, without the figures of sections. PROFILE=file keeps the heap.
func BenchmarkManyWorkers(b *testing.B) {
	const workers, fleets = 10_000, 200
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	cfg := createDefaultConfig().(*Config)
	cfg.MaxWorkers, cfg.WorkerResolution, cfg.WorkerLongResolution = workers, time.Minute, time.Hour
	now := at(0)
	d, err := newDashboard(cfg, exportertest.NewNopSettings(metadata.Type), func() time.Time { return now })
	require.NoError(b, err)
	for step := range 14 {
		now = at(float64(step+1) * 5)
		w := newFakeWorker("", at(0))
		for range step + 1 {
			w.run(5 * time.Second)
		}
		for i := range workers {
			w.instance, w.fleet = fmt.Sprintf("10.0.%d.%d:8000", i>>8, i&255), fmt.Sprint("fleet-", i%fleets)
			require.NoError(b, d.consumeMetrics(context.Background(), w.engineBatch(now)))
			require.NoError(b, d.consumeMetrics(context.Background(), w.derivedBatch(now)))
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		d.board.update(now)
	}
	b.StopTimer()
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/workers, "B/worker")
	if name := os.Getenv("PROFILE"); name != "" {
		f, err := os.Create(name)
		require.NoError(b, err)
		require.NoError(b, pprof.WriteHeapProfile(f))
		require.NoError(b, f.Close())
	}
	runtime.KeepAlive(d)
}
