package nixlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver"

import (
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// Bounds of the comparison between bytes of agents and bytes of links.
const (
	// windows are so many collections that are compared at least.
	windows = 3
	// spans are so many of the longest transfers that are compared at least: at the ends of the time, transfers are cut.
	spans = 3
	// maxFlows bounds what is kept of one namespace: half an hour of the default collections, 100 kB.
	maxFlows = 360
	// lag is how long after its end a transfer may be told, by NIXL's interval between exports and that of idle polls, with room.
	lag = time.Second
	// enough bytes to say anything at all.
	enough = 1 << 20
	// carried is the least share of the agents' bytes that a road must have carried to have been the one, absent the most that
	// roads may have carried when it was none of them. excess is the most that a road may have carried in all: beyond headers, the
	// rest is of something else, which may be all of it.
	carried, absent, excess = 0.7, 0.2, 1.3
	// aside is the share of bytes below which a direction is that of acknowledgements and requests.
	aside = 0.05
)

// carriage is the bytes of a road. What the loopback carries is sent and received at once.
type carriage struct {
	traffic
	looped uint64
}

// flow is what moved between two collections, in bytes.
type flow struct {
	since, until time.Time
	agents, all  traffic       // told by the agents of one namespace, and by those of the host
	longest      time.Duration // of a transfer that was told of, at most
	deaf         bool          // agents may have used RDMA ports that are not seen here
	rdma         traffic       // of the host's ports
	widest       carriage      // of the busiest interface of the namespace, so that bonds and bridges do not count twice
	every        carriage      // of all interfaces
}

func (t *traffic) add(o traffic) {
	t.transmit += o.transmit
	t.receive += o.receive
}

func (t traffic) total() uint64 { return t.transmit + t.receive }

func (c *carriage) add(o carriage) {
	c.traffic.add(o.traffic)
	c.looped += o.looped
}

// missed is how many bytes of t the road cannot have carried, direction by direction.
func (c carriage) missed(t traffic) uint64 {
	return t.total() - min(t.total(), min(t.transmit, c.transmit)+min(t.receive, c.receive)+c.looped)
}

// may says whether the road can have carried t, and something else besides.
func (c carriage) may(t traffic) bool { return c.missed(t) <= share(t, 1-carried) }

// did says whether the road carried t and little else.
func (c carriage) did(t traffic) bool { return c.may(t) && c.fits(t) }

func (c carriage) fits(t traffic) bool {
	moved := c.looped
	if t.transmit > share(t, aside) {
		moved += c.transmit
	}
	if t.receive > share(t, aside) {
		moved += c.receive
	}
	return moved <= share(t, excess)
}

func share(t traffic, of float64) uint64 { return uint64(of * float64(t.total())) }

// road is what is remembered of one network namespace. Its agents are taken together: links do not tell them apart.
type road struct{ recent []flow }

func (r *road) add(f flow) {
	r.recent = append(r.recent, f)
	if len(r.recent) > maxFlows {
		r.recent = append(r.recent[:0], r.recent[1:]...)
	}
}

// verdict is a value of AttrTransport, or "" when too little moved. A transfer is told when it ends, while its bytes were on the wire
// all the time; so what is compared goes back some transfers from when one was told last.
func (r *road) verdict() string {
	end := len(r.recent)
	for end > 0 && r.recent[end-1].agents.total() == 0 {
		end--
	}
	if end == 0 || end <= len(r.recent)-windows {
		return ""
	}
	begin := r.first(end)
	s := sum(r.recent[begin:end])
	if s.agents.total() < enough {
		return ""
	}
	rdma := carriage{traffic: s.rdma}
	switch mayRDMA, mayTCP := rdma.may(s.agents), s.every.may(s.agents); {
	case mayRDMA && mayTCP: // either may be of something else
	case mayRDMA && rdma.fits(s.all) && rdma.missed(s.all) <= share(s.agents, 1-carried):
		return signal.TransportRDMA
	case mayTCP && !mayRDMA && (s.every.did(s.agents) || s.widest.did(s.agents)):
		return signal.TransportTCP
	case r.local(begin, end):
		return signal.TransportLocal
	}
	return signal.TransportUnknown
}

// first is where to begin when the last transfers were told before end.
func (r *road) first(end int) int {
	begin := max(0, end-windows)
	until := r.recent[end-1].until.Add(-spans * sum(r.recent[begin:end]).longest)
	for begin > 0 && r.recent[begin-1].until.After(until) {
		begin--
	}
	return begin
}

// local says whether no road was used: none carried much from the first start of a transfer to after the last end. What was told
// last may have moved after the links were read, and waits for the next reading.
func (r *road) local(begin, end int) bool {
	newest := len(r.recent)
	end = min(end, newest-1)
	for begin < end && r.recent[begin].agents.total() == 0 {
		begin++
	}
	if begin >= end {
		return false
	}
	told := sum(r.recent[begin:end])
	if told.agents.total() < enough {
		return false
	}
	start := r.recent[begin].since.Add(-told.longest - lag)
	if r.recent[0].since.After(start) {
		return false // nobody looked then
	}
	for begin > 0 && r.recent[begin-1].until.After(start) {
		begin--
	}
	wire := sum(r.recent[begin:newest])
	return !wire.deaf && wire.rdma.total()+wire.every.total()+wire.every.looped <= share(told.agents, absent)
}

// sum adds flows; longest is the longest.
func sum(flows []flow) (s flow) {
	for _, f := range flows {
		s.agents.add(f.agents)
		s.all.add(f.all)
		s.rdma.add(f.rdma)
		s.widest.add(f.widest)
		s.every.add(f.every)
		s.longest = max(s.longest, f.longest)
		s.deaf = s.deaf || f.deaf
	}
	return s
}
