package fleetsim

import (
	"math"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/engine"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/physics"
)

// emit advances every sequence of the step and adds to what the engine is told of it.
func (w *worker) emit(now time.Duration, told *engine.Step, shares *physics.DemandShares) {
	s := &w.sched
	// Sequences whose previous token came with the previous step have one common interval.
	regular, produced := s.work.DecodeSequences, s.work.DecodeSequences
	if !s.uniform {
		regular, produced = w.emitDecodes(now, told)
	}
	s.clock++
	s.context += produced
	s.tokens += produced
	told.Outputs += produced
	w.done = w.done[:0]
	if s.work.PrefillSequences > 0 || s.clock >= s.nextEnd {
		w.emitRest(now, told, shares)
	}
	if regular > 0 {
		w.bookInterval(now-w.stepStart, regular)
	}
	t := &w.truth.sums
	t.OutputTokens += int64(told.Outputs)
	t.DraftedTokens += int64(told.Drafted)
	t.AcceptedTokens += int64(told.Accepted)
}

// emitDecodes advances decodes that may miss a step or get several tokens in one. Several tokens of one step come at once: clients
// and engines see one interval.
func (w *worker) emitDecodes(now time.Duration, told *engine.Step) (regular, produced int) {
	s := &w.sched
	told.AcceptedAt = w.verifier.counts()
	for i := range s.running {
		q := &s.running[i]
		switch {
		case q.end == 0:
			continue
		case q.tokens == 0:
			s.shift(i, -1)
			continue
		case q.tokens > 1:
			kept := w.verifier.accepted(q.tokens - 1)
			told.Drafts++
			told.Drafted += q.tokens - 1
			told.Accepted += kept
			w.verifier.count(kept)
			kept = min(kept, q.end-s.clock-1)
			s.shift(i, kept)
			produced += kept
		}
		produced++
		if q.late {
			w.bookInterval(now-q.req.lastToken, 1)
			q.late = false
			s.late--
		} else {
			regular++
		}
	}
	return regular, produced
}

// emitRest advances prompts and ends the requests that have produced their last token.
func (w *worker) emitRest(now time.Duration, told *engine.Step, shares *physics.DemandShares) {
	s := &w.sched
	s.nextEnd = math.MaxInt
	for i := range s.running {
		q := &s.running[i]
		if q.end == 0 && (q.tokens == 0 || !w.emitPrompt(i, now, told, shares)) {
			continue
		}
		if q.end > s.clock {
			s.nextEnd = min(s.nextEnd, q.end)
			continue
		}
		s.leave(q, now)
		w.done = append(w.done, i)
		w.bookFinish(q.req)
	}
}

// emitPrompt advances a request whose prompt, or recomputation, was in the step; true if that produced a token.
func (w *worker) emitPrompt(i int, now time.Duration, told *engine.Step, shares *physics.DemandShares) bool {
	q := &w.sched.running[i]
	r, tokens := q.req, q.tokens
	r.shares.addPrefill(shares, float64(tokens)/float64(w.stepWork.PrefillTokens))
	w.truth.sums.RecomputedTokens += int64(max(0, min(r.reached, r.computed+tokens)-r.computed))
	r.computed += tokens
	w.sched.tokens += tokens
	r.reached = max(r.reached, r.computed)
	if r.computed < r.tokens() {
		return false
	}
	told.Outputs++
	told.Preemptions += r.unreported
	r.unreported = 0
	if r.generated++; r.generated == 1 {
		r.firstToken = now
		told.CreditedPrompt += r.computedPrompt()
		w.bookFirstToken(r)
	} else {
		w.bookInterval(now-r.lastToken, 1)
	}
	r.lastToken = now
	w.sched.startDecoding(i)
	return true
}

func (w *worker) bookInterval(d time.Duration, n int) {
	w.book.Intervals(d, n)
	w.truth.itl.observeN(d.Seconds(), n)
	if w.frontEnd != nil {
		w.frontEnd.Intervals(d, n)
	}
}

// tellEvictions tells an engine that counts them how many pages lost their content; with a ledger it has heard of each block.
func (w *worker) tellEvictions() {
	n := w.sched.pool.evictions - w.toldEvictions
	w.toldEvictions += n
	if w.kv != nil || !w.countsEvictions {
		return
	}
	for range n {
		w.book.Evicted(&engine.Eviction{})
	}
}

// bookFirstToken books a first token: the prompt where it was computed, the latency where the client is answered.
func (w *worker) bookFirstToken(r *request) {
	w.book.FirstToken(r.tell(&w.told))
	t := &w.truth.sums
	if r == r.prefillSide() {
		t.PromptTokens += int64(r.PromptTokens)
		t.CachedTokens += int64(r.cachedTokens)
	}
	if w.role != Prefill {
		if !r.begun {
			r.begun = true
			w.truth.ttft.observeN((r.firstToken - r.At).Seconds(), 1)
		}
		if w.frontEnd != nil {
			w.frontEnd.FirstToken(r.toldClient())
		}
	}
}

func (w *worker) bookFinish(r *request) {
	w.book.Finished(r.tell(&w.told))
	if w.role == Prefill {
		w.pin(r)
		return
	}
	w.truth.sums.FinishedRequests++
	w.truth.e2e.observeN((r.lastToken - r.At).Seconds(), 1)
	w.truth.queue.observeN((r.prefillSide().firstScheduled - r.At).Seconds(), 1)
	w.truth.sums.Goodput.observe(w.objectives, r.firstToken-r.At, r.lastToken-r.firstToken, r.generated)
	w.answered++
	w.last.note(r)
	if w.frontEnd != nil {
		w.frontEnd.Finished(r.toldClient())
	}
	if w.onRequest != nil {
		w.onRequest(r.truth(w.index))
	}
}
