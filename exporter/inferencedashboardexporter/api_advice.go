package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// advice answers with the advice, or with that of ?fleet=; in plain words to a client that accepts text/plain and not JSON.
func (a *api) advice(w http.ResponseWriter, r *http.Request) {
	s := a.board.latest.Load()
	id, err := s.fleetID(r)
	if err != nil { // where events alone arrive, there are no workers, and so no fleets of theirs
		id = r.URL.Query().Get("fleet")
	}
	advice := []adviceView{}
	for _, v := range s.Advice {
		if id == "" || v.FleetID == id {
			advice = append(advice, v)
		}
	}
	if err != nil && len(advice) == 0 {
		fail(w, http.StatusNotFound, err.Error())
		return
	}
	if wantsText(r) {
		sayAdvice(w, advice)
		return
	}
	send(w, struct {
		At     int64        `json:"at"`
		Advice []adviceView `json:"advice"`
	}{s.At, advice})
}

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
	subjects := a.board.register.views(time.UnixMilli(s.At), func(x *subject) bool {
		return (fleet == "" || x.fleetID() == fleet) && (kind == "" || x.key.kind == kind)
	})
	send(w, struct {
		At       int64         `json:"at"`
		Subjects []subjectView `json:"subjects"`
	}{s.At, subjects})
}

// sayAdvice writes one paragraph for each advice that stands, for a terminal.
func sayAdvice(w http.ResponseWriter, advice []adviceView) {
	var b strings.Builder
	for _, v := range advice {
		if v.State != adviceStands {
			continue
		}
		title := v.Title
		if title == "" {
			title = v.Rule
		}
		b.WriteString(printable(strings.ToUpper(v.Severity) + " " + v.SubjectName + ": " + title))
		if v.AsOf != 0 {
			b.WriteString(" (as of " + time.UnixMilli(v.AsOf).Format("15:04:05 MST") + ", no data since)")
		}
		if v.Action != "" {
			b.WriteString("\n  " + printable(v.Action))
		}
		for _, line := range strings.Split(v.Change, "\n") {
			if line != "" {
				b.WriteString("\n    " + printable(line))
			}
		}
		b.WriteString("\n")
	}
	if b.Len() == 0 {
		b.WriteString("No advice stands.\n")
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(b.String())) // the client went away
}
