package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"maps"
	"sync"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// workers holds the state of every worker, up to a limit. When full, new workers are turned away and old ones stay: evicting
// under pressure would lose everybody's fit in turn.
type workers struct {
	mu    sync.RWMutex
	limit int
	byID  map[workerID]*worker
}

// workerID tells workers apart.
type workerID struct{ engine, service, namespace, instance, host, model string }

// subject is what a resource is to this processor.
type subject int

const (
	foreign subject = iota
	aWorker         // it names an engine
	aGPU            // it is a piece of hardware with an id, and of no other type
)

// identify reads what a resource is, and which worker. Most are neither worker nor GPU, and are asked for two attributes only.
func identify(resource pcommon.Resource) (id workerID, is subject) {
	a := resource.Attributes()
	if id.engine = derive.Text(a, signal.AttrEngineName); id.engine == "" {
		return id, hardware(a)
	}
	for key, v := range a.All() {
		switch key {
		case signal.AttrServiceName:
			id.service = v.Str()
		case "service.namespace":
			id.namespace = v.Str()
		case signal.AttrServiceInstanceID:
			id.instance = v.Str()
		case signal.AttrHostName:
			id.host = v.Str()
		case signal.AttrModel:
			id.model = v.Str()
		}
	}
	return id, aWorker
}

func hardware(a pcommon.Map) subject {
	if _, ok := a.Get(signal.AttrHWID); !ok {
		return foreign
	}
	if t := derive.Text(a, signal.AttrHWType); t != "" && t != signal.HWTypeGPU {
		return foreign
	}
	return aGPU
}

// find returns the worker, nil when it is not known.
func (w *workers) find(id workerID) *worker {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.byID[id]
}

// full reports whether there is no room for another.
func (w *workers) full() bool { return w.len() >= w.limit }

// put makes a worker known, in the place of another of the same identity.
func (w *workers) put(id workerID, one *worker) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.byID[id] = one
}

// forget drops a worker, unless another is in its place already.
func (w *workers) forget(id workerID, one *worker) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byID[id] == one {
		delete(w.byID, id)
	}
}

// each calls visit for every worker and forgets those for which it returns true.
func (w *workers) each(visit func(*worker) (forget bool)) {
	for id, one := range w.all() {
		if visit(one) {
			w.forget(id, one)
		}
	}
}

// all returns the workers there are.
func (w *workers) all() map[workerID]*worker {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return maps.Clone(w.byID)
}

func (w *workers) len() int {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return len(w.byID)
}
