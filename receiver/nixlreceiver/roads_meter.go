package nixlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver"

import (
	"time"

	"github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/link"
)

// meter makes totals that never fall of a link's counters, which begin anew with the driver.
type meter struct {
	since  time.Time
	last   link.Link
	seen   bool
	total  traffic
	errors map[string]uint64
}

// read takes the counters and returns the increase.
func (m *meter) read(l link.Link) (moved traffic, served uint64) {
	if m.seen {
		moved = traffic{increase(m.last.Transmit, l.Transmit), increase(m.last.Receive, l.Receive)}
		served = increase(m.last.Served, l.Served)
		before := make(map[string]uint64, len(m.last.Errors))
		for _, e := range m.last.Errors {
			before[e.Name] = e.Value
		}
		for _, e := range l.Errors {
			if old, ok := before[e.Name]; ok {
				m.errors[e.Name] += increase(old, e.Value)
			}
		}
	} else {
		m.errors = make(map[string]uint64)
	}
	m.total.add(moved)
	m.last, m.seen = l, true
	return moved, served
}

// increase of a counter; after a fall it began anew.
func increase(before, now uint64) uint64 {
	if now >= before {
		return now - before
	}
	return now
}
