package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"slices"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// gpu is a device that was seen, with the workers that run on it.
type gpu struct {
	id, host, bus string
	names         []string    // hw.name, hw.model
	users         []*worker   // replaced, never written: guarded by joins.mu
	shared        atomic.Bool // more than one user
}

// joins knows which worker runs on which GPU: from llm.engine.gpu.info where a worker has such points, else by configured rules.
// Its lock is taken before a worker's, never after.
type joins struct {
	rules []GPURule
	limit int // of GPUs and of informed workers

	mu       sync.RWMutex
	gpus     map[string]*gpu
	workers  map[*worker]bool
	informed map[*worker][]string // hw.id by llm.engine.gpu.info
}

func newJoins(rules []GPURule, limit int) *joins {
	return &joins{
		rules: rules, limit: limit, gpus: map[string]*gpu{}, workers: map[*worker]bool{}, informed: map[*worker][]string{},
	}
}

// see returns the workers on the GPU of that resource. A GPU beyond the limit has none.
func (j *joins) see(resource pcommon.Resource) []*worker {
	a := resource.Attributes()
	id := text(a, signal.AttrHWID)
	j.mu.RLock()
	g := j.gpus[id]
	var users []*worker
	if g != nil {
		users = g.users
	}
	j.mu.RUnlock()
	if g != nil {
		return users
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if g := j.gpus[id]; g != nil {
		return g.users
	}
	if len(j.gpus) >= j.limit {
		return nil
	}
	g = &gpu{
		id: id, host: text(a, signal.AttrHostName), bus: text(a, signal.AttrGPUBusID),
		names: []string{text(a, signal.AttrHWName), text(a, signal.AttrHWModel)},
	}
	j.gpus[id] = g
	for w := range j.workers {
		j.match(w, g)
	}
	return g.users
}

// add makes a worker known.
func (j *joins) add(w *worker) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.workers[w] = true
	for _, g := range j.gpus {
		j.match(w, g)
	}
}

// inform takes the ids of the GPUs that a worker says it runs on, in the place of what rules say.
func (j *joins) inform(w *worker, ids []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.workers[w] || slices.Equal(j.informed[w], ids) {
		return
	}
	j.informed[w] = ids
	for _, g := range j.gpus {
		j.match(w, g)
	}
}

// remove forgets a worker.
func (j *joins) remove(w *worker) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.workers, w)
	delete(j.informed, w)
	for _, g := range j.gpus {
		j.set(w, g, false)
	}
}

// match joins or parts a worker and a GPU.
func (j *joins) match(w *worker, g *gpu) {
	if ids, ok := j.informed[w]; ok {
		j.set(w, g, slices.Contains(ids, g.id))
		return
	}
	fits := slices.ContainsFunc(j.rules, func(r GPURule) bool { return r.fits(w.resource.Attributes(), g) })
	j.set(w, g, fits)
}

func (j *joins) set(w *worker, g *gpu, joined bool) {
	if slices.Contains(g.users, w) == joined {
		return
	}
	if joined {
		g.users = append(slices.Clone(g.users), w)
		w.join(g)
	} else {
		g.users = slices.DeleteFunc(slices.Clone(g.users), func(u *worker) bool { return u == w })
		w.part(g)
	}
	g.shared.Store(len(g.users) > 1)
}
