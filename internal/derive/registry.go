package derive

import (
	"fmt"
	"sync"

	"go.opentelemetry.io/collector/component"
)

// Registry holds the IDs of the processors of a factory that run, so that one in two pipelines, which would write every derived series
// twice, is refused. The zero value is ready.
type Registry struct {
	mu  sync.Mutex
	ids map[component.ID]bool
}

// Acquire fails when a processor with this ID runs already.
func (r *Registry) Acquire(id component.ID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ids[id] {
		return fmt.Errorf("processor %q is in two metrics pipelines: both would write the same derived series; "+
			"use one pipeline, or a second processor %q with its own name", id, id.String()+"/2")
	}
	if r.ids == nil {
		r.ids = map[component.ID]bool{}
	}
	r.ids[id] = true
	return nil
}

// Release gives an ID back.
func (r *Registry) Release(id component.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.ids, id)
}

// Change remembers a condition, so that a log line is written when it changes only. The zero value is false.
type Change struct {
	mu  sync.Mutex
	now bool
}

// To sets the condition and tells whether it was another one.
func (c *Change) To(now bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.now
	c.now = now
	return was != now
}
