// Package live runs a simulated fleet along with a clock and has it speak its engines' protocols: pages over HTTP, KV events and
// forward passes over ZeroMQ, NIXL telemetry in files, GPUs through an NVML library, request spans by OTLP. A control server tells
// the truth and takes faults while the fleet runs.
package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/engine"
)

// Rig is a running fleet with everything around it.
type Rig struct {
	options Options
	driver  *driver
	servers servers
	pages   []*faultyPage
	skew    []time.Duration // of each worker's clock

	kv     *kvStreams
	passes *passStreams
	agents *agents
	gpus   *gpuState
	spans  *spanStreams

	requests, steps, transfers, truth *lines

	addresses Addresses
	closed    bool
}

// Addresses say where a fleet can be reached; what is off is left out.
type Addresses struct {
	Scenario      string   `json:"scenario"`
	Model         string   `json:"model"`
	Workers       []string `json:"workers,omitempty"`
	Control       string   `json:"control,omitempty"`
	Frontend      string   `json:"frontend,omitempty"`
	KVEvents      []string `json:"kv_events,omitempty"`
	KVReplay      []string `json:"kv_replay,omitempty"`
	ForwardPasses []string `json:"forward_passes,omitempty"`
	NIXL          string   `json:"nixl,omitempty"`
	NVML          string   `json:"nvml,omitempty"`
}

// Start sets everything up at simulated time 0 and begins to serve. Errors name what cannot be, such as a port in use. Run it, then
// Close it.
func Start(o Options) (*Rig, error) {
	if o.Clock == nil {
		o.Clock = WallClock{}
	}
	if err := o.validate(); err != nil {
		return nil, err
	}
	r := &Rig{options: o}
	if err := r.build(); err != nil {
		return nil, errors.Join(err, r.release())
	}
	r.servers.serve()
	if err := r.writeEndpoints(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// build makes the parts in the order in which they need each other.
func (r *Rig) build() error {
	o := &r.options
	cfg := o.Scenario.Fleet
	cfg.StartTime = o.Clock.Now()
	r.skew = make([]time.Duration, cfg.Workers())
	r.driver = &driver{clock: o.Clock, speed: o.Speed, limit: o.Scenario.Duration, start: cfg.StartTime}
	if err := r.openFiles(); err != nil {
		return err
	}
	if err := r.openStreams(&cfg); err != nil {
		return err
	}
	r.hook(&cfg)
	fleet, err := fleetsim.New(cfg)
	if err != nil {
		return err
	}
	r.driver.fleet = fleet
	r.addresses.Scenario, r.addresses.Model = o.Scenario.Name, fleet.ServedModel()
	if r.spans != nil {
		r.spans.model = fleet.ServedModel()
	}
	if r.agents != nil {
		r.agents.register(fleet)
		r.driver.onMove(func(now time.Duration) error { r.agents.flush(r.driver.wall(now)); return nil })
	}
	if r.gpus != nil {
		r.driver.onMove(func(now time.Duration) error { return r.gpus.update(fleet, r.driver.wall(now)) })
	}
	for i := range o.Scenario.Faults {
		f := &o.Scenario.Faults[i]
		r.driver.schedule(f.At, func() error { return r.happen(f) })
	}
	if r.truth.on() {
		r.driver.schedule(r.truthEvery(), r.tellTruth)
	}
	if o.NoServers {
		return nil
	}
	return r.listen()
}

func (r *Rig) openFiles() error {
	o := &r.options
	var errs [4]error
	r.requests, errs[0] = openLines("requests", o.Requests)
	r.steps, errs[1] = openLines("steps", o.Steps)
	r.transfers, errs[2] = openLines("transfers", o.Transfers)
	r.truth, errs[3] = openLines("truth", o.Truth)
	return errors.Join(errs[:]...)
}

// openStreams starts the protocols of the scenario.
func (r *Rig) openStreams(cfg *fleetsim.Config) error {
	p := r.options.Scenario.Protocols
	host, _, err := net.SplitHostPort(r.options.Listen)
	if err != nil || host == "localhost" {
		host = "127.0.0.1"
	}
	if p.KVEvents != nil {
		if r.kv, err = openKV(p.KVEvents, cfg, host); err != nil {
			return err
		}
		r.addresses.KVEvents, r.addresses.KVReplay = r.kv.endpoints()
	}
	if p.ForwardPasses != nil {
		if r.passes, err = openPasses(p.ForwardPasses, cfg, host); err != nil {
			return err
		}
		r.addresses.ForwardPasses = r.passes.endpoints()
	}
	if p.NIXL != nil {
		if r.agents, err = openAgents(p.NIXL, cfg, r.driver.now); err != nil {
			return err
		}
		r.addresses.NIXL = p.NIXL.Dir
	}
	if p.NVML != nil {
		if r.gpus, err = openGPUs(p.NVML, cfg, r.driver.now); err != nil {
			return err
		}
		r.addresses.NVML = p.NVML.State
	}
	if p.Traces != nil {
		if r.spans, err = openSpans(p.Traces, cfg); err != nil {
			return err
		}
	}
	return nil
}

// hook connects what happens in the fleet with those who tell of it.
func (r *Rig) hook(cfg *fleetsim.Config) {
	pools := workerPools(cfg)
	if r.kv != nil {
		cfg.OnKV = func(b fleetsim.KVBatch) { r.kv.publish(b, unix(r.wall(b.Worker, b.At))) }
	}
	if r.passes != nil {
		cfg.OnPass = r.passes.publish
	}
	if r.steps.on() {
		cfg.OnStep = func(s fleetsim.StepTruth) { r.steps.write(s) }
	}
	if r.agents != nil || r.transfers.on() {
		cfg.OnTransfer = func(t fleetsim.TransferTruth) {
			r.transfers.write(t)
			if r.agents != nil {
				r.agents.transfer(t, pools[t.Destination].Engine == fleetsim.SGLang)
			}
		}
	}
	cfg.OnRequest = func(t fleetsim.RequestTruth) {
		r.requests.write(t)
		if r.spans != nil {
			r.spans.send(t, r.driver.wall(0).Add(r.skew[t.Worker]))
		}
	}
	cfg.OnProcess = r.process
	if r.options.Scenario.Protocols.Frontend != nil {
		cfg.FrontEnd = engine.NameDynamo
	}
}

// process follows a worker's process that ends or starts.
func (r *Rig) process(worker int, up bool) {
	if worker < len(r.pages) {
		r.pages[worker].change(func(p *PageFault) { p.Down = !up })
	}
	if up && r.kv != nil {
		r.kv.publishers[worker].Restart()
	}
	if up && r.passes != nil {
		r.passes.publishers[worker].Restart()
	}
	if r.agents != nil {
		r.driver.fail(r.agents.process(worker, up))
	}
}

// wall is a worker's own idea of a simulated time.
func (r *Rig) wall(worker int, at time.Duration) time.Time {
	return r.driver.wall(at).Add(r.skew[worker])
}

func unix(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }

func (r *Rig) truthEvery() time.Duration {
	if r.options.TruthEvery == 0 {
		return 10 * time.Second
	}
	return r.options.TruthEvery
}

// tellTruth writes a line of truth and plans the next one.
func (r *Rig) tellTruth() error {
	f := r.driver.fleet
	line := struct {
		Fleet   fleetsim.Truth   `json:"fleet"`
		Workers []fleetsim.Truth `json:"workers"`
	}{Fleet: f.Truth()}
	for i := range f.Workers() {
		line.Workers = append(line.Workers, f.WorkerTruth(i))
	}
	r.truth.write(line)
	r.driver.schedule(f.Now()+r.truthEvery(), r.tellTruth)
	return nil
}

// Addresses say where the fleet can be reached.
func (r *Rig) Addresses() Addresses { return r.addresses }

// Run moves the fleet until the scenario or the context ends. It returns what went wrong in the workload or in a fault.
func (r *Rig) Run(ctx context.Context) error { return r.driver.run(ctx) }

// Do has f look at the fleet, or change it, brought up to date.
func (r *Rig) Do(f func(*fleetsim.Fleet)) {
	r.driver.Lock()
	defer r.driver.Unlock()
	f(r.driver.fleet)
}

// Close stops the servers and streams and writes the ledger; a second one does nothing.
func (r *Rig) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	for _, p := range r.pages {
		p.set(PageFault{}) // whoever hangs is answered
	}
	err := r.servers.shutdown()
	if r.options.Ledger != "" {
		err = errors.Join(err, r.writeLedger())
	}
	return errors.Join(err, r.release())
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
	type endpoint struct {
		Endpoint string        `json:"endpoint"`
		Role     fleetsim.Role `json:"role"`
	}
	var list []endpoint
	for i, address := range r.addresses.Workers {
		path := "/metrics"
		if r.driver.fleet.Pool(i).Engine == fleetsim.TensorRTLLM {
			path = "/prometheus/metrics"
		}
		list = append(list, endpoint{"http://" + address + path, r.driver.fleet.Pool(i).Role})
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

// release gives back what build took, as far as it came.
func (r *Rig) release() error {
	err := r.servers.abandon()
	if r.kv != nil {
		err = errors.Join(err, r.kv.close())
	}
	if r.passes != nil {
		err = errors.Join(err, r.passes.close())
	}
	if r.agents != nil {
		err = errors.Join(err, r.agents.close())
	}
	if r.gpus != nil {
		err = errors.Join(err, r.gpus.state.Close())
	}
	if r.spans != nil {
		err = errors.Join(err, r.spans.close())
	}
	if r.driver != nil && r.driver.fleet != nil {
		err = errors.Join(err, r.driver.fleet.Close())
	}
	for _, l := range []*lines{r.requests, r.steps, r.transfers, r.truth} {
		err = errors.Join(err, l.close())
	}
	return err
}
