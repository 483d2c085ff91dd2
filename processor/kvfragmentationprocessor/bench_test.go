package kvfragmentationprocessor

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// TestMemoryOfManyWorkers: what 200 workers take does not grow once their windows go round.
func TestMemoryOfManyWorkers(t *testing.T) {
	p, c := newTestProcessor(t, testConfig(), consumertest.NewNop())
	engines := make([]*engine, 200)
	for i := range engines {
		engines[i] = newEngine(fmt.Sprint(i))
	}
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	play(t, p, c, 30, engines...)
	after := heap()
	play(t, p, c, 60, engines...)
	last := heap()
	t.Logf("%.1f kB a worker, %.1f after three times as long", float64(after-before)/200e3, float64(last-before)/200e3)
	assert.Less(t, last-before, int64(200*100_000))
	assert.Less(t, last-after, int64(200*10_000))
	runtime.KeepAlive(p)
}

func BenchmarkConsume(b *testing.B) {
	p, c := newTestProcessor(b, testConfig(), consumertest.NewNop())
	e := newEngine("a:8000")
	play(b, p, c, 200, e)
	n := e.page().DataPointCount()
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		e.advance(5 * time.Second)
		c.add(5 * time.Second)
		md := e.page()
		b.StartTimer()
		_ = p.ConsumeMetrics(context.Background(), md)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/point")
}

func BenchmarkForeign(b *testing.B) {
	p, _ := newTestProcessor(b, testConfig(), consumertest.NewNop())
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("host.name", "h")
	w := writer{rm.ScopeMetrics().AppendEmpty().Metrics(), 0, 1}
	for range 100 {
		w.gauge("system.cpu.time", 1)
	}
	b.ReportAllocs()
	for range b.N {
		_ = p.ConsumeMetrics(context.Background(), md)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*100), "ns/point")
}
