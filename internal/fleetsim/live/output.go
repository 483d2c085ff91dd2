package live

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
)

func (r *Rig) openFiles() error {
	o := &r.options
	var errs [5]error
	if o.Ledger != "" {
		// A ledger that cannot be written is better known before the run than after it.
		if errs[4] = os.WriteFile(o.Ledger, nil, 0o644); errs[4] != nil {
			errs[4] = fmt.Errorf("ledger: %w", errs[4])
		}
	}
	r.requests, errs[0] = openLines("requests", o.Requests)
	r.steps, errs[1] = openLines("steps", o.Steps)
	r.transfers, errs[2] = openLines("transfers", o.Transfers)
	r.truth, errs[3] = openLines("truth", o.Truth)
	return errors.Join(errs[:]...)
}

// tellTruthLater plans the next line of truth.
func (r *Rig) tellTruthLater() error {
	return r.driver.schedule(r.driver.fleet.Now()+r.options.TruthEvery, func() error {
		r.tellTruth()
		return r.tellTruthLater()
	})
}

// tellTruth writes a line of truth, unless there is one of this moment.
func (r *Rig) tellTruth() {
	f := r.driver.fleet
	if !r.truth.on() || f.Now() == r.told {
		return
	}
	r.told = f.Now()
	line := struct {
		Fleet   fleetsim.Truth   `json:"fleet"`
		Workers []fleetsim.Truth `json:"workers"`
	}{Fleet: f.Truth()}
	for i := range f.Workers() {
		line.Workers = append(line.Workers, f.WorkerTruth(i))
	}
	r.truth.write(line)
}

func (r *Rig) writeLedger() error {
	r.driver.mu.Lock()
	defer r.driver.mu.Unlock()
	b, err := json.MarshalIndent(r.driver.fleet.Ledger(), "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(r.options.Ledger, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}

// writeEndpoints tells where the workers are in the form that a collector reads.
func (r *Rig) writeEndpoints() error {
	if r.options.Endpoints == "" {
		return nil
	}
	type stream struct {
		Endpoint string `json:"endpoint"`
		Replay   string `json:"replay_endpoint,omitempty"`
	}
	type endpoint struct {
		Endpoint      string        `json:"endpoint"`
		Role          fleetsim.Role `json:"role"`
		KVEvents      *stream       `json:"kv_events,omitempty"`
		ForwardPasses string        `json:"forward_passes,omitempty"`
	}
	at := func(list []string, i int) string {
		if i < len(list) {
			return list[i]
		}
		return ""
	}
	var list []endpoint
	for i, address := range r.addresses.Workers {
		path := "/metrics"
		if r.driver.fleet.Pool(i).Engine == fleetsim.TensorRTLLM {
			path = "/prometheus/metrics"
		}
		one := endpoint{Endpoint: "http://" + address + path, Role: r.driver.fleet.Pool(i).Role, ForwardPasses: at(r.addresses.ForwardPasses, i)}
		if events := at(r.addresses.KVEvents, i); events != "" {
			one.KVEvents = &stream{events, at(r.addresses.KVReplay, i)}
		}
		list = append(list, one)
	}
	b, err := json.Marshal(list)
	if err != nil {
		return err
	}
	if err := os.WriteFile(r.options.Endpoints, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("endpoints: %w", err)
	}
	return nil
}
