package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"fmt"
	"sync"

	"go.opentelemetry.io/collector/component"
)

// registry holds the IDs of the processors that run.
type registry struct {
	mu  sync.Mutex
	ids map[component.ID]bool
}

func newRegistry() *registry { return &registry{ids: map[component.ID]bool{}} }

func (r *registry) acquire(id component.ID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ids[id] {
		return fmt.Errorf("processor %q is in two metrics pipelines: both would write the same derived series; "+
			"use one pipeline, or a second processor %q with its own name", id, id.String()+"/2")
	}
	r.ids[id] = true
	return nil
}

func (r *registry) release(id component.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.ids, id)
}
