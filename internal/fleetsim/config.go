package fleetsim

import (
	"errors"
	"fmt"
	"time"
)

// Config describes a fleet and what it is asked to do. All pools serve one model.
type Config struct {
	Seed  uint64
	Pools []Pool

	Router       Router // of arrivals, among aggregated and prefill workers
	DecodeRouter Router // of prefilled requests, among decode workers; "" is Router

	Handoff    Handoff    // from prefill to decode workers
	Link       Link       // by which KV travels between them
	Objectives Objectives // what counts as goodput
	Client     Client     // what callers do about lost requests

	Adapters AdapterTraffic // LoRA adapters that requests ask for

	FrontEnd string // before all workers, keeping a book of its own: "" for none, or dynamo

	StepNoise float64 // standard deviation of the logarithm of a step's time
	Workload  Workload

	// StartTime is the wall time of simulated time 0, used for the created timestamps only.
	StartTime time.Time

	// OnStep, OnRequest and OnTransfer, when set, see every finished step, request and transfer of KV, from inside Advance.
	OnStep     func(StepTruth)
	OnRequest  func(RequestTruth)
	OnTransfer func(TransferTruth)

	// OnKV and OnPass, when set, see what each worker's prefix cache publishes and each step's forward-pass record.
	OnKV   func(KVBatch)
	OnPass func(Pass)
	// OnProcess, when set, is told when a worker's process ends (up false) and when the next one runs.
	OnProcess func(worker int, up bool)

	// KVLedger audits every KV pool (Truth.KV); it costs time and memory.
	KVLedger bool
	// OnAccess, when set, sees every full block of every prompt when it is first looked up, in order, by its published hash.
	OnAccess func(worker int, hash uint64, hit bool)
}

// DefaultConfig is one aggregated worker (DefaultPool) and the conversation traffic at its published rate.
func DefaultConfig() Config {
	return Config{
		Seed: 1, Pools: []Pool{DefaultPool()},
		Router: RoundRobin, Handoff: DefaultHandoff(), Link: DefaultLink(),
		StepNoise: 0.02,
		Workload:  Synthetic{Shape: "azure-conversation", Load: 1},
		StartTime: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	}
}

// Workers is the number of workers of all pools.
func (c *Config) Workers() int {
	n := 0
	for i := range c.Pools {
		n += c.Pools[i].Workers
	}
	return n
}

// Validate checks every bound that needs no figures and reports all violations at once; New does the rest.
func (c *Config) Validate() error {
	var errs []error
	if len(c.Pools) == 0 {
		errs = append(errs, errors.New("pools: must be at least 1, are 0"))
	}
	for i := range c.Pools {
		errs = append(errs, c.Pools[i].validate(fmt.Sprintf("pools[%d]", i)))
	}
	errs = append(errs, c.validatePools(), c.Router.validate("router"), c.Handoff.validate(), c.Link.Validate(),
		c.Objectives.validate(), c.Client.validate(), c.Adapters.validate())
	if c.DecodeRouter != "" {
		errs = append(errs, c.DecodeRouter.validate("decode_router"))
	}
	if !(c.StepNoise >= 0 && c.StepNoise <= 1) {
		errs = append(errs, fmt.Errorf("step_noise: must be from 0 to 1, is %g", c.StepNoise))
	}
	if c.Workload == nil {
		errs = append(errs, errors.New("workload: must be set"))
	}
	return errors.Join(errs...)
}

// validatePools checks what pools must have in common.
func (c *Config) validatePools() error {
	var errs []error
	names := map[string]bool{}
	first := map[Role]*Pool{}
	for i := range c.Pools {
		p := &c.Pools[i]
		if names[p.Name] {
			errs = append(errs, fmt.Errorf("pools[%d].name: must differ from the others, is %q", i, p.Name))
		}
		names[p.Name] = true
		if p.Model != c.Pools[0].Model {
			errs = append(errs, fmt.Errorf("pools[%d].model: must be %q as in pools[0], is %q", i, c.Pools[0].Model, p.Model))
		}
		if first[p.Role] == nil {
			first[p.Role] = p
		}
		if p.Role == Aggregated {
			continue
		}
		// KV can be read only by the same engine with the same layout.
		partner := first[Prefill]
		if partner == nil {
			partner = first[Decode]
		}
		if partner == nil {
			continue // no such role
		}
		if p.Engine != partner.Engine {
			errs = append(errs, fmt.Errorf("pools[%d].engine: must be %q as in pool %q, is %q", i, partner.Engine, partner.Name, p.Engine))
		}
		if p.BlockSize != partner.BlockSize {
			errs = append(errs, fmt.Errorf("pools[%d].block_size: must be %d as in pool %q, is %d", i, partner.BlockSize, partner.Name, p.BlockSize))
		}
		if p.KVPrecision != partner.KVPrecision {
			errs = append(errs, fmt.Errorf("pools[%d].kv_precision: must be %q as in pool %q, is %q", i, partner.KVPrecision, partner.Name, p.KVPrecision))
		}
	}
	if (first[Prefill] == nil) != (first[Decode] == nil) {
		errs = append(errs, errors.New("pools: prefill and decode pools need each other"))
	}
	return errors.Join(errs...)
}
