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
	truth      ledger
	noise      float64 // standard deviation of log step time
	random     *rand.Rand
	speed      float64
	hashSeed   uint64
	maxTokens  int
	objectives Objectives
	onStep     func(StepTruth)
	onRequest  func(RequestTruth)

	kvTraffic
	down bool

	inbox []*request // arrived; the engine core looks between steps only

	stepStart, stepEnd time.Duration // stepEnd is idle when nothing runs
	stepWork           physics.Work
	stepClean          float64 // step time without noise, s
}

// submit hands the worker a request that reaches its API server now.
func (w *worker) submit(r *request, now time.Duration) {
	r.arrived, r.seed = now, w.hashSeed
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
	for _, r := range w.inbox {
		r.queued = now
		w.sched.waiting.push(r)
	}
	clear(w.inbox)
	w.inbox = w.inbox[:0]

	w.stepEnd = idle
	w.admit(now)
	w.sched.plan(now)
	w.reserve()
	w.tellLookups()
	w.truth.sums.Preemptions += int64(w.sched.preemptions)
	if len(w.sched.chunks) == 0 {
		return
	}
	w.stepWork = w.sched.work()
	w.stepClean = w.cost.Seconds(w.stepWork)
	// Mean 1, so that noise does not shift the load.
	factor := math.Exp(w.noise*w.random.NormFloat64() - w.noise*w.noise/2)
	w.stepStart = now
	w.stepEnd = now + max(time.Duration(w.stepClean*factor/w.speed*float64(time.Second)), 1)
}

// end finishes the step in progress: tokens appear, requests leave, both books are kept, and the next step begins.
func (w *worker) end() {
	now, length := w.stepEnd, w.stepEnd-w.stepStart
	step := w.truth.step(w.stepWork, w.cost.Split(w.stepWork, w.stepClean, length.Seconds()), w.stepStart, length)
	told := engine.Step{
		End: now, Seconds: length.Seconds(),
		PrefillTokens: w.stepWork.PrefillTokens, DecodeSequences: w.stepWork.DecodeSequences,
	}
	w.emit(now, &told)
	w.sched.finish(func(r *request) bool { return r.generated == r.limit })
	told.State = w.state()
	w.book.Step(&told)
	if w.onStep != nil {
		step.Worker = w.index
		w.onStep(step)
	}
	w.begin(now)
}

// emit advances every request of the step and adds to what the engine is told of it.
func (w *worker) emit(now time.Duration, told *engine.Step) {
	regular := 0 // sequences whose previous token came with the previous step: one common interval
	for _, c := range w.sched.chunks {
		r := c.req
		w.truth.sums.RecomputedTokens += int64(max(0, min(r.reached, r.computed+c.tokens)-r.computed))
		r.computed += c.tokens
		r.reached = max(r.reached, r.computed)
		if r.computed < r.tokens() {
			continue
		}
		told.Outputs++
		r.decoding = true
		r.generated++
		switch {
		case r.generated == 1:
			r.firstToken = now
			told.CreditedPrompt += r.computedPrompt()
			w.bookFirstToken(r)
		case r.lastToken == w.stepStart:
			regular++
		default:
			w.bookInterval(now-r.lastToken, 1)
		}
		r.lastToken = now
		told.Preemptions += r.unreported
		r.unreported = 0
		if r.generated == r.limit {
			w.bookFinish(r)
		}
	}
	if regular > 0 {
		w.bookInterval(now-w.stepStart, regular)
	}
	w.truth.sums.OutputTokens += int64(told.Outputs)
}

func (w *worker) bookInterval(d time.Duration, n int) {
	w.book.Intervals(d, n)
	w.truth.itl.observeN(d.Seconds(), n)
}

// bookFirstToken books a first token: the prompt where it was computed, the latency where the client is answered.
func (w *worker) bookFirstToken(r *request) {
	w.book.FirstToken(r.told())
	t := &w.truth.sums
	if r == r.prefillSide() {
		t.PromptTokens += int64(r.PromptTokens)
		t.CachedTokens += int64(r.cachedTokens)
	}
	if w.role != Prefill {
		w.truth.ttft.observeN((r.firstToken - r.At).Seconds(), 1)
	}
}

func (w *worker) bookFinish(r *request) {
	w.book.Finished(r.told())
	if w.role == Prefill {
		w.pin(r)
		return
	}
	w.truth.sums.FinishedRequests++
	w.truth.e2e.observeN((r.lastToken - r.At).Seconds(), 1)
	w.truth.queue.observeN((r.prefillSide().firstScheduled - r.At).Seconds(), 1)
	w.truth.sums.Goodput.observe(w.objectives, r.firstToken-r.At, r.lastToken-r.firstToken, r.generated)
	w.answered++
	if w.onRequest != nil {
		w.onRequest(r.truth(w.index))
	}
}

// inFlight is the elapsed part of the step in progress, s.
func (w *worker) inFlight(now time.Duration) float64 {
	if w.stepEnd == idle {
		return 0
	}
	return (now - w.stepStart).Seconds()
}
