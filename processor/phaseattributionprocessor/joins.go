package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"slices"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// gpu is a device that was seen, with the workers that run on it.
type gpu struct {
	id, host, bus string
	names         []string  // hw.name, hw.model
	by            users     // who uses it, as far as it was told: guarded by joins.mu
	part          bool      // a MIG device
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

// joins knows which worker runs on which GPU: from llm.engine.gpu.info where a worker has such points, else by the processes that both
// name, else by the pod that the kubelet gave the GPU to, else by configured rules.
// Its lock is taken before a worker's, never after.
type joins struct {
	rules []GPURule
	limit int // of GPUs and of informed workers

	mu       sync.RWMutex
	gpus     map[string]*gpu
	parts    map[string][]*gpu // MIG devices by the GPU's id; replaced, never written
	workers  map[*worker]bool
	informed map[*worker]told // the last of each kind
}

func newJoins(rules []GPURule, limit int) *joins {
	return &joins{
		rules: rules, limit: limit, gpus: map[string]*gpu{}, parts: map[string][]*gpu{}, workers: map[*worker]bool{}, informed: map[*worker]told{},
	}
}

// see returns the GPU of that resource, whose batch tells who uses it, with the workers on it. A GPU beyond the limit has none, and no g.
func (j *joins) see(resource pcommon.Resource, by users) device {
	a := resource.Attributes()
	id := derive.Text(a, signal.AttrHWID)
	j.mu.RLock()
	g := j.gpus[id]
	if g != nil && g.by.holds(by) {
		defer j.mu.RUnlock()
		return j.device(g)
	}
	j.mu.RUnlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	if g = j.gpus[id]; g == nil {
		if len(j.gpus) >= j.limit {
			return device{}
		}
		g = j.discover(id, a)
	}
	g.by.take(by)
	for w := range j.workers {
		j.place(w)
	}
	return j.device(g)
}

// discover takes a GPU or MIG device that is seen for the first time; the caller holds the lock.
func (j *joins) discover(id string, a pcommon.Map) *gpu {
	g := &gpu{
		id: id, host: derive.Text(a, signal.AttrHostName), bus: derive.Text(a, signal.AttrGPUBusID),
		names: []string{derive.Text(a, signal.AttrHWName), derive.Text(a, signal.AttrHWModel)},
	}
	g.slices = allSlices(g.name())
	j.gpus[id] = g
	if parent := derive.Text(a, signal.AttrHWParent); parent != "" {
		g.slices, g.part = slicesOf(g.name()), true
		j.parts[parent] = append(slices.Clone(j.parts[parent]), g)
	}
	return g
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
	j.place(w)
}

// inform takes what a worker says of its GPUs or its processes. Who says nothing is where it was.
func (j *joins) inform(w *worker, now told) {
	if len(now.gpus) == 0 && len(now.pids) == 0 {
		return
	}
	j.mu.RLock()
	was := j.informed[w]
	j.mu.RUnlock()
	same := true
	if len(now.gpus) > 0 && !slices.Equal(was.gpus, now.gpus) {
		was.gpus, same = now.gpus, false
	}
	if len(now.pids) > 0 && !slices.Equal(was.pids, now.pids) {
		was.pids, same = now.pids, false
	}
	if same {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.workers[w] {
		return
	}
	j.informed[w] = was
	j.place(w)
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

// place joins a worker with its GPUs and parts it from others.
func (j *joins) place(w *worker) {
	runs := j.criterion(w)
	for _, g := range j.gpus {
		j.set(w, g, runs(g))
	}
}

// criterion is the first that tells of any GPU of a worker.
func (j *joins) criterion(w *worker) (runs func(*gpu) bool) {
	by := j.informed[w]
	if len(by.gpus) > 0 {
		return func(g *gpu) bool { return slices.Contains(by.gpus, g.id) }
	}
	attributes := w.resource.Attributes()
	host, in := derive.Text(attributes, signal.AttrHostName), podOf(attributes)
	for _, runs := range []func(*gpu) bool{
		func(g *gpu) bool { return host != "" && host == g.host && meet(by.pids, g.by.pids) },
		func(g *gpu) bool { return in != (pod{}) && slices.Contains(g.by.pods, in) },
	} {
		for _, g := range j.gpus {
			if runs(g) {
				return runs
			}
		}
	}
	return func(g *gpu) bool {
		return slices.ContainsFunc(j.rules, func(r GPURule) bool { return r.fits(attributes, g) })
	}
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
	was := g.users()
	g.count.Store(int32(len(g.workers)))
	if (was > 1) != (g.users() > 1) {
		for _, u := range g.workers {
			u.redeploy()
		}
	}
}

// redeploy looks again what the worker runs on: a GPU came to be shared, or no longer is. The caller holds the lock of joins.
func (w *worker) redeploy() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deploy()
}
