package nixlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver"

import (
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/link"
)

// Bounds of the comparison between bytes of agents and bytes of links.
const (
	// windows are so many collections: a transfer is told when it ends, up to two polls after its bytes were on the wire.
	windows = 3
	// enough bytes over the windows to say anything at all.
	enough = 1 << 20
	// carried is the least share of the agents' bytes that a road must have carried to have been the one, absent the most that
	// roads may have carried when it was none of them.
	carried, absent = 0.7, 0.2
)

// flow is what moved between two collections, in bytes.
type flow struct {
	agents, rdma, network traffic
	served                uint64 // remote operations that RDMA ports answered
}

// roads infers which road the transfers of this host took. Agents of one host are taken together: the links do not tell them apart.
type roads struct{ recent []flow }

// add takes the flow since the last collection.
func (r *roads) add(f flow) {
	r.recent = append(r.recent, f)
	if len(r.recent) > windows {
		r.recent = r.recent[1:]
	}
}

func (t *traffic) add(o traffic) {
	t.transmit += o.transmit
	t.receive += o.receive
}

// covers is the share of t that other could have carried, direction by direction.
func (t traffic) coveredBy(other traffic) float64 {
	return float64(min(t.transmit, other.transmit)+min(t.receive, other.receive)) / float64(t.transmit+t.receive)
}

// verdict is a value of AttrTransport, or "" when too little moved. passive speaks of agents that move nothing themselves: their
// peers read from or write to them, which only an RDMA port tells.
func (r *roads) verdict() (active, passive string) {
	var all flow
	for _, f := range r.recent {
		all.agents.add(f.agents)
		all.rdma.add(f.rdma)
		all.network.add(f.network)
		all.served += f.served
	}
	if all.served > 0 && all.rdma.transmit+all.rdma.receive >= enough {
		passive = signal.TransportRDMA
	}
	if all.agents.transmit+all.agents.receive < enough {
		return "", passive
	}
	rdma, network := all.agents.coveredBy(all.rdma), all.agents.coveredBy(all.network)
	switch {
	case rdma >= carried && network >= carried:
		return signal.TransportUnknown, passive // either may be of something else
	case rdma >= carried:
		return signal.TransportRDMA, passive
	case network >= carried:
		return signal.TransportTCP, passive
	case rdma <= absent && network <= absent:
		return signal.TransportLocal, passive
	}
	return signal.TransportUnknown, passive
}

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
