package live

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/engine"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/scenario"
)

// maxFaultBytes bounds the text of one fault.
const maxFaultBytes = 1 << 16

// listen binds the control server and one server per worker.
func (r *Rig) listen() error {
	o := &r.options
	var err error
	if r.addresses.Control, err = r.servers.add("control", o.Control, r.control()); err != nil {
		return err
	}
	for i := range r.driver.fleet.Workers() {
		address, err := nth("listen", o.Listen, i)
		if err != nil {
			return err
		}
		page := newFaultyPage(r.worker(i), o.Clock)
		if address, err = r.servers.add("listen, worker "+strconv.Itoa(i), address, page); err != nil {
			return err
		}
		r.pages = append(r.pages, page)
		r.addresses.Workers = append(r.addresses.Workers, address)
	}
	if f := o.Scenario.Protocols.Frontend; f != nil {
		r.addresses.Frontend, err = r.servers.add("protocols.frontend.listen", f.Listen, r.frontEnd())
	}
	return err
}

// worker is what a worker's engine answers; after a restart that is another book's page.
func (r *Rig) worker(i int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.driver.mu.Lock()
		book, date := r.driver.fleet.Book(i), r.wall(i, r.driver.fleet.Now())
		r.driver.mu.Unlock()
		w.Header().Set("Date", date.UTC().Format(http.TimeFormat))
		engine.Handler(book, r.driver).ServeHTTP(w, q)
	})
}

// frontEnd is what the front end before the fleet answers.
func (r *Rig) frontEnd() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.driver.Lock()
		page := r.driver.fleet.FrontEnd()
		r.driver.Unlock()
		engine.Handler(page, &r.driver.mu).ServeHTTP(w, q)
	})
}

// control tells the truth and takes faults.
//
//	GET  /healthz           ok
//	GET  /scenario          where the fleet can be reached
//	GET  /truth             the ledger so far; ?worker=N one worker's truth, with its GPUs
//	GET  /faults            the kinds there are with their keys, and the faults in force
//	POST /faults            one fault, in the form of a scenario's entry; it happens at once
//	DELETE /faults          ends every fault in force
func (r *Rig) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		respond(w, "text/plain; charset=utf-8", []byte("ok\n"))
	})
	mux.HandleFunc("GET /scenario", func(w http.ResponseWriter, _ *http.Request) { respondJSON(w, r.addresses) })
	mux.HandleFunc("GET /truth", r.serveTruth)
	mux.HandleFunc("GET /faults", r.listFaults)
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, _ *http.Request) {
		if err := r.EndFaults(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /faults", r.takeFault)
	return mux
}

func (r *Rig) serveTruth(w http.ResponseWriter, q *http.Request) {
	text := q.URL.Query().Get("worker")
	if text == "" {
		var ledger fleetsim.Ledger
		r.Do(func(f *fleetsim.Fleet) { ledger = f.Ledger() })
		respondJSON(w, ledger)
		return
	}
	var answer struct {
		Truth fleetsim.Truth    `json:"truth"`
		GPU   fleetsim.GPUTruth `json:"gpu"`
	}
	worker, err := strconv.Atoi(text)
	if err != nil || worker < 0 || worker >= len(r.skew) {
		http.Error(w, "worker: must be from 0 to "+strconv.Itoa(len(r.skew)-1)+", is "+strconv.Quote(text), http.StatusBadRequest)
		return
	}
	r.Do(func(f *fleetsim.Fleet) { answer.Truth, answer.GPU = f.WorkerTruth(worker), f.GPU(worker) })
	respondJSON(w, answer)
}

func (r *Rig) listFaults(w http.ResponseWriter, _ *http.Request) {
	r.driver.Lock()
	answer := struct {
		Active []activeFault       `json:"active"`
		Kinds  map[string][]string `json:"kinds"`
	}{Active: []activeFault{}, Kinds: scenario.FaultKeys()}
	for _, a := range r.active {
		answer.Active = append(answer.Active, *a)
	}
	r.driver.Unlock()
	respondJSON(w, answer)
}

func (r *Rig) takeFault(w http.ResponseWriter, q *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(w, q.Body, maxFaultBytes))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	fault, err := scenario.ParseFault(text, len(r.skew))
	if err == nil && fault.At != 0 {
		err = errors.New("at: must not be set, a fault given while running happens at once; is " + fault.At.String())
	}
	if err == nil {
		err = r.Happen(fault)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func respondJSON(w http.ResponseWriter, v any) {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	respond(w, "application/json", append(body, '\n'))
}

func respond(w http.ResponseWriter, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	// A client that went away is its own business.
	_, _ = w.Write(body)
}
