package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"math"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/requestspan"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// spanLag is how much later than the metrics of its time a span may come: engines send spans in batches, vLLM every 5 s.
const spanLag = 10 * time.Second

// spanLedger counts what spans say of a worker's requests, by when they ended. Traces pipelines write it, the metrics pipeline reads it.
type spanLedger struct {
	mu        sync.Mutex
	width     int64
	cells     []spanCell // a ring by time
	latencies [spanPhases]spanLatency
}

// spanCell is one width of data time.
type spanCell struct {
	index       int64 // time over width
	judged, met float64
}

// The phases whose latency spans tell.
const spanPhases = 4

// spanPhaseOrder is their order; the first three are those that pages may tell.
func spanPhaseOrder() [spanPhases]string {
	return [spanPhases]string{signal.PhaseQueue, signal.PhasePrefill, signal.PhaseDecode, signal.PhaseTransfer}
}

// spanLatency is a cumulative histogram.
type spanLatency struct {
	since pcommon.Timestamp // of the first request
	value window.Value
}

// spanLatencyBounds are those of vLLM's histograms of request time (vllm/v1/metrics/loggers.py, 0.32.0), with finer ones below, in s.
func spanLatencyBounds() []float64 {
	return []float64{
		0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680,
	}
}

func newSpanLedger(cfg *Config) *spanLedger {
	span := cfg.LatencyWindow + spanLag + 3*cfg.Window
	return &spanLedger{width: int64(cfg.Window), cells: make([]spanCell, span/cfg.Window+2)}
}

// add counts a request that ended at that time. met is whether it met its objectives, judged whether that is known.
func (l *spanLedger) add(end pcommon.Timestamp, phases []requestspan.Phase, judged, met bool) {
	if end > math.MaxInt64 {
		return // no clock says so: past the year 2262
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	index := int64(end) / l.width
	c := &l.cells[index%int64(len(l.cells))]
	switch {
	case index > c.index:
		*c = spanCell{index: index}
		fallthrough
	case index == c.index:
		if judged {
			c.judged++
		}
		if met {
			c.met++
		}
	}
	for i := range phases {
		l.observe(&phases[i])
	}
}

// observe counts the latency of a phase, unless something else is in it.
func (l *spanLedger) observe(p *requestspan.Phase) {
	if p.Includes != "" {
		return
	}
	for i, name := range spanPhaseOrder() {
		if name != p.Name {
			continue
		}
		h := &l.latencies[i]
		if h.value.Counts == nil {
			bounds := spanLatencyBounds()
			h.since, h.value = p.Start, window.Value{Bounds: bounds, Counts: make([]float64, len(bounds)+1)}
		}
		s, bucket := p.Seconds(), 0
		for bucket < len(h.value.Bounds) && s > h.value.Bounds[bucket] {
			bucket++
		}
		h.value.Counts[bucket]++
		h.value.Count++
		h.value.Sum += s
	}
}

// between adds up what ended in [from, to), two multiples of the width. A cell that a span of a wrong clock took for a time which the ring
// does not reach yet is given back: it would turn all others away.
func (l *spanLedger) between(from, to int64) (judged, met float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.cells {
		switch c := &l.cells[i]; {
		case c.index >= to/l.width+int64(len(l.cells)):
			*c = spanCell{}
		case c.index >= from/l.width && c.index < to/l.width:
			judged += c.judged
			met += c.met
		}
	}
	return judged, met
}

// latency is a copy of the histogram of a phase, in spanPhaseOrder; without counts when spans do not tell it.
func (l *spanLedger) latency(phase int) spanLatency {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.latencies[phase]
	h.value = h.value.Clone()
	return h
}
