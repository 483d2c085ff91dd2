package nixlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver"

import (
	"path/filepath"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/nixl"
	"github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/owner"
)

// How often all processes of the host are looked through: at once when there is something new, else so that processes without
// telemetry are found, and while an owner is not to be found.
const (
	lookAnyway = time.Minute
	lookAgain  = 30 * time.Second
)

// fleet is the agents of the host. The survey changes who is in it; polls and collections read and change the agents.
type fleet struct {
	cfg    *Config
	render *renderer
	tell   *reporter
	finder *owner.Finder
	saved  *checkpoint

	// For the survey alone.
	refused  refusals
	finished map[string]fileStamp // files whose agents were forgotten, by path
	looked   time.Time

	mu     sync.Mutex
	agents []*agent
	slots  *slots
	silent []owner.Process // that have NIXL and no telemetry
	blind  bool            // not every process could be looked at
	refuse map[string]int  // files that are not read, by reason
	buried pmetric.Metrics // last points of lives that ended since the last collection
}

func newFleet(cfg *Config, render *renderer, tell *reporter, finder *owner.Finder, saved *checkpoint) *fleet {
	return &fleet{
		cfg: cfg, render: render, tell: tell, finder: finder, saved: saved, slots: newSlots(), buried: pmetric.NewMetrics(),
		refused: make(refusals), finished: make(map[string]fileStamp), refuse: make(map[string]int),
	}
}

// poll reads all rings.
func (f *fleet) poll(now time.Time, s *nixl.Scratch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	events := 0
	for _, a := range f.agents {
		if a.ring == nil || !a.looked {
			continue
		}
		t := a.poll(now, &f.cfg.Sources.Buffer, s, func(a *agent) { f.bury(a, now) })
		events += t.events
		f.tell.turn(a, t)
	}
	f.tell.events(events)
}

// survey looks for agents that came or went.
func (f *fleet) survey(now time.Time) {
	listed, err := list(&f.cfg.Sources)
	f.tell.listing(wrapList(err))
	byPath := make(map[string]fileStamp, len(listed))
	for _, c := range listed {
		byPath[c.path] = c.fileStamp
	}
	f.refused.keep(byPath)
	for path := range f.finished {
		if byPath[path] != f.finished[path] {
			delete(f.finished, path)
		}
	}
	known := make(map[string]*agent, len(f.agents))
	f.mu.Lock()
	for _, a := range f.agents {
		stamp, ok := byPath[a.path]
		a.unlinked = err == nil && (!ok || stamp.id != a.id())
		if ok && !a.unlinked {
			known[a.path], a.info = a, stamp
		}
	}
	f.mu.Unlock()
	fresh := f.open(listed, known, now)
	f.look(now, fresh)
	f.settle(now)
}

// open adds the files that are new.
func (f *fleet) open(listed []candidate, known map[string]*agent, now time.Time) (fresh []*agent) {
	for _, c := range listed {
		if known[c.path] != nil || f.refused.settled(c) {
			continue
		}
		if _, done := f.finished[c.path]; done {
			continue
		}
		a, err := f.openOne(c, len(f.agents)+len(fresh), now)
		if err != nil {
			if f.refused.add(c, err, now) {
				f.tell.refused(c.path, err)
			}
			continue
		}
		delete(f.refused, c.path)
		fresh = append(fresh, a)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range fresh {
		f.inherit(a, now)
	}
	f.agents = append(f.agents, fresh...)
	clear(f.refuse)
	for _, r := range f.refused {
		if r.told {
			f.refuse[r.why]++
		}
	}
	f.tell.agents(len(f.agents))
	return fresh
}

func (f *fleet) openOne(c candidate, n int, now time.Time) (*agent, error) {
	if n >= f.cfg.MaxAgents {
		return nil, errLimit
	}
	return c.open(&f.cfg.Sources.Buffer, now)
}

// inherit ends the agent whose file another has replaced. The caller holds the lock.
func (f *fleet) inherit(a *agent, now time.Time) {
	for i, old := range f.agents {
		if old.path == a.path {
			a.restarts, a.contention, a.first = old.restarts+1, old.contention, old.first
			f.bury(old, now)
			f.remove(i)
			return
		}
	}
}

// look finds the processes of the agents, if it is time to.
func (f *fleet) look(now time.Time, fresh []*agent) {
	files, due := f.missing(now)
	if len(fresh) == 0 && !due && now.Sub(f.looked) < lookAnyway {
		return
	}
	f.looked = now
	found, err := f.finder.Find(files)
	f.tell.processes(err)
	f.saved.load(fresh)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.silent, f.blind = found.Silent, err != nil || !found.Complete
	for _, a := range f.agents {
		p, ok := found.Owners[a.id()]
		f.own(a, p, ok, now)
		if !a.looked {
			f.saved.restore(a, now, &f.cfg.Sources.Buffer)
			a.looked = true
		}
	}
}

// missing lists the files of all agents, and says whether one has no owner who lives.
func (f *fleet) missing(now time.Time) (files []owner.File, due bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	alive := make(map[int]bool) // by process, which may have several agents
	for _, a := range f.agents {
		files = append(files, owner.File{ID: a.id(), Base: filepath.Base(a.path)})
		switch {
		case a.owner == nil && a.state != down:
			due = due || now.Sub(f.looked) >= lookAgain || a.fresh()
		case a.state == up && a.owner != nil:
			lives, asked := alive[a.owner.PID]
			if !asked {
				lives = f.finder.Alive(*a.owner)
				alive[a.owner.PID] = lives
			}
			due = due || !lives
		}
	}
	return files, due
}

// fresh says whether nobody has looked for the owner yet.
func (a *agent) fresh() bool {
	return a.state == unknown && !a.emitted && a.owner == nil && a.restarts > 0
}

// own takes what a look has found for one agent. The caller holds the lock.
func (f *fleet) own(a *agent, p owner.Process, found bool, now time.Time) {
	switch {
	case found && a.owner != nil && (a.owner.PID != p.PID || a.owner.Start != p.Start) && a.ring != nil:
		// The agent began anew, and nothing in the ring gave that away.
		f.bury(a, now)
		a.restarts++
		a.begin(now)
		fallthrough
	case found:
		a.owner = &p
		a.setState(up, now)
	case a.store != nil:
	case a.owner != nil || !f.blind:
		a.setState(down, now)
	}
}

// settle asks the stores whether their writers live, and forgets the agents that are gone.
func (f *fleet) settle(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := len(f.agents) - 1; i >= 0; i-- {
		a := f.agents[i]
		if a.store != nil {
			f.tell.read(a, f.ask(a, now))
		}
		if f.over(a, now) {
			f.bury(a, now)
			f.finished[a.path] = a.info
			f.remove(i)
		}
	}
	f.tell.agents(len(f.agents))
}

// ask finds out whether the writer of a store lives.
func (f *fleet) ask(a *agent, now time.Time) error {
	alive, err := a.store.Alive()
	switch {
	case err != nil:
		return err
	case alive:
		a.setState(up, now)
	default:
		a.setState(down, now)
	}
	return nil
}

// over says whether an agent is to be forgotten.
func (f *fleet) over(a *agent, now time.Time) bool {
	switch {
	case a.state == down && (a.unlinked || now.Sub(a.downSince) >= f.cfg.StaleAfter):
		return true
	case a.state == down:
		return a.polled() && a.unwritten() && !a.emitted // left behind by an agent that ended before we began
	default:
		return a.state == unknown && a.unlinked && now.Sub(a.lastEvent) >= f.cfg.StaleAfter
	}
}

// remove takes an agent out and leaves its file as it is. The caller holds the lock.
func (f *fleet) remove(i int) {
	a := f.agents[i]
	f.agents = slices.Delete(f.agents, i, i+1)
	f.slots.free(a)
	f.saved.forget(a)
	f.tell.closed(a, a.close())
}

// close ends reading.
func (f *fleet) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.agents {
		f.tell.closed(a, a.close())
	}
	f.agents = nil
	f.tell.agents(0)
}
