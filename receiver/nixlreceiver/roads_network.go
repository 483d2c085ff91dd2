package nixlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver"

import (
	"errors"
	"io/fs"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/link"
	"github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/owner"
)

// roads infers which road the transfers of this host took. The agents of each network namespace are compared with its interfaces,
// and those of the host with its RDMA ports.
type roads struct {
	spaces map[string]*space
	served []flow // the last windows, of the ports alone
	asked  []uint64
	blind  bool // the interfaces of an agent are not known
}

// maxSpaces bounds the namespaces that are followed.
const maxSpaces = 256

// space is a network namespace with agents in it.
type space struct {
	road
	last     time.Time            // of the reading before
	counters map[string]link.Link // then
}

// member is what the agents of one namespace told since the last collection.
type member struct {
	pid   int // one of theirs
	moved traffic
	deaf  bool
}

// update takes what agents and ports moved since the last collection, and reads the interfaces of the agents' namespaces.
// It returns the namespaces, by process. The caller holds the fleet's lock.
func (r *roads) update(finder *owner.Finder, agents []*agent, ports reading, now time.Time) map[int]string {
	r.serve(ports)
	r.blind = false
	proc := finder.Proc()
	own, _ := link.Own(proc)
	names, members := make(map[int]string), make(map[string]*member)
	var all traffic
	var longest time.Duration
	for _, a := range agents {
		moved, took := a.advance()
		all.add(moved)
		longest = max(longest, took)
		if a.state == down {
			continue
		}
		m := r.member(proc, a, names, members)
		if m == nil {
			continue
		}
		m.moved.add(moved)
		if a.owner.Verbs == owner.VerbsClosed && moved.total() > 0 { // it was seen before it had opened all that it needs
			a.owner.Verbs = finder.Verbs(a.owner.PID)
		}
		// RDMA devices can belong to a namespace as well, virtual functions of SR-IOV above all.
		m.deaf = m.deaf || a.owner.Verbs != owner.VerbsClosed && (names[a.owner.PID] != own || !ports.hasRDMA())
	}
	for name := range r.spaces {
		if members[name] == nil {
			delete(r.spaces, name)
		}
	}
	for name, m := range members {
		f := flow{until: now, agents: m.moved, all: all, longest: longest, rdma: ports.rdma, deaf: m.deaf}
		if !r.read(proc, name, m, f) {
			r.blind = true
			delete(r.spaces, name)
		}
	}
	return names
}

// member finds the namespace of an agent; nil when it cannot be told, which the end of a process is no reason to complain of.
func (r *roads) member(proc fs.FS, a *agent, names map[int]string, members map[string]*member) *member {
	if a.owner == nil {
		r.blind = true
		return nil
	}
	name, known := names[a.owner.PID]
	if !known {
		var err error
		name, err = link.Namespace(proc, a.owner.PID)
		r.blind = r.blind || err != nil && !errors.Is(err, fs.ErrNotExist)
		names[a.owner.PID] = name // "" when it cannot be read
	}
	if name == "" {
		return nil
	}
	m := members[name]
	if m == nil {
		if len(members) == maxSpaces {
			r.blind = true
			return nil
		}
		m = &member{pid: a.owner.PID}
		members[name] = m
	}
	return m
}

// read adds what the interfaces of a namespace carried. An interface that went took its last bytes with it, so all begins anew.
func (r *roads) read(proc fs.FS, name string, m *member, f flow) bool {
	all, err := link.ReadNamespace(proc, m.pid)
	if err != nil {
		return false
	}
	if r.spaces == nil {
		r.spaces = make(map[string]*space)
	}
	s := r.spaces[name]
	counters := make(map[string]link.Link, len(all))
	for _, l := range all {
		counters[l.Name] = l
	}
	for old := range s.names() {
		if _, ok := counters[old]; !ok {
			s = nil
			break
		}
	}
	if s == nil {
		r.spaces[name] = &space{last: f.until, counters: counters}
		return true
	}
	for _, l := range all {
		before := s.counters[l.Name]
		moved := traffic{increase(before.Transmit, l.Transmit), increase(before.Receive, l.Receive)}
		if l.Kind == link.Loopback {
			f.every.looped, f.widest.looped = moved.transmit, moved.transmit
		} else {
			f.every.traffic.add(moved)
			f.widest.transmit, f.widest.receive = max(f.widest.transmit, moved.transmit), max(f.widest.receive, moved.receive)
		}
	}
	f.since = s.last
	s.last, s.counters = f.until, counters
	s.add(f)
	return true
}

func (s *space) names() map[string]link.Link {
	if s == nil {
		return nil
	}
	return s.counters
}

// of is the verdict about an agent that moves; "" when too little moved.
func (r *roads) of(a *agent, names map[int]string) string {
	var s *space
	if a.owner != nil {
		s = r.spaces[names[a.owner.PID]]
	}
	if s == nil {
		return signal.TransportUnknown
	}
	return s.verdict()
}

// serve takes what the ports moved.
func (r *roads) serve(ports reading) {
	r.served, r.asked = append(r.served, flow{rdma: ports.rdma}), append(r.asked, ports.served)
	if len(r.served) > windows {
		r.served, r.asked = r.served[1:], r.asked[1:]
	}
}

// passive is the verdict about agents that move nothing themselves: their peers read from or write to them, which only an RDMA port
// tells.
func (r *roads) passive() string {
	var asked uint64
	for _, n := range r.asked {
		asked += n
	}
	if asked > 0 && sum(r.served).rdma.total() >= enough {
		return signal.TransportRDMA
	}
	return ""
}
