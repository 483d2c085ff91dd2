// Package fleetsim simulates a fleet of LLM inference workers iteration by iteration and speaks the engines' own /metrics. It
// knows exactly what prefill and decode cost, and is the ground truth that estimators are scored against: it shares no cost model
// with them. See docs/fleetsim.md for the formulas, figures and sources.
package fleetsim

import (
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/engine"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/physics"
)

// Fleet is a simulated fleet. It is not safe for concurrent use.
type Fleet struct {
	cfg       Config
	model     physics.Model
	workers   []*worker
	front     []*worker // that take arrivals
	decode    []*worker
	agenda    agenda
	source    source
	residency *residency // of cached contents, for the ledgers
	// adapters chooses the adapters of requests that name none.
	adapters adapterChoice
	pace     pace
	next     *Request      // next arrival; nil when the workload is exhausted
	nextAt   time.Duration // its time in the workload
	arrived  uint64        // requests so far, the number of the next one
	open     int           // requests arrived and not answered
	now      time.Duration
	err      error

	random   *rand.Rand // of the routers
	turns    struct{ front, decode uint64 }
	frontEnd engine.Frontend
	down     int        // workers
	held     []*request // arrivals while no worker is up
	homeless []*handoff // prefilled requests while no decode worker is up
}

// WriteMetrics writes a worker's page at the simulated time reached, as its engine does; ErrDown while there is none.
func (f *Fleet) WriteMetrics(worker int, w io.Writer) error {
	if f.workers[worker].down {
		return fmt.Errorf("worker %d: %w", worker, ErrDown)
	}
	return f.workers[worker].book.WritePage(w)
}

// Close releases the workload's file. Truth and metrics stay readable.
func (f *Fleet) Close() error { return f.source.close() }

// Config is the configuration in force, with derived values filled in.
func (f *Fleet) Config() Config { return f.cfg }

// Workers is the number of workers, those of the first pool first.
func (f *Fleet) Workers() int { return len(f.workers) }

// Pool is the configuration of a worker's pool, with derived values filled in.
func (f *Fleet) Pool(worker int) Pool { return f.cfg.Pools[f.workers[worker].pool] }

// Book is a worker's engine book; a restart replaces it.
func (f *Fleet) Book(worker int) engine.Book { return f.workers[worker].book }

// Facts are what a worker's engine process knows of itself; a restart replaces them.
func (f *Fleet) Facts(worker int) engine.Facts { return f.workers[worker].facts }

// ServedModel is the model name the workers serve under.
func (f *Fleet) ServedModel() string { return f.model.ServedName }

// Now is the simulated time reached.
func (f *Fleet) Now() time.Duration { return f.now }

// Done reports that the workload is exhausted and every request has been answered.
func (f *Fleet) Done() bool { return f.next == nil && f.open == 0 }

// Advance runs the simulation until simulated time t; a t in the past does nothing. An error of the workload (a malformed line)
// stops the arrivals for good and is returned then and by every later call; what already arrived is still served.
func (f *Fleet) Advance(t time.Duration) error {
	for t >= f.now {
		w, due := f.agenda.steps[0], f.agenda.nextTimer()
		if f.next != nil && f.next.At <= min(w.stepEnd, due, t) {
			f.now = f.next.At
			f.arrive()
			continue
		}
		if due <= min(w.stepEnd, t) {
			f.now = due
			f.agenda.fire()
			continue
		}
		if w.stepEnd > t || w.stepEnd == idle {
			break
		}
		f.now = w.stepEnd
		w.end()
		f.settle(w)
	}
	f.now = max(f.now, t)
	return f.err
}

// settle takes notice of what a worker has just done.
func (f *Fleet) settle(w *worker) {
	f.agenda.steps.moved(w)
	if n := w.answered; n > 0 {
		w.answered = 0
		f.answered(n)
	}
	for len(w.prefilled) > 0 || len(w.reserved) > 0 {
		prefilled, reserved := w.prefilled, w.reserved
		w.prefilled, w.reserved = nil, nil
		for _, h := range prefilled {
			f.gotPrompt(h)
		}
		for _, h := range reserved {
			f.gotBlocks(h)
		}
	}
}

// answered tells the workload that n requests are over now.
func (f *Fleet) answered(n int) {
	f.open -= n
	if f.source.completed(f.now, n) && f.next == nil {
		f.setError(f.pull())
	}
}

// arrive takes the next request in and fetches the one after it.
func (f *Fleet) arrive() {
	r := &request{
		Request: *f.next, number: f.arrived, unique: mix(f.cfg.Seed^identityStream, f.arrived), resend: f.cfg.Client.Retries > 0,
	}
	if r.Adapter == 0 {
		r.Adapter = f.adapters.of(r.unique)
	}
	f.arrived++
	f.open++
	f.send(r)
	f.setError(f.pull())
}

// send lets a client's request reach the fleet now.
func (f *Fleet) send(r *request) {
	r.sent = f.now
	f.tellArrived(r)
	f.dispatch(r)
}

// dispatch finds a worker for a request. A prompt that leaves no room for an answer is refused, as by the API server.
func (f *Fleet) dispatch(r *request) {
	w := f.route(f.cfg.Router, f.front, &f.turns.front, r)
	if w == nil {
		f.held = append(f.held, r)
		return
	}
	if !r.counted {
		r.counted = true
		w.truth.sums.ArrivedRequests++
	}
	switch {
	case r.PromptTokens >= w.maxTokens:
		w.truth.sums.RejectedRequests++
		f.tellGone(r)
		f.open--
	case w.role != Prefill:
		w.submit(r, f.now)
		f.settle(w)
	case r.PromptTokens <= f.cfg.Handoff.LocalPrefillTokens:
		f.computeAnswer(r)
	default:
		f.handOver(r, w)
	}
}

// pull fetches the next arrival, if there is one now.
func (f *Fleet) pull() error {
	f.next = nil
	if f.err != nil {
		return f.err
	}
	r, ok, err := f.source.next()
	if err != nil {
		return fmt.Errorf("workload: %w", err)
	}
	if !ok {
		return nil
	}
	f.nextAt = r.At
	r.At = f.pace.at(r.At)
	f.next = &r
	return nil
}

func (f *Fleet) setError(err error) {
	if f.err == nil {
		f.err = err
	}
}

// PoolTruth is the cumulative truth of one pool at the simulated time reached.
func (f *Fleet) PoolTruth(pool int) Truth {
	return f.sum(func(w *worker) bool { return w.pool == pool })
}

// Truth is the fleet's cumulative truth at the simulated time reached.
func (f *Fleet) Truth() Truth {
	t := f.sum(func(*worker) bool { return true })
	t.OpenRequests = int64(f.open)
	for _, r := range f.held {
		if !r.counted { // as arrived: no worker was up
			t.OpenRequests--
		}
	}
	return t
}

// sum adds up the truth of some workers.
func (f *Fleet) sum(of func(*worker) bool) Truth {
	var total ledger
	var rest remainder
	var workers []*worker
	for _, w := range f.workers {
		if of(w) {
			total.merge(&w.truth)
			total.sums.Transfers.LeakedTokens += w.leaked()
			total.sums.OpenRequests += int64(w.load())
			rest.add(w.remainder(f.now))
			workers = append(workers, w)
		}
	}
	t := total.snapshot(f.now, len(workers), rest)
	t.KV = fleetKV(workers, f.now)
	return t
}

// WorkerTruth is the cumulative truth of one worker at the simulated time reached.
func (f *Fleet) WorkerTruth(worker int) Truth {
	w := f.workers[worker]
	t := w.truth.snapshot(f.now, 1, w.remainder(f.now))
	t.Transfers.LeakedTokens, t.OpenRequests = w.leaked(), int64(w.load())
	t.KV = w.kv.truth(f.now)
	return t
}
