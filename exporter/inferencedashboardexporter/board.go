package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// snapshot is what the API serves: every fleet and worker at one moment, in a fixed order. Nobody writes to it.
type snapshot struct {
	At      int64        `json:"at"`
	Fleets  []fleetView  `json:"fleets"`
	Workers []workerView `json:"workers"`

	Advice []adviceView `json:"advice"`
	Cost   costView     `json:"cost"`

	// What a page is told is completed for it (look.go): rendering all subjects each time would be for nobody.
	Subjects []subjectView `json:"subjects"`
	Scope    scopeView     `json:"scope"`
}

// board judges the fleets once per update and keeps the latest snapshot. Requests read that snapshot, so that however many there
// are, they cause no further judging.
type board struct {
	tracker    *tracker
	register   *register
	advisory   *advisory
	cost       *ownCost
	newHistory func(others int) *history // of a fleet beside others
	latest     atomic.Pointer[snapshot]
	rendered   rendered // for requests of the latest

	mu        sync.Mutex // guards histories against the API
	histories map[string]*history
}

func newBoard(t *tracker, r *register, a *advisory, newHistory func(others int) *history) *board {
	b := &board{tracker: t, register: r, advisory: a, cost: newOwnCost(), newHistory: newHistory, histories: map[string]*history{}}
	b.latest.Store(emptySnapshot())
	return b
}

// update judges everything anew. It is called from one goroutine.
func (b *board) update(now time.Time) *snapshot {
	fleets := map[string]*fleet{}
	s := emptySnapshot()
	s.At = now.UnixMilli()
	for _, w := range b.tracker.all() {
		a := assess(w, b.register.conditions(w.key.subject(), now), now)
		f, ok := fleets[a.fleetID]
		if !ok {
			f = &fleet{id: a.fleetID, name: a.fleet, conditions: b.register.conditions(subjectKey{kind: kindFleet, instance: a.fleet}, now)}
			fleets[a.fleetID] = f
		}
		f.add(a)
		s.Workers = append(s.Workers, a.view)
	}
	b.mu.Lock()
	for id, f := range fleets {
		h, ok := b.histories[id]
		if !ok {
			h = b.newHistory(len(b.histories))
			b.histories[id] = h
		}
		v := f.view(now, h)
		rendered := b.advisory.render(id, *v.Verdict, now)
		v.Verdict = &rendered
		s.Fleets = append(s.Fleets, v)
	}
	for id := range b.histories {
		if fleets[id] == nil {
			delete(b.histories, id)
		}
	}
	b.mu.Unlock()
	sort.Slice(s.Workers, func(i, j int) bool { return workerBefore(s.Workers[i], s.Workers[j]) })
	sort.Slice(s.Fleets, func(i, j int) bool { return fleetBefore(s.Fleets[i], s.Fleets[j]) })
	s.Advice, s.Cost = b.advisory.views(s.Fleets, now), b.cost.read(now)
	b.latest.Store(s)
	b.rendered.forget()
	return s
}

func emptySnapshot() *snapshot {
	return &snapshot{Fleets: []fleetView{}, Workers: []workerView{}, Subjects: []subjectView{}, Advice: []adviceView{}}
}

func workerBefore(a, b workerView) bool {
	if a.Identity.Instance != b.Identity.Instance {
		return a.Identity.Instance < b.Identity.Instance
	}
	return a.ID < b.ID
}

func fleetBefore(a, b fleetView) bool {
	if a.Name != b.Name {
		return a.Name < b.Name
	}
	return a.ID < b.ID
}

// series returns a history of a worker or a fleet, of the recent past or of the long one; false where the id is unknown.
func (b *board) series(worker, fleet string, long bool, ms []historyMetric) (p past, ok bool) {
	if worker != "" {
		w := b.tracker.byID(worker)
		if w == nil {
			return p, false
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		return readPast(w.history, long, ms), true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	h, ok := b.histories[fleet]
	if !ok {
		return p, false
	}
	return readPast(h, long, ms), true
}

// past is a piece of history: one list of values for each series, from start on in steps, both in milliseconds.
type past struct {
	start, step int64
	values      [][]number
}

func readPast(h *history, long bool, ms []historyMetric) (p past) {
	g := h.fine
	if long {
		g = h.long
	}
	if g == nil {
		g = newRing(extent{}) // of a span that is not kept there is nothing
	}
	p.step = g.step.Milliseconds()
	for _, m := range ms {
		var v []number
		p.start, v = g.read(m)
		p.values = append(p.values, v)
	}
	return p
}
