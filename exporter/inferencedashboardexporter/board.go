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

	Subjects []subjectView `json:"subjects"`
	Advice   []adviceView  `json:"advice"`
	Cost     costView      `json:"cost"`
}

// board judges the fleets once per update and keeps the latest snapshot. Requests read that snapshot, so that however many there
// are, they cause no further judging.
type board struct {
	tracker    *tracker
	register   *register
	advisory   *advisory
	cost       *ownCost
	newHistory func() *history
	latest     atomic.Pointer[snapshot]

	mu        sync.Mutex // guards histories against the API
	histories map[string]*history
}

func newBoard(t *tracker, r *register, a *advisory, newHistory func() *history) *board {
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
		a := assess(w, now)
		f, ok := fleets[a.fleetID]
		if !ok {
			f = &fleet{id: a.fleetID, name: a.fleet}
			fleets[a.fleetID] = f
		}
		f.add(a)
		s.Workers = append(s.Workers, a.view)
	}
	b.mu.Lock()
	for id, f := range fleets {
		h, ok := b.histories[id]
		if !ok {
			h = b.newHistory()
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
	s.Subjects, s.Advice, s.Cost = b.register.views(now), b.advisory.views(now), b.cost.read(now)
	b.latest.Store(s)
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

// series returns a history of a worker or a fleet, false where the id is unknown.
func (b *board) series(worker, fleet string, ms []historyMetric) (start int64, values [][]number, ok bool) {
	if worker != "" {
		w := b.tracker.byID(worker)
		if w == nil {
			return 0, nil, false
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		start, values = readAll(w.history, ms)
		return start, values, true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	h, ok := b.histories[fleet]
	if !ok {
		return 0, nil, false
	}
	start, values = readAll(h, ms)
	return start, values, true
}

func readAll(h *history, ms []historyMetric) (start int64, values [][]number) {
	for _, m := range ms {
		var v []number
		start, v = h.read(m)
		values = append(values, v)
	}
	return start, values
}
