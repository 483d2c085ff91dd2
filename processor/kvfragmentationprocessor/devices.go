package kvfragmentationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/kvfragmentationprocessor"

import (
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// devices remembers the memory of GPUs, up to a limit; further ones are not followed.
type devices struct {
	limit int
	mu    sync.RWMutex
	byID  map[string]device
}

// device is the memory of a GPU in bytes. The process that has most of it is taken for the engine's.
type device struct {
	limit, engine, others float64
	seen                  time.Time // wall clock
}

func newDevices(limit int) *devices { return &devices{limit: limit, byID: map[string]device{}} }

// learn takes what a GPU's metrics say.
func (d *devices) learn(id string, sms pmetric.ScopeMetricsSlice, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	one, known := d.byID[id]
	if !known && len(d.byID) >= d.limit {
		return
	}
	for _, sm := range sms.All() {
		for _, m := range sm.Metrics().All() {
			switch m.Name() {
			case signal.HWGPUMemoryLimit:
				one.limit, one.seen = newest(m, one.limit, nil), now
			case signal.GPUProcessMemory:
				one.engine, one.others, one.seen = 0, 0, now
				for _, dp := range points(m).All() {
					if dp.Flags().NoRecordedValue() {
						continue
					}
					v := finite(derive.Number(dp))
					one.others += min(v, one.engine)
					one.engine = max(v, one.engine)
				}
			}
		}
	}
	if !one.seen.IsZero() {
		d.byID[id] = one
	}
}

// forget drops GPUs that were last heard of before a time.
func (d *devices) forget(before time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, one := range d.byID {
		if one.seen.Before(before) {
			delete(d.byID, id)
		}
	}
}

// memory adds up what is known of several GPUs; false unless all are.
func (d *devices) memory(ids []string) (h serving.HBM, ok bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, id := range ids {
		one := d.byID[id]
		if one.limit <= 0 || one.engine <= 0 {
			return h, false
		}
		h.Limit += one.limit
		h.Engine += one.engine
		h.Others += one.others
	}
	return h, true
}
