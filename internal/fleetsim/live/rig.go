// Package live runs a simulated fleet along with a clock and has it speak its engines' protocols: pages over HTTP, KV events and
// forward passes over ZeroMQ, NIXL telemetry in files, GPUs through an NVML library, request spans by OTLP. A control server tells
// the truth and takes faults while the fleet runs.
package live

import (
	"context"

	"errors"

	"net"

	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/wall"
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

	told   time.Duration  // of the last line of truth
	active []*activeFault // in order of their beginning

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
		o.Clock = wall.Clock{}
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
	if err := cfg.Validate(); err != nil {
		return err
	}
	cfg.StartTime = o.Clock.Now()
	r.skew = make([]time.Duration, cfg.Workers())
	r.driver = &driver{clock: o.Clock, speed: o.Speed, limit: o.Scenario.Duration, start: cfg.StartTime}
	if err := r.openFiles(); err != nil {
		return err
	}
	if err := r.openFilesOfProtocols(&cfg); err != nil {
		return err
	}
	if !o.NoServers {
		if err := r.openStreams(&cfg); err != nil {
			return err
		}
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
		if err := r.driver.schedule(f.At, func() error { return r.happen(f) }); err != nil {
			return err
		}
	}
	if r.truth.on() {
		if err := r.tellTruthLater(); err != nil {
			return err
		}
	}
	if o.NoServers {
		return nil
	}
	return r.listen()
}

// openStreams binds the sockets of the scenario's protocols.
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
	return nil
}

// openFilesOfProtocols makes what the fleet leaves behind in files, and the exporter of its spans.
func (r *Rig) openFilesOfProtocols(cfg *fleetsim.Config) (err error) {
	p := r.options.Scenario.Protocols
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
		r.spans, err = openSpans(p.Traces, cfg)
	}
	return err
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
	r.driver.mu.Lock()
	r.tellTruth()
	r.driver.mu.Unlock()
	if r.options.Ledger != "" {
		err = errors.Join(err, r.writeLedger())
	}
	return errors.Join(err, r.release())
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
		err = errors.Join(err, r.gpus.close())
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
