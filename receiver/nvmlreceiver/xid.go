package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/xid"
)

// Bounds of what is remembered of XIDs.
const (
	maxXIDCodes = 64               // distinct codes; NVIDIA's list has some 170, a sick GPU shows a handful
	degradedFor = 10 * time.Minute // after an XID that says something of the GPU
)

// xidCount counts one code.
type xidCount struct {
	code  uint64
	n     uint64
	start time.Time
}

// xidCounts counts XIDs by code. The event thread writes, the worker reads.
type xidCounts struct {
	mu       sync.Mutex
	byCode   map[uint64]*xidCount
	worst    xid.Severity // of the codes that say something of the GPU
	worstAt  time.Time
	degraded bool
}

// add counts an event. since is when counting began.
func (x *xidCounts) add(m xid.Meaning, since, at time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if m.Degrades() && (!x.degraded || m.Severity >= x.worst || at.Sub(x.worstAt) >= degradedFor) {
		x.degraded, x.worst, x.worstAt = true, m.Severity, at
	}
	if x.byCode == nil {
		x.byCode = make(map[uint64]*xidCount)
	}
	c := x.byCode[m.Code]
	if c == nil {
		if len(x.byCode) == maxXIDCodes {
			return
		}
		c = &xidCount{code: m.Code, start: since}
		x.byCode[m.Code] = c
	}
	c.n++
}

// all returns the counts by code.
func (x *xidCounts) all() []xidCount {
	x.mu.Lock()
	defer x.mu.Unlock()
	counts := make([]xidCount, 0, len(x.byCode))
	for _, code := range slices.Sorted(maps.Keys(x.byCode)) {
		counts = append(counts, *x.byCode[code])
	}
	return counts
}

// recent is the worst severity of late; ok is false when nothing happened to the GPU for a while.
func (x *xidCounts) recent(now time.Time) (worst xid.Severity, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.worst, x.degraded && now.Sub(x.worstAt) < degradedFor
}
