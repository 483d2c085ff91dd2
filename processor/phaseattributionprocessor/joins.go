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
	names         []string  // hw.name, hw.model
	slices        float64   // compute slices, of a GPU all that it can have
	workers       []*worker // replaced, never written: guarded by joins.mu
	count         atomic.Int32
	divider       divider
}

// users is how many workers run on it.
func (g *gpu) users() int { return int(g.count.Load()) }

func (g *gpu) name() string { return g.names[0] + " " + g.names[1] }

// device is a GPU with who uses it, at one moment.
type device struct {
	g     *gpu
	users []*worker
	parts []device // its MIG devices, when a worker runs on one of them
}

// joins knows which worker runs on which GPU: from llm.engine.gpu.info where a worker has such points, else by configured rules.
// Its lock is taken before a worker's, never after.
type joins struct {
	rules []GPURule
	limit int // of GPUs and of informed workers

	mu       sync.RWMutex
	gpus     map[string]*gpu
	parts    map[string][]*gpu // MIG devices by the GPU's id; replaced, never written
	workers  map[*worker]bool
	informed map[*worker][]string // hw.id by llm.engine.gpu.info
}

func newJoins(rules []GPURule, limit int) *joins {
	return &joins{
		rules: rules, limit: limit, gpus: map[string]*gpu{}, parts: map[string][]*gpu{}, workers: map[*worker]bool{}, informed: map[*worker][]string{},
	}
}

// see returns the GPU of that resource with the workers on it. A GPU beyond the limit has none, and no g.
func (j *joins) see(resource pcommon.Resource) device {
	a := resource.Attributes()
	id := text(a, signal.AttrHWID)
	j.mu.RLock()
	g := j.gpus[id]
	if g != nil {
		defer j.mu.RUnlock()
		return j.device(g)
	}
	j.mu.RUnlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	if g := j.gpus[id]; g != nil {
		return j.device(g)
	}
	if len(j.gpus) >= j.limit {
		return device{}
	}
	g = &gpu{
		id: id, host: text(a, signal.AttrHostName), bus: text(a, signal.AttrGPUBusID),
		names: []string{text(a, signal.AttrHWName), text(a, signal.AttrHWModel)},
	}
	g.slices = allSlices(g.name())
	j.gpus[id] = g
	if parent := text(a, signal.AttrHWParent); parent != "" {
		g.slices = slicesOf(g.name())
		j.parts[parent] = append(slices.Clone(j.parts[parent]), g)
	}
	for w := range j.workers {
		j.match(w, g)
	}
	return j.device(g)
}

// device looks up who uses a GPU; the caller holds the lock.
func (j *joins) device(g *gpu) device {
	d := device{g: g, users: g.workers}
	used := false
	parts := j.parts[g.id]
	for _, p := range parts {
		used = used || len(p.workers) > 0
	}
	if used {
		for _, p := range parts {
			d.parts = append(d.parts, device{g: p, users: p.workers})
		}
	}
	return d
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
	if slices.Contains(g.workers, w) == joined {
		return
	}
	if joined {
		g.workers = append(slices.Clone(g.workers), w)
		w.join(g)
	} else {
		g.workers = slices.DeleteFunc(slices.Clone(g.workers), func(u *worker) bool { return u == w })
		w.part(g)
	}
	g.count.Store(int32(len(g.workers)))
}
