package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// writeTimeout is how long one message may take to a page. One that takes longer is stuck.
const writeTimeout = 10 * time.Second

// api serves the page, the JSON API and the stream.
type api struct {
	board  *board
	hub    *hub
	assets map[string]asset

	description []byte        // of the API
	patience    time.Duration // how long one message may take to a page
}

func (a *api) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { send(w, map[string]string{"status": "ok"}) })
	mux.HandleFunc("/api/v1/verdict", a.verdict)
	mux.HandleFunc("/api/v1/workers", a.workers)
	mux.HandleFunc("/api/v1/history", a.history)
	mux.HandleFunc("/api/v1/advice", a.advice)
	mux.HandleFunc("/api/v1/subjects", a.subjects)
	mux.HandleFunc("/api/v1/stream", a.stream)
	mux.HandleFunc("/openapi.json", a.openAPI)
	mux.HandleFunc("/", a.page)
	return mux
}

func (a *api) page(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	if name == "" {
		name = "index.html"
	}
	file, ok := a.assets[name]
	if !ok {
		fail(w, http.StatusNotFound, "no such page")
		return
	}
	file.serve(w, r)
}

// verdict answers with the fleets, or with the one of ?fleet=; in plain words to a client that accepts text/plain and not JSON.
func (a *api) verdict(w http.ResponseWriter, r *http.Request) {
	s := a.board.latest.Load()
	id, err := s.fleetID(r)
	if err != nil {
		fail(w, http.StatusNotFound, err.Error())
		return
	}
	fleets := []fleetView{}
	for _, f := range s.Fleets {
		if id == "" || f.ID == id {
			fleets = append(fleets, f)
		}
	}
	if wantsText(r) {
		sayVerdict(w, fleets)
		return
	}
	send(w, struct {
		At     int64       `json:"at"`
		Fleets []fleetView `json:"fleets"`
	}{s.At, fleets})
}

// workers answers with the workers, or with those of ?fleet=.
func (a *api) workers(w http.ResponseWriter, r *http.Request) {
	s := a.board.latest.Load()
	id, err := s.fleetID(r)
	if err != nil {
		fail(w, http.StatusNotFound, err.Error())
		return
	}
	workers := []workerView{}
	for _, v := range s.Workers {
		if id == "" || v.Identity.FleetID == id {
			workers = append(workers, v)
		}
	}
	send(w, struct {
		At      int64        `json:"at"`
		Workers []workerView `json:"workers"`
	}{s.At, workers})
}

// history answers with the series ?metric= (a list, separated by commas) of ?worker= or ?fleet=, with ?span=long the coarser ones.
func (a *api) history(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	ms, err := parseMetrics(q.Get("metric"))
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	worker := q.Get("worker")
	if (worker == "") == (q.Get("fleet") == "") {
		fail(w, http.StatusBadRequest, "give either worker, an id of /api/v1/workers, or fleet, an id or name of /api/v1/verdict")
		return
	}
	fleet, err := a.board.latest.Load().fleetID(r)
	if err != nil {
		fail(w, http.StatusNotFound, err.Error())
		return
	}
	span := q.Get("span")
	if span != "" && span != spanRecent && span != spanLong {
		fail(w, http.StatusBadRequest, "span: must be recent or long")
		return
	}
	past, ok := a.board.series(worker, fleet, span == spanLong, ms)
	if !ok {
		fail(w, http.StatusNotFound, "no such worker or fleet")
		return
	}
	type series struct {
		Unit   string   `json:"unit"`
		Values []number `json:"values"`
	}
	table, out := historyTable(), map[string]series{}
	for i, m := range ms {
		out[table[m].name] = series{table[m].unit, past.values[i]}
	}
	send(w, struct {
		Start  int64             `json:"start"` // of the first value, Unix milliseconds
		Step   int64             `json:"step"`  // milliseconds
		Series map[string]series `json:"series"`
	}{past.start, past.step, out})
}

// Spans of the history.
const (
	spanRecent = "recent"
	spanLong   = "long"
)

// parseMetrics reads a list of history names.
func parseMetrics(list string) ([]historyMetric, error) {
	var ms []historyMetric
	table := historyTable()
	var names []string
	for _, info := range table {
		names = append(names, info.name)
	}
	for _, name := range strings.Split(list, ",") {
		found := false
		for m, info := range table {
			if info.name == name {
				ms, found = append(ms, historyMetric(m)), true
			}
		}
		if !found || len(ms) > len(table) {
			return nil, fmt.Errorf("metric: must be a list of %s", strings.Join(names, ", "))
		}
	}
	return ms, nil
}

// stream sends everything and then what changes, until the page leaves, is stuck, or the exporter shuts down.
func (a *api) stream(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // proxies must not hold messages back
	if r.Method == http.MethodHead {
		return
	}
	l, err := parseLook(r.URL.Query())
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	page, err := a.hub.subscribe(l)
	if err != nil {
		code := http.StatusInternalServerError
		if errors.Is(err, errTooManySubscribers) || errors.Is(err, errClosed) {
			code = http.StatusServiceUnavailable
			h.Set("Retry-After", "10")
		}
		fail(w, code, err.Error())
		return
	}
	stuck := false
	defer func() { a.hub.unsubscribe(page, stuck) }()
	control := http.NewResponseController(w)
	for {
		frame, err := a.hub.next(r.Context(), page)
		if err != nil {
			return
		}
		begun := time.Now()
		if err := write(w, control, frame, begun.Add(a.patience)); err != nil {
			stuck = time.Since(begun) >= a.patience // what the deadline looks like depends on the version of HTTP
			return
		}
	}
}

// write sends one message. Each has its own deadline: the server's write timeout is for whole responses.
func write(w io.Writer, control *http.ResponseController, frame []byte, deadline time.Time) error {
	if err := control.SetWriteDeadline(deadline); err != nil {
		return err
	}
	if _, err := w.Write(frame); err != nil {
		return err
	}
	return control.Flush()
}

// send writes v as JSON.
func send(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		fail(w, http.StatusInternalServerError, "cannot encode the answer")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(append(body, '\n')) // the client went away
}

// fail writes an error as JSON. Nothing of the request is repeated in it.
func fail(w http.ResponseWriter, code int, message string) {
	body, _ := json.Marshal(map[string]string{"error": message}) // a map of strings always encodes
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write(append(body, '\n')) // the client went away
}
