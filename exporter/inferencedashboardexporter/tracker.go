package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// engineReceiver is the scope of the llm_engine receiver. An endpoint of it that never answered has no engine name yet and is known
// by nothing else.
const engineReceiver = "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

// evictAfter is the silence after which a worker is forgotten. Until then it is shown as stale with its age.
const evictAfter = 10 * time.Minute

// tracker holds the workers. It is safe for concurrent use: the map has one lock, each worker its own.
type tracker struct {
	maxWorkers int
	newHistory func() *history

	mu      sync.RWMutex
	workers map[workerKey]*worker
}

func newTracker(maxWorkers int, newHistory func() *history) *tracker {
	return &tracker{maxWorkers: maxWorkers, newHistory: newHistory, workers: map[workerKey]*worker{}}
}

// observe takes a batch. It reads md and never writes to it.
func (t *tracker) observe(md pmetric.Metrics, now time.Time) (rejected tally) {
	for i := 0; i < md.ResourceMetrics().Len(); i++ {
		t.observeResource(md.ResourceMetrics().At(i), now, &rejected)
	}
	return rejected
}

func (t *tracker) observeResource(rm pmetric.ResourceMetrics, now time.Time, rejected *tally) {
	attrs := rm.Resource().Attributes()
	key, identified := readKey(attrs)
	var w *worker
	if identified {
		w = t.find(key)
	}
	if w == nil {
		relevant, asked := survey(rm)
		if relevant == 0 || (!asked && text(attrs, signal.AttrEngineName) == "") {
			return // not a worker: a GPU, the server in front of several workers, any other scraped target
		}
		if !identified {
			rejected[rejectNoIdentity] += relevant
			return
		}
		if w = t.admit(key, now); w == nil {
			rejected[rejectFull] += relevant
			return
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.identity.readResource(attrs, w.info != 0 && w.identity.Role != "")
	o := observation{worker: w, now: now, tally: rejected}
	for i := 0; i < rm.ScopeMetrics().Len(); i++ {
		ms := rm.ScopeMetrics().At(i).Metrics()
		for k := 0; k < ms.Len(); k++ {
			o.metric(ms.At(k))
		}
	}
	if o.heard && !w.down() {
		w.answered = now
	}
}

// survey counts the points that the page shows and says whether the llm_engine receiver says with them if an endpoint is up.
func survey(rm pmetric.ResourceMetrics) (relevant int64, asked bool) {
	for i := 0; i < rm.ScopeMetrics().Len(); i++ {
		sm := rm.ScopeMetrics().At(i)
		for k := 0; k < sm.Metrics().Len(); k++ {
			if m := sm.Metrics().At(k); known(m.Name()) {
				relevant += int64(points(m))
				asked = asked || (m.Name() == signal.Up && sm.Scope().Name() == engineReceiver)
			}
		}
	}
	return relevant, asked
}

func (t *tracker) find(key workerKey) *worker {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.workers[key]
}

// admit returns the worker of key, a new one where there is none, and nil when there is no place for a new one. Known workers
// keep their place: when full, old ones are not thrashed.
func (t *tracker) admit(key workerKey, now time.Time) *worker {
	t.mu.Lock()
	defer t.mu.Unlock()
	if w, ok := t.workers[key]; ok {
		return w
	}
	delete(t.workers, workerKey{host: key.host, instance: key.instance}) // the endpoint that had not answered yet
	if len(t.workers) >= t.maxWorkers {
		return nil
	}
	key = key.clone()
	w := &worker{key: key, id: key.id(), born: now, history: t.newHistory()}
	w.identity = identity{Instance: clip(key.instance), Host: clip(key.host), FleetID: shortID("")}
	for i := range w.phases {
		w.phases[i].counter.trustStart = true
	}
	t.workers[key] = w
	return w
}

// evict forgets the workers that were silent for too long and returns how many they were.
func (t *tracker) evict(now time.Time) (evicted int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, w := range t.workers {
		w.mu.Lock()
		heard := w.lastHeard()
		if heard.IsZero() {
			heard = w.born
		}
		w.mu.Unlock()
		if now.Sub(heard) > evictAfter {
			delete(t.workers, key)
			evicted++
		}
	}
	return evicted
}

// all returns the workers in no order.
func (t *tracker) all() []*worker {
	t.mu.RLock()
	defer t.mu.RUnlock()
	ws := make([]*worker, 0, len(t.workers))
	for _, w := range t.workers {
		ws = append(ws, w)
	}
	return ws
}

func (t *tracker) len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.workers)
}

// byID returns the worker with a short id, nil where there is none.
func (t *tracker) byID(id string) *worker {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, w := range t.workers {
		if w.id == id {
			return w
		}
	}
	return nil
}
