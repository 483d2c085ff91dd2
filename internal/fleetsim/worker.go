package fleetsim

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/engine"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/physics"
)

// idle is the end of the current step of a worker that has none.
const idle = time.Duration(math.MaxInt64)

// worker is one engine core: a scheduler, its KV pool, and a GPU group that takes time.
type worker struct {
	index      int
	pool       int // its pool's place in the configuration
	role       Role
	facts      engine.Facts
	place      int // in the agenda's heap
	answered   int // requests over since the fleet last looked
	cost       *physics.Cost
	sched      scheduler
	book       engine.Book
	frontEnd   engine.Frontend // nil if there is none
	last       answeredLast
	truth      ledger
	noise      float64 // standard deviation of log step time
	random     *rand.Rand
	speed      float64
	phaseSpeed PhaseSpeed
	hashSeed   uint64
	nextSeed   uint64 // of the next process
	maxTokens  int
	objectives Objectives
	onStep     func(StepTruth)
	onRequest  func(RequestTruth)
	onKV       func(KVBatch)
	passes     *passRecorder // nil unless somebody listens
	kv         *kvLedger     // nil unless the pool is audited

	kvTraffic
	down      bool
	downSince time.Duration

	inbox []*request // arrived; the engine core looks between steps only

	told     engine.Request // scratch of what the book is told
	toldStep engine.Step
	done     []int // running sequences that produced their last token in this step

	stepStart, stepEnd time.Duration // stepEnd is idle when nothing runs
	stepWork           physics.Work
	stepDemand         physics.Demand // at its clock, without noise
	stepSpeed          float64        // of the GPUs in it

	toldEvictions   int64 // of the pool's
	countsEvictions bool  // the engine's page has them

	verifier *verifier // nil without speculative decoding
	device   device
	gpuSums  gpuSums // of finished and abandoned steps
}

// publish hands out the events and the record of the step that ends.
func (w *worker) publish(now time.Duration, seconds float64) {
	if events := w.sched.pool.events.take(); len(events) > 0 {
		w.onKV(KVBatch{Worker: w.index, Process: w.process(), At: now, Events: events})
	}
	w.passes.finished(now, seconds, &w.sched)
}

// submit hands the worker a request that reaches its API server now.
func (w *worker) submit(r *request, now time.Duration) {
	r.arrived = now
	r.limit = min(r.OutputTokens, w.maxTokens-r.PromptTokens)
	if w.role == Prefill {
		r.limit = 1
	}
	w.inbox = append(w.inbox, r)
	if w.stepEnd == idle {
		w.begin(now)
	}
}

// load is the number of requests the worker has not finished.
func (w *worker) load() int {
	n := len(w.inbox) + w.sched.waiting.len() + len(w.sched.running)
	return n + w.bootstrapping + w.arriving.len() + len(w.awaiting) + w.landing.len()
}

// begin starts a step at the given time, or goes idle if there is nothing to do.
func (w *worker) begin(now time.Duration) {
	w.kv.sync()
	for _, r := range w.inbox {
		r.queued = now
		w.sched.waiting.push(r)
	}
	clear(w.inbox)
	w.inbox = w.inbox[:0]

	w.stepEnd = idle
	w.plan(now)
	w.tellLookups()
	w.tellEvictions()
	w.truth.sums.Preemptions += int64(w.sched.preemptions)
	if w.sched.work == (physics.Work{}) {
		w.tellIdling(now)
		w.passes.rest(now)
		return
	}
	w.passes.planned(&w.sched)
	w.stepWork = w.sched.work
	w.stepDemand = w.cost.Demand(w.stepWork)
	// Mean 1, so that noise does not shift the load.
	factor := math.Exp(w.noise*w.random.NormFloat64() - w.noise*w.noise/2)
	w.stepStart = now
	seconds := w.paced() / w.speed
	w.stepSpeed = w.stepDemand.Seconds / seconds
	w.stepEnd = now + max(time.Duration(seconds*factor*float64(time.Second)), 1)
}

// plan fills the step that starts now. A request that finds no block preempts itself when it is the newest; if that leaves the step empty,
// what it held - seats, adapter slots, blocks - may be all that others need, and nothing else would wake the worker for them.
func (w *worker) plan(now time.Duration) {
	s := &w.sched
	s.open(now)
	for before := -1; before < s.preemptions && s.work == (physics.Work{}); {
		before = s.preemptions
		w.admit(now)
		s.plan()
	}
	w.reserve(now)
}

// end finishes the step in progress: tokens appear, requests leave, both books are kept, and the next step begins.
func (w *worker) end() {
	w.kv.sync()
	now, seconds := w.stepEnd, (w.stepEnd - w.stepStart).Seconds()
	shares := w.divide(seconds)
	w.truth.step(&w.stepWork, &shares, seconds, w.device.gpus)
	w.gpuSums.add(&w.stepWork, &shares.Step, 1)
	w.sched.meter.step(&shares, w.stepWork.DecodeSequences)
	told := &w.toldStep
	*told = engine.Step{
		End: now, Seconds: seconds,
		PrefillTokens: w.stepWork.PrefillTokens, PrefillSequences: w.stepWork.PrefillSequences, PrefillContext: w.stepWork.PrefillContext,
		DecodeSequences: w.stepWork.DecodeSequences, DecodeContext: w.stepWork.DecodeContext,
	}
	w.emit(now, told, &shares)
	w.sched.finish(w.done)
	w.sched.work = physics.Work{} // it is done; the plan is empty until the next
	told.State = w.state()
	w.book.Step(told)
	w.publish(now, seconds)
	if w.onStep != nil {
		step := stepTruth(&w.stepWork, &shares, w.stepStart, seconds, w.device.gpus)
		step.Worker = w.index
		w.onStep(step)
	}
	w.begin(now)
}

// process is the number of the worker's process, from 0.
func (w *worker) process() int { return int(w.truth.sums.Faults.Restarts) }

// divide plays the game of the phases over the step in progress, which takes the given time.
func (w *worker) divide(seconds float64) physics.DemandShares {
	pace := physics.Pace{Noise: seconds * w.stepSpeed / w.stepDemand.Seconds, Speed: w.stepSpeed}
	return w.cost.Divide(w.stepDemand, w.stepWork, pace)
}

// inFlight is the elapsed part of the step in progress, s.
func (w *worker) inFlight(now time.Duration) float64 {
	if w.stepEnd == idle {
		return 0
	}
	return (now - w.stepStart).Seconds()
}

// elapsed is the part of the step in progress that has passed, 0 to 1, and its demand; 0 without a step.
func (w *worker) elapsed(now time.Duration) (float64, physics.Demand) {
	if w.stepEnd == idle {
		return 0, physics.Demand{ClockRatio: 1}
	}
	seconds := (w.stepEnd - w.stepStart).Seconds()
	return w.inFlight(now) / seconds, w.divide(seconds).Step
}

// remainder is what the worker's finished steps do not account for by now.
func (w *worker) remainder(now time.Duration) remainder {
	part, step := w.elapsed(now)
	t := &w.truth.sums
	r := remainder{inFlightSeconds: w.inFlight(now), inFlightJoules: part * step.Joules}
	if w.down {
		r.downSeconds = (now - w.downSince).Seconds()
	}
	r.idleJoules = max(0, now.Seconds()-t.BusySeconds-t.AbandonedSeconds-r.inFlightSeconds) * w.cost.IdlePower()
	return r
}

// abandon gives up the step in progress: it has taken time and energy, but nothing comes of it.
func (w *worker) abandon(now time.Duration) {
	part, step := w.elapsed(now)
	w.gpuSums.add(&w.stepWork, &step, part)
	w.truth.sums.AbandonedSeconds += w.inFlight(now)
	w.truth.sums.AbandonedJoules += part * step.Joules
	w.stepEnd = idle
}
