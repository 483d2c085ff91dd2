package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// fleet is the members of a fleet. Its state holds what others say of the fleet as a whole; its windows end where those of its members do.
type fleet struct {
	state   *state
	members []*state
	judged  int64 // data time of the last judgement
}

// home is where an engine serves, by which agents find their worker.
type home struct{ host, port string }

func (s *state) home() home {
	return home{s.Facts[signal.AttrHostName], s.Facts[signal.AttrServerPort]}
}

// adopt puts an agent that names its engine's port, and no fleet, into the fleet of that worker.
func (a *Advisor) adopt(s *state) {
	if s.Kind != Agent || s.Fleet != "" {
		return
	}
	if name, ok := a.homes[s.home()]; ok && name != "" {
		a.part(s)
		s.Fleet = name
		a.join(s)
	}
}

// join makes a subject a member of its fleet.
func (a *Advisor) join(s *state) {
	if h := s.home(); s.Kind == Worker && h.port != "" {
		a.homes[h] = s.Fleet
	}
	if s.Kind == Fleet {
		a.fleets[s.Instance] = &fleet{state: s}
		return
	}
	f := a.fleets[s.Fleet]
	if f == nil {
		id := Identity{Ref: FleetRef(s.Fleet), Fleet: s.Fleet}
		f = &fleet{state: newState(id, &a.cfg, a.known)}
		a.fleets[s.Fleet] = f
		a.subjects[id.Ref] = f.state
		a.recall(f.state)
	}
	f.members = append(f.members, s)
}

// part takes a subject out of its fleet.
func (a *Advisor) part(s *state) {
	if s.Kind == Worker {
		delete(a.homes, s.home())
	}
	if f := a.fleets[s.Fleet]; f != nil && s.Kind != Fleet {
		f.members = slices.DeleteFunc(f.members, func(m *state) bool { return m == s })
	}
}

func (a *Advisor) fleetOf(s *state) *fleet { return a.fleets[s.Fleet] }

// judgeFleet asks a fleet's rules when a window of all its live members is complete, or when the lateness has run out for those that
// lag.
func (a *Advisor) judgeFleet(f *fleet, out *Report) {
	newest, oldest := int64(0), int64(0)
	for _, m := range f.members {
		if m.silent || m.closed == 0 {
			continue
		}
		newest = max(newest, m.closed)
		if oldest == 0 || m.closed < oldest {
			oldest = m.closed
		}
	}
	if at := max(oldest, newest-int64(a.cfg.Lateness)); at > f.judged {
		a.closeFleet(f, at, out)
	}
}

// closeFleet judges a fleet as of a data time.
func (a *Advisor) closeFleet(f *fleet, at int64, out *Report) {
	s := f.state
	if w, ok := s.complete(true); ok {
		s.keep(w, a.cfg.Trailing)
	}
	f.judged = at
	r := readAt(s, at, &a.cfg)
	first := at
	for _, m := range f.members {
		if m.closed == 0 {
			continue
		}
		first = min(first, m.started)
		// Also one that lags behind the others by more than rules look back.
		if m.silent || at-m.closed > int64(a.cfg.Trailing) {
			r.Silent = append(r.Silent, read(m, &a.cfg))
		} else {
			r.Members = append(r.Members, read(m, &a.cfg))
		}
	}
	r.seconds = float64(at-first) / 1e9
	r.countRoles()
	a.judge(r, out)
}

// countRoles makes the facts of a fleet that its members are.
func (r *Reading) countRoles() {
	for name := range r.Facts {
		if strings.HasPrefix(name, FactWorkers) {
			delete(r.Facts, name)
		}
	}
	count := map[string]int{signal.RolePrefill: 0, signal.RoleDecode: 0}
	for _, w := range r.Workers() {
		count[w.Role()]++
	}
	var parts []string
	for _, role := range slices.Sorted(maps.Keys(count)) {
		parts = append(parts, fmt.Sprintf("%s=%d", role, count[role]))
		r.Facts[FactWorkers+role] = strconv.Itoa(count[role])
	}
	r.Facts[FactTotal] = strconv.Itoa(len(r.Workers()))
	r.Facts[FactTopology] = strings.Join(parts, " ")
}

// sweepFleets judges the fleets of which members fell silent, and forgets those without members.
func (a *Advisor) sweepFleets(changed map[*fleet]bool, now time.Time, out *Report) {
	for _, name := range slices.Sorted(maps.Keys(a.fleets)) {
		f := a.fleets[name]
		switch {
		case len(f.members) == 0 && now.Sub(f.state.heard) > a.cfg.MaxStale:
			a.forget(f.state, now, out)
			delete(a.fleets, name)
			maps.DeleteFunc(a.records, func(k recordKey, _ record) bool { return k.fleet == name })
		case changed[f] && len(f.members) > 0 && !slices.ContainsFunc(f.members, func(m *state) bool { return !m.silent }):
			// Nobody is left whose windows would end.
			a.closeFleet(f, f.judged+int64(a.cfg.Window), out)
		}
	}
}

func compareRefs(a, b Ref) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Host, b.Host), cmp.Compare(a.Instance, b.Instance), cmp.Compare(a.Model, b.Model))
}
