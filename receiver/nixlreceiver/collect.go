package nixlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver"

import (
	"maps"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/owner"
	"github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/ucxlog"
)

// collector puts together what is told at one time. It is used by one goroutine.
type collector struct {
	fleet *fleet
	links *links
	roads roads
	tail  *ucxlog.Tail // nil when no logs are read
	seen  sightings
}

func newTail(cfg *Config) *ucxlog.Tail {
	if len(cfg.EngineLogs) == 0 {
		return nil
	}
	return ucxlog.NewTail(cfg.EngineLogs)
}

// collect returns all points. The last points of lives that ended are among them until the pipeline has taken them: see delivered.
func (c *collector) collect(now time.Time) pmetric.Metrics {
	r := c.links.read(now)
	if c.tail != nil {
		choices, err := c.tail.Read()
		c.fleet.tell.logs(err)
		c.seen.add(choices, now)
	}
	f := c.fleet
	f.mu.Lock()
	defer f.mu.Unlock()
	agents := f.present(now)
	out := pmetric.NewMetrics()
	f.buried.CopyTo(out)
	f.offered = f.buried.ResourceMetrics().Len()
	var spaces map[int]string
	if c.links.sys != nil {
		spaces = c.roads.update(f.finder, agents, r, now)
	}
	passive := c.roads.passive()
	var said map[*agent][]sighting
	if c.tail != nil {
		said = c.seen.match(agents, f.finder, c.tail.Follows, now, f.cfg.StaleAfter)
	}
	for _, a := range agents {
		s := f.render.agent(out, a, now)
		if c.links.sys != nil {
			s.counters(a, c.roads.of(a, spaces), passive)
		}
		s.devices(a)
		c.seen.tell(s, said[a])
		a.usage = 0
		a.told = a.moved()
	}
	host := f.render.sheet(out, f.render.hostResource(), now)
	host.agents(agents)
	host.links(c.links, r)
	c.seen.rest(host)
	for _, h := range append(f.hints(), c.hints()...) {
		host.gauge(signal.SourceMissing, signal.AttrSource, h.source, signal.AttrSourceHint, h.hint).SetIntValue(1)
	}
	return out
}

// present reads the stores and returns the agents of which there is something to tell, identified. The caller holds the lock.
func (f *fleet) present(now time.Time) (agents []*agent) {
	for _, a := range f.agents {
		if !f.presentable(a, now) {
			continue
		}
		f.refresh(a, now)
		f.identify(a, now)
	}
	for _, a := range f.agents { // one may have lost its slot to a later one
		if f.presentable(a, now) {
			agents = append(agents, a)
		}
	}
	return agents
}

// refresh reads a store.
func (f *fleet) refresh(a *agent, now time.Time) {
	if a.store != nil {
		f.tell.read(a, a.refresh(now, f.monotonic()))
	}
}

// delivered drops the last points that the pipeline has taken.
func (f *fleet) delivered() {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	f.buried.ResourceMetrics().RemoveIf(func(pmetric.ResourceMetrics) bool { n++; return n <= f.offered })
	f.offered = 0
}

func (f *fleet) presentable(a *agent, now time.Time) bool {
	return a.presentable(now, f.cfg.StaleAfter)
}

// isOver says of agents whether their slots may be taken.
func (f *fleet) isOver(now time.Time) func(*agent) bool {
	return func(a *agent) bool { return a.state == down || a.silent(now, f.cfg.StaleAfter) }
}

// identify gives an agent its resource, if it has none yet.
func (f *fleet) identify(a *agent, now time.Time) {
	if a.emitted {
		return
	}
	f.slots.assign(a, f.cfg.AgentName, f.isOver(now), func(old *agent) {
		if f.presentable(old, now) && old.emitted && f.hasRoom() {
			f.render.agent(f.buried, old, now)
		}
		old.evicted(now)
	})
	f.render.identify(a)
}

// hasRoom bounds the last points that wait for a pipeline that refuses them.
func (f *fleet) hasRoom() bool { return f.buried.ResourceMetrics().Len() < 2*f.cfg.MaxAgents }

// bury keeps the last points of a life that ends. The caller holds the lock.
func (f *fleet) bury(a *agent, now time.Time) {
	if !f.presentable(a, now) || !f.hasRoom() {
		return
	}
	f.refresh(a, now)
	f.identify(a, now)
	if a.tally != nil {
		a.tally.Cut()
	}
	f.render.agent(f.buried, a, now)
}

// hints says what would tell more of the transport.
func (c *collector) hints() []hint {
	if c.links.sys == nil || !c.roads.blind {
		return nil
	}
	return []hint{{"nixl.network", "The network interfaces of some agents cannot be read, so their transport is unknown: give the " +
		"collector CAP_SYS_PTRACE, and in a container the host's PID namespace (hostPID) and /proc"}}
}

func (s *sheet) agents(agents []*agent) {
	count := map[string]int64{signal.NIXLSourceBuffer: 0, signal.NIXLSourceMultiproc: 0}
	for _, a := range agents {
		if a.state != down {
			count[a.source()]++
		}
	}
	for _, source := range slices.Sorted(maps.Keys(count)) {
		s.gauge(signal.NIXLAgents, signal.AttrNIXLSource, source).SetIntValue(count[source])
	}
}

// counters tells what the bytes of links say of the road of one agent.
func (s *sheet) counters(a *agent, active, passive string) {
	verdict := passive
	if now := a.moved(); now != a.told || a.moving {
		verdict = active
	}
	a.moving = a.moved() != a.told
	if verdict != "" && a.state != down {
		s.gauge(signal.NIXLTransport, signal.AttrTransport, verdict, signal.AttrEvidence, signal.EvidenceCounters).SetIntValue(1)
	}
}

// devices tells what open RDMA devices say. One that is open is no proof of its use, and none open leaves TCP and memory.
func (s *sheet) devices(a *agent) {
	if a.owner == nil || a.owner.Verbs == owner.VerbsUnknown || a.state == down {
		return
	}
	s.gauge(signal.NIXLTransport, signal.AttrTransport, signal.TransportUnknown, signal.AttrEvidence, signal.EvidenceFD).SetIntValue(1)
}
