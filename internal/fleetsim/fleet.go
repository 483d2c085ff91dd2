// Package fleetsim simulates a fleet of LLM inference workers iteration by iteration and speaks the engines' own /metrics. It
// knows exactly what prefill and decode cost, and is the ground truth that estimators are scored against: it shares no cost model
// with them. See docs/fleetsim.md for the formulas, figures and sources.
package fleetsim

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/engine"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/physics"
)

// Fleet is a simulated fleet. It is not safe for concurrent use.
type Fleet struct {
	cfg     Config
	model   physics.Model
	workers []*worker
	source  source
	next    *Request // next arrival; nil when the workload is exhausted
	unique  uint64   // requests so far, the identity of the next one
	now     time.Duration
	err     error
}

// Streams of random numbers drawn from one seed.
const (
	workloadStream = 1 << 32
	identityStream = 2 << 32
)

// New validates the configuration and sets the fleet up at simulated time 0. Close it when done.
func New(cfg Config) (*Fleet, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	fig, err := loadFigures()
	if err != nil {
		return nil, err
	}
	gpu, err := physics.Pick("gpu", cfg.GPU, fig.GPUs)
	if err != nil {
		return nil, err
	}
	model, err := physics.Pick("model", cfg.Model, fig.Models)
	if err != nil {
		return nil, err
	}
	cost, err := fig.NewCost(physics.Deployment{
		Model: cfg.Model, GPU: cfg.GPU, Stack: cfg.Stack, Precision: cfg.Precision, KVPrecision: cfg.KVPrecision, TensorParallel: cfg.TensorParallel,
	})
	if err != nil {
		return nil, err
	}
	if err := sizeKV(&cfg, gpu, model); err != nil {
		return nil, err
	}
	f := &Fleet{cfg: cfg, model: model}
	if f.source, err = cfg.Workload.open(fig, rand.New(rand.NewPCG(cfg.Seed, workloadStream))); err != nil {
		return nil, err
	}
	for i := range cfg.Workers {
		f.workers = append(f.workers, newWorker(i, cfg, cost, engine.NewVLLM(engineFacts(cfg, model))))
	}
	if err := f.pull(); err != nil {
		return nil, errors.Join(err, f.source.close())
	}
	return f, nil
}

func newWorker(i int, cfg Config, cost *physics.Cost, book engine.Book) *worker {
	return &worker{
		index: i, cost: cost,
		sched: scheduler{
			budget: cfg.MaxBatchedTokens, maxSeqs: cfg.MaxNumSeqs, blockSize: cfg.BlockSize,
			pool: newBlockPool(cfg.KVBlocks-1, cfg.PrefixCaching),
		},
		book: book, truth: newLedger(),
		noise: cfg.StepNoise, random: rand.New(rand.NewPCG(cfg.Seed, uint64(i))),
		maxTokens: cfg.MaxModelTokens, onStep: cfg.OnStep, onRequest: cfg.OnRequest,
		stepEnd: idle,
	}
}

func engineFacts(cfg Config, model physics.Model) engine.Facts {
	return engine.Facts{
		Start: cfg.StartTime, ServedModel: model.ServedName, Role: "aggregated",
		BlockSize: cfg.BlockSize, Blocks: cfg.KVBlocks, MaxModelTokens: cfg.MaxModelTokens,
		MaxBatchedTokens: cfg.MaxBatchedTokens, MaxNumSeqs: cfg.MaxNumSeqs, TensorParallel: cfg.TensorParallel,
		MemoryShare: gpuMemoryUtilization, PrefixCaching: cfg.PrefixCaching,
	}
}

// WriteMetrics writes a worker's page at the simulated time reached, as its engine does.
func (f *Fleet) WriteMetrics(worker int, w io.Writer) error {
	return f.workers[worker].book.WritePage(w)
}

// Close releases the workload's file. Truth and metrics stay readable.
func (f *Fleet) Close() error { return f.source.close() }

// Config is the configuration in force, with derived values filled in.
func (f *Fleet) Config() Config { return f.cfg }

// Workers is the number of workers.
func (f *Fleet) Workers() int { return len(f.workers) }

// ServedModel is the model name the workers serve under.
func (f *Fleet) ServedModel() string { return f.model.ServedName }

// Now is the simulated time reached.
func (f *Fleet) Now() time.Duration { return f.now }

// Done reports that the workload is exhausted and every request has been answered.
func (f *Fleet) Done() bool {
	if f.next != nil {
		return false
	}
	for _, w := range f.workers {
		if w.stepEnd != idle {
			return false
		}
	}
	return true
}

// Advance runs the simulation until simulated time t; a t in the past does nothing. An error of the workload (a malformed line)
// stops the arrivals for good and is returned then and by every later call; what already arrived is still served.
func (f *Fleet) Advance(t time.Duration) error {
	for t >= f.now {
		w, end := f.earliest()
		if f.next != nil && f.next.At <= end && f.next.At <= t {
			f.arrive()
			continue
		}
		if end > t || end == idle {
			break
		}
		before := w.truth.sums.FinishedRequests
		w.end()
		if f.source.completed(end, int(w.truth.sums.FinishedRequests-before)) && f.next == nil {
			f.setError(f.pull())
		}
	}
	f.now = max(f.now, t)
	return f.err
}

// earliest finds the worker whose step ends first; the lowest index among equals.
func (f *Fleet) earliest() (*worker, time.Duration) {
	first := f.workers[0]
	for _, w := range f.workers[1:] {
		if w.stepEnd < first.stepEnd {
			first = w
		}
	}
	return first, first.stepEnd
}

// arrive routes the next request and fetches the one after it.
func (f *Fleet) arrive() {
	r := &request{Request: *f.next, unique: mix(f.cfg.Seed^identityStream, f.unique)}
	w := f.workers[f.unique%uint64(len(f.workers))]
	if f.cfg.Router == LeastLoaded {
		w = f.workers[0]
		for _, o := range f.workers[1:] {
			if o.load() < w.load() {
				w = o
			}
		}
	}
	f.unique++
	w.submit(r)
	f.setError(f.pull())
}

// pull fetches the next arrival, if there is one now.
func (f *Fleet) pull() error {
	f.next = nil
	if f.err != nil {
		return f.err
	}
	r, ok, err := f.source.next()
	if err != nil || !ok {
		return err
	}
	f.next = &r
	return nil
}

func (f *Fleet) setError(err error) {
	if f.err == nil && err != nil {
		f.err = fmt.Errorf("workload: %w", err)
	}
}

// Truth is the fleet's cumulative truth at the simulated time reached.
func (f *Fleet) Truth() Truth {
	total := newLedger()
	var inFlight float64
	for _, w := range f.workers {
		total.merge(&w.truth)
		inFlight += w.inFlight(f.now)
	}
	return total.snapshot(f.now, len(f.workers), inFlight)
}

// WorkerTruth is the cumulative truth of one worker at the simulated time reached.
func (f *Fleet) WorkerTruth(worker int) Truth {
	w := f.workers[worker]
	return w.truth.snapshot(f.now, 1, w.inFlight(f.now))
}
