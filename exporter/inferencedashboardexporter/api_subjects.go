package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// subjects answers with the figures of KV cache, transfers, split, GPUs and sources, or with those of ?fleet= and ?kind=.
func (a *api) subjects(w http.ResponseWriter, r *http.Request) {
	s := a.board.latest.Load()
	fleet, err := s.fleetID(r)
	if err != nil {
		fail(w, http.StatusNotFound, err.Error())
		return
	}
	kind := subjectKind(r.URL.Query().Get("kind"))
	if kind != "" && !slices.Contains(subjectKinds(), kind) {
		fail(w, http.StatusBadRequest, fmt.Sprintf("kind: must be one of %s", subjectKinds()))
		return
	}
	subjects := a.board.rendered.views(s, rendering{fleet, kind}, a.board.register)
	send(w, struct {
		At       int64         `json:"at"`
		Subjects []subjectView `json:"subjects"`
	}{s.At, subjects})
}

// rendering is which subjects are rendered: those of a fleet and of a kind, or of all where that is empty.
type rendering struct {
	fleet string // id
	kind  subjectKind
}

// rendered keeps the subjects of the latest snapshot as they were rendered for a request, so that however many requests there are, each subject is
// rendered at most once for its fleet, its kind, both and neither.
type rendered struct {
	mu  sync.Mutex
	of  *snapshot // whose they are
	all map[rendering][]subjectView
}

// views returns the subjects of a snapshot. Nobody writes to them.
func (c *rendered) views(s *snapshot, which rendering, r *register) []subjectView {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of != s {
		c.of, c.all = s, map[rendering][]subjectView{}
	}
	views, ok := c.all[which]
	if !ok {
		views = r.views(time.UnixMilli(s.At), func(x *subject) bool {
			return (which.fleet == "" || x.fleetID() == which.fleet) && (which.kind == "" || x.key.kind == which.kind)
		})
		c.all[which] = views
	}
	return views
}

// forget lets go of them: there is a new snapshot, and perhaps no request of it.
func (c *rendered) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of, c.all = nil, nil
}
