package fleetsim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/engine"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/physics"
)

// Streams of random numbers drawn from one seed; workers have those from 0 on.
const (
	workloadStream = 1 << 32
	identityStream = 2 << 32
	routerStream   = 7 << 32
)

// New validates the configuration and sets the fleet up at simulated time 0. Close it when done.
func New(cfg Config) (*Fleet, error) {
	cfg.Pools = slices.Clone(cfg.Pools) // derived values are filled in
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.DecodeRouter == "" {
		cfg.DecodeRouter = cfg.Router
	}
	fig, err := loadFigures()
	if err != nil {
		return nil, err
	}
	f := &Fleet{
		residency: newResidency(),
		cfg:       cfg, adapters: newAdapterChoice(cfg.Adapters), pace: steady(), random: rand.New(rand.NewPCG(cfg.Seed, routerStream)),
	}
	for i := range cfg.Pools {
		if err := f.addPool(fig, i); err != nil {
			return nil, fmt.Errorf("pools[%d].%w", i, err)
		}
	}
	if err := f.checkContexts(); err != nil {
		return nil, err
	}
	if err := f.openFrontEnd(); err != nil {
		return nil, err
	}
	f.agenda.steps = newStepHeap(f.workers)
	if f.source, err = cfg.Workload.open(fig, rand.New(rand.NewPCG(cfg.Seed, workloadStream))); err != nil {
		return nil, err
	}
	if err := f.pull(); err != nil {
		return nil, errors.Join(err, f.source.close())
	}
	return f, nil
}

// addPool builds the workers of the i-th pool.
func (f *Fleet) addPool(fig *figures, i int) error {
	p := &f.cfg.Pools[i]
	gpu, err := physics.Pick("gpu", p.GPU, fig.GPUs)
	if err != nil {
		return err
	}
	if f.model, err = physics.Pick("model", p.Model, fig.Models); err != nil {
		return err
	}
	cost, err := fig.NewCost(physics.Deployment{
		Model: p.Model, GPU: p.GPU, Stack: p.Stack, Precision: p.Precision, KVPrecision: p.KVPrecision,
		TensorParallel: p.TensorParallel, PowerLimit: p.PowerLimit, DraftShare: p.Speculative.DraftCost,
	})
	if err != nil {
		return err
	}
	if err := p.sizeKV(gpu, f.model); err != nil {
		return err
	}
	if err := p.Scheduling.validate(p.MaxBatchedTokens, p.MaxModelTokens); err != nil {
		return err
	}
	for n := range p.Workers {
		w, err := f.newWorker(p, i, n, cost, gpu)
		if err != nil {
			return err
		}
		f.workers = append(f.workers, w)
		if p.Role == Decode {
			f.decode = append(f.decode, w)
		} else {
			f.front = append(f.front, w)
		}
	}
	return nil
}

// checkContexts makes sure that a decode worker can take whatever a prefill worker computes.
func (f *Fleet) checkContexts() error {
	longest := 0
	for _, p := range f.cfg.Pools {
		if p.Role == Prefill {
			longest = max(longest, p.MaxModelTokens)
		}
	}
	for i, p := range f.cfg.Pools {
		if p.Role == Decode && p.MaxModelTokens < longest {
			return fmt.Errorf("pools[%d].max_model_tokens: must be at least the %d of the prefill pools, is %d", i, longest, p.MaxModelTokens)
		}
	}
	return nil
}

// newWorker builds the n-th worker of a pool.
func (f *Fleet) newWorker(p *Pool, pool, n int, cost *physics.Cost, gpu physics.GPU) (*worker, error) {
	replica, index := p.replica(n), len(f.workers)
	w := &worker{
		index: index, pool: pool, role: p.Role, cost: cost,
		noise: f.cfg.StepNoise, random: rand.New(rand.NewPCG(f.cfg.Seed, uint64(index))),
		speed: replica.Speed, phaseSpeed: p.PhaseSpeed, hashSeed: replica.HashSeed, nextSeed: replica.HashSeed,
		maxTokens: p.MaxModelTokens, objectives: f.cfg.Objectives, onStep: f.cfg.OnStep, onRequest: f.cfg.OnRequest,
		stepEnd: idle, facts: engineFacts(p, gpu, f.model, f.cfg.StartTime), device: newDevice(p, gpu, f.model),
	}
	w.verifier = newVerifier(p.Speculative, f.cfg.Seed, index)
	w.sched = newScheduler(p)
	w.style = styleOf(p.Engine)
	f.setLink(w, f.cfg.Link)
	f.observe(w)
	return w, f.openBook(w)
}

// newScheduler is the empty scheduler of a process that has just started.
func newScheduler(p *Pool) scheduler {
	return scheduler{
		budget: p.MaxBatchedTokens, maxSeqs: p.MaxNumSeqs, maxTokens: p.MaxModelTokens, blockSize: p.BlockSize,
		maxChunk: p.MaxChunk, scheduling: p.Scheduling, drafts: p.Speculative.Tokens, window: p.SlidingWindow,
		adapters: adapterSlots{limit: p.MaxAdapters},
		clock:    1, // an end of 0 is none
		pool:     newBlockPool(p.KVBlocks-1, p.PrefixCaching),
	}
}

// observe connects a worker whose scheduler is new to the hooks of the configuration.
func (f *Fleet) observe(w *worker) {
	if f.cfg.OnKV != nil {
		w.onKV = f.cfg.OnKV
		w.sched.pool.events = &kvRecorder{seed: w.hashSeed, blockSize: w.sched.blockSize, window: w.sched.window}
	}
	if f.cfg.OnAccess != nil {
		w.sched.access = func(hash uint64, hit bool) { f.cfg.OnAccess(w.index, publishedHash(w.hashSeed, hash), hit) }
	}
	if (f.cfg.KVLedger || w.facts.ResidencySample > 0) && w.kv == nil {
		w.kv = newKVLedger(w.sched.pool.size, w.sched.blockSize, f.residency)
		w.kv.clock = func() time.Duration { return f.now }
		if p := &f.cfg.Pools[w.pool]; p.SlidingWindow > 0 {
			w.kv.windowed = w.measureWindow
		}
		w.kv.measure, w.kv.tell = w.measurePool, func(e *engine.Eviction) { w.book.Evicted(e) }
	}
	w.sched.pool.ledger = w.kv
	w.countsEvictions = f.cfg.Pools[w.pool].Engine == SGLang
	if f.cfg.OnPass != nil && w.passes == nil {
		w.passes = &passRecorder{worker: w.index, process: w.process(), emit: f.cfg.OnPass, agenda: &f.agenda}
		w.passes.rest(f.now)
	}
}
