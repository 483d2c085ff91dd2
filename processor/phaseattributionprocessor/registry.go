package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"fmt"
	"sync"

	"go.opentelemetry.io/collector/component"
)

// registry holds what the running processors of one ID share: the collector makes an instance for each pipeline, and that of metrics
// knows what those of traces put on spans.
type registry struct {
	mu   sync.Mutex
	byID map[component.ID]*sharing
}

// sharing is what the instances of one ID have in common, as long as one of them runs.
type sharing struct {
	users   int
	metrics bool // one of them is in a metrics pipeline
	board   *board
}

func newRegistry() *registry { return &registry{byID: map[component.ID]*sharing{}} }

// acquireMetrics takes part as the instance of a metrics pipeline, of which there can be one.
func (r *registry) acquireMetrics(id component.ID) (*board, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.of(id)
	if s.metrics {
		return nil, fmt.Errorf("processor %q is in two metrics pipelines: both would write the same derived series; "+
			"use one pipeline, or a second processor %q with its own name", id, id.String()+"/2")
	}
	s.users++
	s.metrics = true
	return s.board, nil
}

// acquireTraces takes part as the instance of a traces pipeline.
func (r *registry) acquireTraces(id component.ID) *board {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.of(id)
	s.users++
	return s.board
}

func (r *registry) of(id component.ID) *sharing {
	s := r.byID[id]
	if s == nil {
		s = &sharing{board: newBoard()}
		r.byID[id] = s
	}
	return s
}

// releaseMetrics and releaseTraces end a part; the last one takes the board with it.
func (r *registry) releaseMetrics(id component.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.byID[id].metrics = false
	r.drop(id)
}

func (r *registry) releaseTraces(id component.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(id)
}

func (r *registry) drop(id component.ID) {
	s := r.byID[id]
	if s.users--; s.users == 0 {
		delete(r.byID, id)
	}
}
