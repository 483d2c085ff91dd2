package nixlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver"

import (
	"path/filepath"
	"time"

	"github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/owner"
)

// How often all processes of the host are looked through: at once when there is something new, else so that processes without
// telemetry are found, and while an owner is not to be found.
const (
	lookAnyway = time.Minute
	lookAgain  = 30 * time.Second
)

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
		if p, ok := found.Owners[a.id()]; err == nil {
			f.own(a, p, ok, now)
		}
		a.policy.vetted, a.policy.readers = now, err == nil && found.Readers[a.id()]
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
		due = due || a.ring != nil && a.policy.waits()
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
