package disaggregationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"
)

// restart ends every fleet after the clock was set, as a restart of the collector does: windows, trailing times and forecasts are of one time
// axis. Each begins anew with the next word of a worker.
func (f *fleets) restart(now time.Time, out pmetric.Metrics) {
	f.mu.Lock()
	all := f.byName
	f.byName, f.places = map[string]*fleet{}, map[place]string{}
	f.mu.Unlock()
	workers := 0
	for _, one := range all { // a fleet's lock is taken before this one
		workers += one.leave(now, out)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.workers -= int64(workers)
}

// leave ends a fleet that will not come back, and returns how many workers it had.
func (f *fleet) leave(now time.Time, out pmetric.Metrics) (workers int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	workers = len(f.members)
	if !f.silent {
		f.silent = true
		f.goSilent(now, out)
	}
	clear(f.members)
	f.ordered, f.gone = nil, true
	return workers
}
