package kvfragmentationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/kvfragmentationprocessor"

import (
	"maps"
	"sync"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// workers holds the state of every worker, up to a limit. When full, new workers are turned away and old ones stay: evicting
// under pressure would lose everybody's past in turn.
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
	aGPU            // it is a piece of hardware with an id
	aFleet          // it names a fleet and no engine
)

// identify reads what a resource is, and which worker.
func identify(resource pcommon.Resource) (id workerID, is subject) {
	hardware, fleet := false, false
	for key, v := range resource.Attributes().All() {
		switch key {
		case signal.AttrEngineName:
			id.engine = v.Str()
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
		case signal.AttrHWID:
			hardware = true
		case signal.AttrFleetName:
			fleet = true
		}
	}
	switch {
	case id.engine != "":
		return id, aWorker
	case hardware:
		return id, aGPU
	case fleet:
		return id, aFleet
	}
	return id, foreign
}

// get returns the worker, made by create at first sight. It returns nil when there is no room.
func (w *workers) get(id workerID, create func() *worker) *worker {
	w.mu.RLock()
	found := w.byID[id]
	w.mu.RUnlock()
	if found != nil {
		return found
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if found := w.byID[id]; found != nil {
		return found
	}
	if len(w.byID) >= w.limit {
		return nil
	}
	one := create()
	w.byID[id] = one
	return one
}

// all returns the workers of this moment.
func (w *workers) all() map[workerID]*worker {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return maps.Clone(w.byID)
}

// each calls visit for every worker and forgets those for which it returns true.
func (w *workers) each(visit func(*worker) (forget bool)) {
	for id, one := range w.all() {
		if visit(one) {
			w.mu.Lock()
			delete(w.byID, id)
			w.mu.Unlock()
		}
	}
}

func (w *workers) len() int {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return len(w.byID)
}
