package disaggregationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"

import (
	"maps"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// fleets holds the state of every fleet, up to a limit. When full, new ones are turned away and old ones stay.
type fleets struct {
	mu          sync.RWMutex
	limit       int
	workerLimit int64
	workers     int64
	byName      map[string]*fleet
	places      map[place]string // fleet of the worker that listens there
}

// get returns the fleet, made by create at first sight; nil when there is no room.
func (f *fleets) get(name string, create func() *fleet) *fleet {
	f.mu.RLock()
	found := f.byName[name]
	f.mu.RUnlock()
	if found != nil {
		return found
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if found := f.byName[name]; found != nil {
		return found
	}
	if len(f.byName) >= f.limit {
		return nil
	}
	one := create()
	f.byName[name] = one
	return one
}

// admit counts a further worker, if there is room.
func (f *fleets) admit() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.workers >= f.workerLimit {
		return false
	}
	f.workers++
	return true
}

// locate notes where a fleet's worker listens; at finds it.
func (f *fleets) locate(at place, fleet string) {
	if at.host == "" || at.port == "" {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, known := f.places[at]; known || int64(len(f.places)) < f.workerLimit {
		f.places[at] = fleet
	}
}

func (f *fleets) at(p place) string {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.places[p]
}

// tell passes on what an agent says of the size of a fleet.
func (f *fleets) tell(name string, m pmetric.Metric) {
	f.mu.RLock()
	found := f.byName[name]
	f.mu.RUnlock()
	if found == nil || m.Type() != pmetric.MetricTypeGauge {
		return
	}
	for _, dp := range m.Gauge().DataPoints().All() {
		if n := derive.Number(dp); !dp.Flags().NoRecordedValue() && n >= 1 && n < 1e6 {
			found.tell(int(n))
		}
	}
}

// sweep visits every fleet and returns how many fleets and workers are left.
func (f *fleets) sweep(now time.Time, out pmetric.Metrics) (left, workers int64) {
	f.mu.RLock()
	all := maps.Clone(f.byName)
	f.mu.RUnlock()
	for name, one := range all {
		forgotten, empty := one.sweep(now, out)
		f.mu.Lock()
		f.workers -= int64(forgotten)
		if empty && f.byName[name] == one {
			delete(f.byName, name)
			maps.DeleteFunc(f.places, func(_ place, fleet string) bool { return fleet == name })
		}
		f.mu.Unlock()
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	return int64(len(f.byName)), f.workers
}

// hosts knows the rate of each host's fastest RDMA link, bytes/s.
type hosts struct {
	mu    sync.RWMutex
	limit int
	rates map[string]float64
}

func (h *hosts) take(host string, m pmetric.Metric) {
	if m.Type() != pmetric.MetricTypeGauge {
		return
	}
	fastest := 0.0
	for _, dp := range m.Gauge().DataPoints().All() {
		if _, rdma := dp.Attributes().Get(signal.AttrHWID); rdma && !dp.Flags().NoRecordedValue() {
			fastest = max(fastest, derive.Number(dp))
		}
	}
	if fastest <= 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, known := h.rates[host]; known || len(h.rates) < h.limit {
		h.rates[host] = fastest
	}
}

func (h *hosts) rate(host string) float64 {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.rates[host]
}
