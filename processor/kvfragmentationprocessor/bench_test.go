package kvfragmentationprocessor

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/consumer/consumertest"
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
