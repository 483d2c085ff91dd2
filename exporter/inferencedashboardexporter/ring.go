package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"math"
	"time"
)

// ring keeps every series at a fixed resolution. A series is 4 bytes a slot, taken with its first value: a worker has half of them, and which
// depends on what stands before the page.
type ring struct {
	step        time.Duration
	slots       int64
	cells       []float32             // one series after the other, by slot; NaN is a gap
	place       [historyMetrics]uint8 // of a series among them, from 1 on; 0 while it has no value
	begun       bool
	first, last int64 // absolute slot numbers, both written
}

func newRing(e extent) *ring { return &ring{step: e.step, slots: int64(e.slots)} }

// slot is the absolute number of the slot of now.
func (g *ring) slot(now time.Time) int64 { return now.UnixNano() / int64(g.step) }

// put writes r into the slot of now. A later write into the same slot replaces it; slots left out are gaps.
func (g *ring) put(now time.Time, r row) {
	slot := g.slot(now)
	switch {
	case !g.begun:
		g.begun, g.first, g.last = true, slot, slot
	case slot < g.last: // the clock was set back: what was written of later times goes
		g.first, g.last = min(g.first, slot), slot
	case slot-g.last >= g.slots:
		g.first, g.last = slot, slot
	}
	for s := g.last + 1; s < slot; s++ {
		g.write(s, row{})
	}
	g.write(slot, r)
	g.last = slot
	g.first = max(g.first, slot-g.slots+1)
}

func (g *ring) write(slot int64, r row) {
	g.begin(r)
	for m, n := range r {
		if g.place[m] == 0 {
			continue
		}
		value := float32(math.NaN())
		if n.ok {
			value = float32(n.value)
		}
		*g.cell(slot, historyMetric(m)) = value
	}
}

// begin makes room for the series that have their first value. It happens seldom, so that nothing is kept in reserve.
func (g *ring) begin(r row) {
	before, series := len(g.cells), len(g.cells)/max(1, int(g.slots))
	all := series
	for m, n := range r {
		if n.ok && g.place[m] == 0 {
			all++
			g.place[m] = uint8(all)
		}
	}
	if all == series {
		return
	}
	cells := make([]float32, all*int(g.slots))
	copy(cells, g.cells)
	for i := before; i < len(cells); i++ {
		cells[i] = float32(math.NaN())
	}
	g.cells = cells
}

func (g *ring) cell(slot int64, m historyMetric) *float32 {
	return &g.cells[(int64(g.place[m])-1)*g.slots+slot%g.slots]
}

func (g *ring) at(slot int64, m historyMetric) number {
	if g.place[m] == 0 {
		return number{}
	}
	v := float64(*g.cell(slot, m))
	if math.IsNaN(v) {
		return number{}
	}
	return some(v)
}

// read returns a series, oldest first, and the time of its first slot in Unix milliseconds.
func (g *ring) read(m historyMetric) (start int64, values []number) {
	if !g.begun {
		return 0, []number{}
	}
	values = make([]number, 0, g.last-g.first+1)
	for slot := g.first; slot <= g.last; slot++ {
		values = append(values, g.at(slot, m).rounded())
	}
	return g.first * g.step.Milliseconds(), values
}
