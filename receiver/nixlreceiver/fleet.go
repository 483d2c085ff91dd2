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

	mu      sync.Mutex
	pass    int // of polls
	agents  []*agent
	slots   *slots
	silent  []owner.Process // that have NIXL and no telemetry
	blind   bool            // not every process could be looked at
	refuse  map[string]int  // files that are not read, by reason
	buried  pmetric.Metrics // last points of lives that ended, until they are delivered
	offered int             // of buried, what the last collection has
	scratch *nixl.Scratch   // for last polls

	monotonic func() int64 // the clock of stores
}

func newFleet(cfg *Config, render *renderer, tell *reporter, finder *owner.Finder, saved *checkpoint, monotonic func() int64) *fleet {
	render.nameless = cfg.AgentName == NameDrop
	return &fleet{
		cfg: cfg, render: render, tell: tell, finder: finder, saved: saved, slots: newSlots(), buried: pmetric.NewMetrics(),
		refused: make(refusals), finished: make(map[string]fileStamp), refuse: make(map[string]int),
		scratch: new(nixl.Scratch), monotonic: monotonic,
	}
}

// idleAfter is how long a ring is silent before it is polled every maxPoll only, which NIXL's own interval allows.
const idleAfter = 10 * time.Second

// passes is in how many polls every ring is read.
func (f *fleet) passes() int { return int(maxPoll / f.cfg.PollInterval) }

// poll reads the rings, of the idle ones some in turn.
func (f *fleet) poll(now time.Time, s *nixl.Scratch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	events, turns := 0, f.passes()
	f.pass++
	for i, a := range f.agents {
		if a.ring == nil || !a.looked || now.Sub(a.lastEvent) >= idleAfter && (f.pass+i)%turns != 0 {
			continue
		}
		events += f.turn(a, now, s).events
	}
	f.tell.events(events)
}

// survey looks for agents that came or went.
func (f *fleet) survey(now time.Time) {
	found, err := list(&f.cfg.Sources)
	listed := found.all
	f.tell.listing(wrapList(err))
	f.tell.cutOff(found.cut)
	byPath := make(map[string]fileStamp, len(listed))
	for _, c := range listed {
		byPath[c.path] = c.fileStamp
	}
	f.refused.keep(byPath)
	for path, was := range f.finished {
		// One that only could not be listed would be told of anew.
		if stamp, ok := byPath[path]; ok && stamp != was || !ok && (err == nil || len(f.finished) > maxFiles) {
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
	fresh := f.open(f.candidates(listed, known), now)
	f.look(now, fresh)
	f.settle(now)
}

// candidates are the files that may be opened, in the order in which they shall be: where there are more than the limit allows, those
// that a process has mapped come first, so that what dead engines left behind hides no live one.
func (f *fleet) candidates(listed []candidate, known map[string]*agent) (all []candidate) {
	var files []owner.File
	unseen := false
	for _, c := range listed {
		if _, done := f.finished[c.path]; done || known[c.path] != nil || f.refused.settled(c) {
			continue
		}
		all, files = append(all, c), append(files, owner.File{ID: c.id, Base: filepath.Base(c.path)})
		unseen = unseen || f.refused[c.path] == nil || f.refused[c.path].fileStamp != c.fileStamp
	}
	if !unseen || len(f.agents)+len(all) <= f.cfg.MaxAgents {
		return all
	}
	found, err := f.finder.Find(files)
	f.tell.processes(err)
	for i := range all {
		_, all[i].owned = found.Owners[all[i].id]
	}
	slices.SortStableFunc(all, func(a, b candidate) int {
		switch {
		case a.owned == b.owned:
			return 0
		case a.owned:
			return -1
		}
		return 1
	})
	return all
}

// open adds files that are new.
func (f *fleet) open(candidates []candidate, now time.Time) (fresh []*agent) {
	for _, c := range candidates {
		if len(f.agents)+len(fresh) >= f.cfg.MaxAgents {
			f.makeRoom(now, c.owned)
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

// makeRoom forgets the agent that has been silent longest, where nobody can say whether it lives, or for one that lives where the
// other is dead. Engines that restart under random names leave one file each behind, and must not use up the limit.
func (f *fleet) makeRoom(now time.Time, lives bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	oldest := -1
	for i, a := range f.agents {
		if (a.silent(now, f.cfg.StaleAfter) || lives && a.state == down) && (oldest < 0 || a.lastEvent.Before(f.agents[oldest].lastEvent)) {
			oldest = i
		}
	}
	if oldest >= 0 {
		a := f.agents[oldest]
		f.drain(a, now)
		f.bury(a, now)
		f.finished[a.path] = a.info
		f.remove(oldest)
	}
}

// inherit ends the agent whose file another has replaced. The caller holds the lock.
func (f *fleet) inherit(a *agent, now time.Time) {
	for i, old := range f.agents {
		if old.path == a.path {
			a.restarts, a.contention, a.first = old.restarts+1, old.contention, old.first
			f.drain(old, now)
			f.bury(old, now)
			f.remove(i)
			return
		}
	}
}

// settle asks the stores whether their writers live, and forgets the agents that are gone.
func (f *fleet) settle(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := len(f.agents) - 1; i >= 0; i-- {
		a := f.agents[i]
		if a.store != nil {
			if err := f.ask(a, now); err != nil {
				f.tell.read(a, err)
			}
		}
		if f.over(a, now) {
			f.drain(a, now)
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
