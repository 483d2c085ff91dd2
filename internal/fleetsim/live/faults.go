package live

import (
	"errors"
	"fmt"
	"slices"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/nixl"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/scenario"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/stream"
)

// Happen makes a fault happen now.
func (r *Rig) Happen(f scenario.Fault) error {
	r.driver.Lock()
	defer r.driver.Unlock()
	return r.happen(&f)
}

// happen makes a fault happen and plans its end. The driver's lock is held.
func (r *Rig) happen(f *scenario.Fault) error {
	undo, err := r.apply(f)
	if err != nil {
		kind, _, _ := f.Kind()
		return fmt.Errorf("fault %s: %w", kind, err)
	}
	kind, _, _ := f.Kind()
	a := &activeFault{Kind: kind, Fault: f, Since: r.driver.fleet.Now().String(), undo: undo}
	if !scenario.Once(kind) {
		r.active = append(r.active, a)
	}
	if f.For > 0 {
		return r.driver.schedule(r.driver.fleet.Now()+f.For, func() error { return r.end(a) })
	}
	return nil
}

// activeFault is a fault in force.
type activeFault struct {
	Kind  string          `json:"kind"`
	Fault *scenario.Fault `json:"-"`
	Since string          `json:"since"` // simulated time
	undo  func() error
}

// end ends a fault, once. The driver's lock is held.
func (r *Rig) end(a *activeFault) error {
	i := slices.Index(r.active, a)
	if i < 0 {
		return nil
	}
	r.active = slices.Delete(r.active, i, i+1)
	return a.undo()
}

// EndFaults ends every fault in force, the newest first.
func (r *Rig) EndFaults() error {
	r.driver.Lock()
	defer r.driver.Unlock()
	var err error
	for len(r.active) > 0 {
		err = errors.Join(err, r.end(r.active[len(r.active)-1]))
	}
	return err
}

// nothing is the undoing of what cannot be undone.
func nothing() error { return nil }

// apply makes a fault happen; undo ends it.
func (r *Rig) apply(f *scenario.Fault) (undo func() error, err error) {
	switch {
	case f.ScrapeHang != nil:
		return r.onPages(f.ScrapeHang.Worker, func(p *PageFault) { p.Hang = true }, func(p *PageFault) { p.Hang = false }), nil
	case f.ScrapeDelay != nil:
		return r.onPages(f.ScrapeDelay.Worker, func(p *PageFault) { p.Delay = f.ScrapeDelay.Delay }, func(p *PageFault) { p.Delay = 0 }), nil
	case f.ScrapeStatus != nil:
		return r.onPages(f.ScrapeStatus.Worker, func(p *PageFault) { p.Status = f.ScrapeStatus.Status }, func(p *PageFault) { p.Status = 0 }), nil
	case f.ScrapeTruncate != nil:
		return r.onPages(f.ScrapeTruncate.Worker, func(p *PageFault) { p.Truncate = f.ScrapeTruncate.Share }, func(p *PageFault) { p.Truncate = 0 }), nil
	case f.LabelChurn != nil:
		return r.onPages(f.LabelChurn.Worker, func(p *PageFault) { p.LabelChurn = true }, func(p *PageFault) { p.LabelChurn = false }), nil
	case f.ClockSkew != nil:
		return r.skewClock(f.ClockSkew), nil
	case f.EventDrop != nil, f.EventLoss != nil, f.EventGarbage != nil, f.EventDuplicate != nil, f.NoReplay != nil:
		return r.applyStream(f)
	case f.AgentDeath != nil, f.AgentStall != nil:
		return r.applyAgent(f)
	case f.GPU != nil, f.XID != nil, f.ECC != nil, f.GPUCount != nil, f.DriverReload != nil:
		return r.applyGPU(f)
	}
	return scenario.Apply(r.driver.fleet, f)
}

// chosen lists the workers that a fault names: one, or all.
func (r *Rig) chosen(worker *int) []int {
	if worker != nil {
		return []int{*worker}
	}
	all := make([]int, len(r.skew))
	for i := range all {
		all[i] = i
	}
	return all
}

// onPages changes the page fault of some workers; undo puts the same setting back to what it is without a fault.
func (r *Rig) onPages(worker *int, change, undo func(*PageFault)) func() error {
	all := func(f func(*PageFault)) {
		for _, w := range r.chosen(worker) {
			if w < len(r.pages) { // none without servers
				r.pages[w].change(f)
			}
		}
	}
	all(change)
	return func() error {
		all(undo)
		return nil
	}
}

func (r *Rig) skewClock(d *scenario.Delay) (undo func() error) {
	workers := r.chosen(d.Worker)
	for _, w := range workers {
		r.skew[w] += d.Delay
	}
	return func() error {
		for _, w := range workers {
			r.skew[w] -= d.Delay
		}
		return nil
	}
}

// applyStream does what goes wrong with KV events and forward passes alike.
func (r *Rig) applyStream(f *scenario.Fault) (func() error, error) {
	if r.kv == nil && r.passes == nil {
		return nil, errors.New("the scenario has neither protocols.kv_events nor protocols.forward_passes")
	}
	each := func(worker *int, do func(*stream.Faults)) {
		for _, w := range r.chosen(worker) {
			if r.kv != nil {
				do(r.kv.publishers[w].Faults())
			}
			if r.passes != nil {
				do(r.passes.publishers[w].Faults())
			}
		}
	}
	switch {
	case f.EventDrop != nil:
		each(f.EventDrop.Worker, func(x *stream.Faults) { x.DropNext(f.EventDrop.Count) })
	case f.EventGarbage != nil:
		each(f.EventGarbage.Worker, func(x *stream.Faults) { x.GarbageNext(f.EventGarbage.Count) })
	case f.EventDuplicate != nil:
		each(f.EventDuplicate.Worker, func(x *stream.Faults) { x.DuplicateNext(f.EventDuplicate.Count) })
	case f.EventLoss != nil:
		var err error
		set := func(rate float64) error {
			each(f.EventLoss.Worker, func(x *stream.Faults) { err = errors.Join(err, x.SetLossRate(rate, r.options.Scenario.Fleet.Seed)) })
			return err
		}
		return func() error { return set(0) }, set(f.EventLoss.Share)
	case f.NoReplay != nil:
		set := func(mode stream.ReplayMode) {
			for _, w := range r.chosen(f.NoReplay.Worker) {
				if r.kv != nil {
					r.kv.publishers[w].SetReplay(mode)
				}
			}
		}
		set(stream.ReplayRefused)
		return func() error { set(stream.ReplayServed); return nil }, nil
	}
	return nothing, nil
}

func (r *Rig) applyAgent(f *scenario.Fault) (func() error, error) {
	if r.agents == nil {
		return nil, errors.New("the scenario has no protocols.nixl")
	}
	if f.AgentDeath != nil {
		return nothing, r.agents.each(f.AgentDeath.Worker, func(_, _ int, t nixl.Telemetry) error { return t.Kill() })
	}
	stall := func(on bool) error {
		return r.agents.each(f.AgentStall.Worker, func(_, _ int, t nixl.Telemetry) error {
			if s, ok := t.(interface{ Stall(bool) }); ok {
				s.Stall(on)
			}
			return nil
		})
	}
	return func() error { return stall(false) }, stall(true)
}

func (r *Rig) applyGPU(f *scenario.Fault) (func() error, error) {
	if r.gpus == nil {
		return nil, errors.New("the scenario has no protocols.nvml")
	}
	state := r.gpus.state
	switch {
	case f.XID != nil:
		return nothing, state.EmitXID(f.XID.Device, f.XID.XID)
	case f.ECC != nil:
		return func() error { return state.SetHealth(f.ECC.Device, gpu.Health{}) }, state.SetHealth(f.ECC.Device, gpu.Health{
			RemapPending: f.ECC.RemapPending,
			ECC: []gpu.ECCErrors{{
				Location: gpu.DeviceMemory, VolatileCorrected: f.ECC.Corrected, VolatileUncorrected: f.ECC.Uncorrected,
				AggregateCorrected: f.ECC.Corrected, AggregateUncorrected: f.ECC.Uncorrected,
			}},
		})
	case f.GPUCount != nil:
		return func() error { return state.SetDeviceCount(r.gpus.devices()) }, state.SetDeviceCount(f.GPUCount.GPUs)
	case f.DriverReload != nil:
		return nothing, state.ReloadDriver()
	}
	return r.gpus.fault(f.GPU)
}
