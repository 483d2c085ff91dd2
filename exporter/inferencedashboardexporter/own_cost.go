package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"os"
	"time"

	"github.com/shirou/gopsutil/v4/process"
)

// costEvery is how often the collector looks at itself: a busy share over less would jump.
const costEvery = 5 * time.Second

// costView is what the collector itself takes, all of its components together.
type costView struct {
	CPU    number `json:"cpu"`    // cores that were busy over the last seconds, as otelcol_process_cpu_seconds counts them
	Memory number `json:"memory"` // resident bytes, as otelcol_process_memory_rss
}

// ownCost reads the collector's own process.
type ownCost struct {
	process *process.Process // nil where the system does not tell
	last    time.Time
	busy    float64 // CPU seconds at last
	view    costView
}

func newOwnCost() *ownCost {
	p, err := process.NewProcess(int32(os.Getpid()))
	if err != nil {
		return &ownCost{}
	}
	return &ownCost{process: p}
}

// read returns the cost, renewed every few seconds. What the system does not tell is absent.
func (c *ownCost) read(now time.Time) costView {
	since := now.Sub(c.last)
	if c.process == nil || (since < costEvery && !c.last.IsZero()) {
		return c.view
	}
	view := costView{}
	if times, err := c.process.Times(); err == nil {
		busy := times.User + times.System
		if !c.last.IsZero() && busy >= c.busy {
			view.CPU = some((busy - c.busy) / since.Seconds()).rounded()
		}
		c.busy = busy
	}
	if m, err := c.process.MemoryInfo(); err == nil {
		view.Memory = some(float64(m.RSS)).rounded()
	}
	c.last, c.view = now, view
	return view
}
