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
		c.seen.add(choices)
	}
	f := c.fleet
	f.mu.Lock()
	defer f.mu.Unlock()
	agents := f.present(now)
	out := pmetric.NewMetrics()
	f.buried.CopyTo(out)
	f.offered = f.buried.ResourceMetrics().Len()
	r.flow.agents = moved(agents)
	c.roads.add(r.flow)
	active, passive := c.roads.verdict()
	if c.links.sys == nil {
		active, passive = "", ""
	}
	for _, a := range agents {
		s := f.render.agent(out, a, now)
		s.transport(a, active, passive)
		c.seen.tell(s, a)
		a.usage = 0
		a.told = a.moved()
	}
	host := f.render.sheet(out, f.render.hostResource(), now)
	host.agents(agents)
	host.links(c.links, r)
	c.seen.rest(host)
	for _, h := range f.hints() {
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

// moved is what the agents moved since the last collection. What an agent had done before its first is of another time.
func moved(agents []*agent) (sum traffic) {
	for _, a := range agents {
		if !a.collected {
			a.told, a.collected = a.moved(), true
		}
		now := a.moved()
		sum.add(traffic{increase(a.told.transmit, now.transmit), increase(a.told.receive, now.receive)})
	}
	return sum
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

// transport tells what links and open devices say of the road of one agent.
func (s *sheet) transport(a *agent, active, passive string) {
	verdict := passive
	if now := a.moved(); now != a.told || a.moving {
		verdict = active
	}
	a.moving = a.moved() != a.told
	if verdict != "" && a.state != down {
		s.gauge(signal.NIXLTransport, signal.AttrTransport, verdict, signal.AttrEvidence, signal.EvidenceCounters).SetIntValue(1)
	}
	if a.owner == nil || a.owner.Verbs == owner.VerbsUnknown || a.state == down {
		return
	}
	// An open device is no proof of its use. None open is proof of no RDMA, but leaves TCP and memory.
	transport := signal.TransportUnknown
	if a.owner.Verbs == owner.VerbsOpen {
		transport = signal.TransportRDMA
	}
	s.gauge(signal.NIXLTransport, signal.AttrTransport, transport, signal.AttrEvidence, signal.EvidenceFD).SetIntValue(1)
}

// sightings are what engine logs said last, by agent or, where the log names none, by process.
type sightings struct {
	last map[sighting]ucxlog.Choice
	told map[sighting]bool // to an agent, at this collection
}

type sighting struct {
	agent string
	pid   int // only without an agent
	write bool
}

// maxSightings bounds them; an engine's agent has two.
const maxSightings = 4096

func (x *sightings) add(choices []ucxlog.Choice) {
	if x.last == nil {
		x.last = make(map[sighting]ucxlog.Choice)
	}
	for _, c := range choices {
		key := sighting{agent: c.Agent, write: c.Write}
		if c.Agent == "" {
			key.pid = c.PID
		}
		if _, known := x.last[key]; known || len(x.last) < maxSightings {
			x.last[key] = c
		}
	}
	x.told = make(map[sighting]bool)
}

// tell writes what the log said of one agent.
func (x *sightings) tell(s *sheet, a *agent) {
	for _, write := range []bool{true, false} {
		key := sighting{agent: a.name, write: write}
		if _, named := x.last[key]; !named && a.owner != nil {
			key = sighting{pid: a.owner.PID, write: write}
		}
		if c, ok := x.last[key]; ok {
			x.told[key] = true
			s.sighted(c)
		}
	}
}

// rest tells of the agents that have no telemetry, together.
func (x *sightings) rest(s *sheet) {
	told := make(map[[2]string]bool)
	for key, c := range x.last {
		pair := [2]string{string(c.Transport), direction(c.Write)}
		if !x.told[key] && !told[pair] {
			told[pair] = true
			s.sighted(c)
		}
	}
}

func (s *sheet) sighted(c ucxlog.Choice) {
	s.gauge(signal.NIXLTransport, signal.AttrTransport, string(c.Transport), signal.AttrEvidence, signal.EvidenceLog,
		signal.AttrNetDirection, direction(c.Write)).SetIntValue(1)
}

func direction(write bool) string {
	if write {
		return signal.DirectionTransmit
	}
	return signal.DirectionReceive
}
