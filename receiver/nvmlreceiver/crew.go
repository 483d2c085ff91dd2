package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// departedFor is how long a GPU that was there and is no longer found has the status failed.
const departedFor = 10 * time.Minute

// crew is the workers, and the GPUs that have none. It is safe for concurrent use.
type crew struct {
	clock clock
	tell  *reporter

	mu       sync.Mutex
	workers  map[string]*worker  // by UUID; those that are read
	leaving  []*worker           // told to end, and maybe still inside the library; at most one of a UUID
	departed map[string]departed // GPUs that were there
	attended bool                // NVML works
}

type departed struct {
	id gpu.Identity
	at time.Time
}

// hire adds a worker.
func (c *crew) hire(w *worker) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.workers[w.uuid] = w
	delete(c.departed, w.uuid)
}

// all are the workers that read, by index.
func (c *crew) all() []*worker {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.SortedFunc(maps.Values(c.workers), func(a, b *worker) int {
		return cmp.Or(a.identity().Index-b.identity().Index, cmp.Compare(a.uuid, b.uuid))
	})
}

// everyone is also those that are told to end.
func (c *crew) everyone() []*worker {
	all := c.all()
	c.mu.Lock()
	defer c.mu.Unlock()
	return append(all, c.leaving...)
}

// worker is the one that reads a GPU, or nil.
func (c *crew) worker(uuid string) *worker {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.workers[uuid]
}

// lingers says whether a worker of this GPU that was told to end has not.
func (c *crew) lingers(uuid string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lingersLocked(uuid)
}

func (c *crew) lingersLocked(uuid string) bool {
	return slices.ContainsFunc(c.leaving, func(w *worker) bool { return w.uuid == uuid && !w.ended() })
}

// dismiss ends the worker of a GPU that is gone. The GPU stays known for a while.
func (c *crew) dismiss(w *worker) {
	w.stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.workers, w.uuid)
	c.departed[w.uuid] = departed{w.identity(), c.clock.Now()}
	if w.ended() {
		c.tell.trouble(w.uuid, nil)
	} else {
		c.leaving = append(c.leaving, w)
	}
}

// sweep forgets the leaving workers that have ended, and says how many have not.
func (c *crew) sweep() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leaving = slices.DeleteFunc(c.leaving, func(w *worker) bool {
		if !w.ended() {
			return false
		}
		c.tell.trouble(w.uuid, nil)
		return true
	})
	return len(c.leaving)
}

// attend takes that NVML works: from now on a GPU that is not found is gone.
func (c *crew) attend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attended = true
	for uuid, d := range c.departed {
		c.departed[uuid] = departed{d.id, c.clock.Now()}
	}
}

// abandon takes that NVML does not work: nothing is known of the GPUs, and none is forgotten.
func (c *crew) abandon() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attended = false
}

// absent are the GPUs that were there: for a while, for as long as NVML does not work, and for as long as a thread of theirs is
// inside the library.
func (c *crew) absent() []gpu.Identity {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock.Now()
	var all []gpu.Identity
	for _, uuid := range sortedKeys(c.departed) {
		d := c.departed[uuid]
		if c.attended && now.Sub(d.at) > departedFor && !c.lingersLocked(uuid) {
			delete(c.departed, uuid)
			continue
		}
		all = append(all, d.id)
	}
	return all
}
