package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"maps"
	"slices"
)

// restart takes it that no counter of any GPU was read, after the clock was set. Workers give way to new ones as they are heard of
// (incarnation).
func (j *joins) restart() {
	j.mu.RLock()
	gpus := slices.Collect(maps.Values(j.gpus))
	j.mu.RUnlock()
	for _, g := range gpus {
		g.divider.restart()
	}
}

func (d *divider) restart() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = [gpuInputs]counted{}
}
