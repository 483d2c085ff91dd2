package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

const (
	// maxStreamed is how many workers a page is told of. Where there are more, it is told of a part of one fleet.
	maxStreamed = 1000
	// rankedFor is how long the order of workers stands, so that those at the edge of what is told do not come and go with every update.
	rankedFor = 30 * time.Second
)

// look is what a page looks at. It matters only where there are more workers than a page is told of.
type look struct {
	fleet  string // id or name; where there is none of it that of worker, else the one that is worst off
	filter string // words in lower case that a worker has to have, in its names, its host, its model, engine, role or state
	from   int    // how many of the worst are passed over
	worker string // id of one that is told in any case, where it is of the fleet
}

// scopeView says which workers a page is told of.
type scopeView struct {
	FleetID  string `json:"fleet_id"` // whose workers are told; "" for all of all fleets
	Matching int    `json:"matching"` // workers of it that match the filter
	From     int    `json:"from"`     // how many of the worst are passed over
	Most     int    `json:"most"`     // workers that are told at most
}

// audience is the pages that look at the same. Only the hub uses it, under its lock.
type audience struct {
	look
	subs  map[chan []byte]struct{}
	last  *snapshot // what they know
	spoke time.Time // when the last message went out

	chosen string         // the fleet's id, kept while it lasts
	place  map[string]int // of workers in the order of their trouble
	ranked int64          // when, Unix milliseconds
}

func newAudience(l look) *audience {
	return &audience{look: l, subs: map[chan []byte]struct{}{}, last: emptySnapshot()}
}

// see returns what the audience is told of s, a snapshot without subjects.
func (a *audience) see(s *snapshot, r *register) *snapshot {
	f := a.fleetIn(s)
	if f == nil || whole(s) {
		return seeAll(s, r)
	}
	seen := *s
	workers, chosen := []workerView{}, -1
	for i, w := range s.Workers {
		if w.Identity.FleetID != f.ID {
			continue
		}
		if w.ID == a.worker {
			chosen = i
		}
		if matches(&w, a.filter) {
			workers = append(workers, w)
		}
	}
	seen.Scope = scopeView{FleetID: f.ID, Matching: len(workers), From: a.from, Most: maxStreamed}
	a.rank(workers, s.At)
	seen.Workers = slices.Clone(workers[min(a.from, len(workers)):min(a.from+maxStreamed, len(workers))]) // and lets go of the others
	if chosen >= 0 && !slices.ContainsFunc(seen.Workers, func(w workerView) bool { return w.ID == a.worker }) {
		seen.Workers = append(seen.Workers, s.Workers[chosen])
	}
	ids, hosts := map[string]bool{f.ID: true}, map[string]bool{}
	for _, w := range seen.Workers {
		ids[w.ID], hosts[w.Identity.Host] = true, true
	}
	seen.Subjects = r.views(time.UnixMilli(s.At), func(x *subject) bool {
		if x.key.kind == kindWorker || x.key.kind == kindFleet {
			return ids[x.id]
		}
		return hosts[x.key.host]
	})
	seen.Advice = slices.DeleteFunc(slices.Clone(s.Advice), func(v adviceView) bool { return v.FleetID != f.ID })
	return &seen
}

// whole reports whether a page is told of all workers.
func whole(s *snapshot) bool { return len(s.Workers) <= maxStreamed }

// seeAll returns s with everything.
func seeAll(s *snapshot, r *register) *snapshot {
	seen := *s
	seen.Scope = scopeView{Matching: len(s.Workers), Most: maxStreamed}
	seen.Subjects = r.views(time.UnixMilli(s.At), nil)
	return &seen
}

// fleetIn returns the fleet that is looked at: the one that is named, else the one shown so far, else that of the worker, else the one that is
// worst off.
func (a *audience) fleetIn(s *snapshot) *fleetView {
	found := slices.IndexFunc(s.Fleets, func(f fleetView) bool { return a.fleet != "" && (f.ID == a.fleet || f.Name == a.fleet) })
	if found < 0 {
		found = slices.IndexFunc(s.Fleets, func(f fleetView) bool { return f.ID == a.chosen })
	}
	if w := slices.IndexFunc(s.Workers, func(w workerView) bool { return w.ID == a.worker }); found < 0 && w >= 0 {
		found = slices.IndexFunc(s.Fleets, func(f fleetView) bool { return f.ID == s.Workers[w].Identity.FleetID })
	}
	if found < 0 && len(s.Fleets) > 0 {
		loss := func(f fleetView) float64 { return f.Verdict.Loss.orZero() * f.Verdict.Confidence.orZero() }
		found = 0
		for i, f := range s.Fleets {
			// One without a name holds endpoints that never answered.
			if best := s.Fleets[found]; f.Name != "" && (best.Name == "" || loss(f) > loss(best)) {
				found = i
			}
		}
	}
	if found < 0 {
		return nil
	}
	a.chosen = s.Fleets[found].ID
	return &s.Fleets[found]
}

// rank puts workers into the order of their trouble, which stands for a while. Who has come since is last.
func (a *audience) rank(workers []workerView, at int64) {
	if a.place == nil || at < a.ranked || time.Duration(at-a.ranked)*time.Millisecond > rankedFor { // the clock may be set back
		slices.SortStableFunc(workers, worse)
		a.place, a.ranked = make(map[string]int, len(workers)), at
		for i := range workers {
			a.place[workers[i].ID] = i
		}
		return
	}
	place := func(w workerView) int {
		if p, ok := a.place[w.ID]; ok {
			return p
		}
		return len(a.place)
	}
	slices.SortStableFunc(workers, func(x, y workerView) int { return cmp.Compare(place(x), place(y)) })
}

// worse puts workers that are down first, then silent ones, then the others by their trouble.
func worse(a, b workerView) int {
	state := func(w workerView) int {
		return slices.Index([]workerState{stateDown, stateStale, stateOK}, w.State.State)
	}
	return cmp.Or(cmp.Compare(state(a), state(b)), cmp.Compare(b.Load.Trouble.orZero(), a.Load.Trouble.orZero()))
}

// matches reports whether a worker has all words of a filter, as the page's own search.
func matches(w *workerView, filter string) bool {
	if filter == "" {
		return true
	}
	i := w.Identity
	text := strings.ToLower(strings.Join([]string{i.Instance, i.Host, i.Model, i.Engine, i.Version, i.Role, string(w.State.State)}, " "))
	for word := range strings.FieldsSeq(filter) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}
