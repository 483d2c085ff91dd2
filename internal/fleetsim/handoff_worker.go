package fleetsim

import (
	"slices"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/engine"
)

// kvTraffic is the part of a worker that takes part in disaggregated serving.
type kvTraffic struct {
	style
	link            Link
	egress, ingress side

	// Prefill side.
	handoffs      []*handoff // all that may still need this worker
	bootstrapping int        // of them, those whose decode worker has no blocks yet
	pinned        int        // of them, those whose KV waits to be fetched
	pinnedBlocks  int

	// Decode side.
	arriving queue      // requests that wait for blocks
	awaiting []*request // requests whose KV is to come
	landing  queue      // requests whose KV is here and that wait for a seat
	lookup   engine.Lookup

	// For the fleet to see to.
	prefilled []*handoff // whose prompt has just been computed
	reserved  []*handoff // who have just got blocks
}

// take notes a request that is to be prefilled here.
func (w *worker) take(h *handoff) {
	h.place = len(w.handoffs)
	w.handoffs = append(w.handoffs, h)
}

// pin keeps the blocks of a prompt that is computed; the token that came with it is not the client's, or not here.
func (w *worker) pin(r *request) {
	h := r.hand
	h.pinned = &request{blocks: r.blocks, nameless: r.nameless, stored: r.stored}
	r.blocks, r.nameless, r.stored = nil, 0, 0
	w.pinned++
	w.pinnedBlocks += h.pinned.pages()
	w.truth.sums.OutputTokens--
	w.truth.sums.Transfers.Prefills++
	w.prefilled = append(w.prefilled, h)
}

// drop gives back what a request held on this prefill worker and forgets it.
func (w *worker) drop(h *handoff) {
	if h.place < 0 {
		return
	}
	w.kv.sync()
	last := len(w.handoffs) - 1
	w.handoffs[h.place] = w.handoffs[last]
	w.handoffs[h.place].place = h.place
	w.handoffs[last] = nil
	w.handoffs = w.handoffs[:last]
	h.place = -1
	if h.pinned != nil {
		w.pinned--
		w.pinnedBlocks -= h.pinned.pages()
		w.sched.release(h.pinned)
		h.pinned = nil
	}
}

// accept queues a request on its decode worker until there are blocks.
func (w *worker) accept(h *handoff, now time.Duration) {
	r := h.answer
	r.arrived, r.queued = now, now
	r.limit = min(r.OutputTokens, w.maxTokens-r.PromptTokens)
	w.arriving.push(r)
	w.wake(now)
}

// reserve gives blocks to requests whose KV is to come, in order of arrival and after everything that was here before them.
func (w *worker) reserve(now time.Duration) {
	s := &w.sched
	if s.preemptions > 0 || s.waiting.len() > 0 {
		return
	}
	for w.arriving.len() > 0 && len(s.running) < s.maxSeqs {
		r := w.arriving.front()
		if !s.reserve(r) {
			return
		}
		w.arriving.popFront()
		r.remoteTokens = r.PromptTokens - r.cachedTokens
		w.lookup.Queries += r.PromptTokens
		w.lookup.Hits += r.cachedTokens
		w.lookup.RemoteQueries += r.remoteTokens
		w.lookup.RemoteHits += r.remoteTokens
		w.truth.sums.Transfers.LocalTokens += int64(r.cachedTokens)
		r.hand.reserved, r.hand.hasBlocks = now, true
		w.awaiting = append(w.awaiting, r)
		w.reserved = append(w.reserved, r.hand)
	}
}

// reserve gives a request all blocks of its prompt before any of it is here, except those that are cached; false if it does not fit.
func (s *scheduler) reserve(r *request) bool {
	hit := s.cachedPrefix(r)
	if !s.fits(r, hit) {
		return false
	}
	s.claim(r, hit)
	r.cachedTokens = len(hit) * s.blockSize
	s.hold(r, s.blocksFor(r.PromptTokens))
	return true
}

// land takes in a request whose KV has arrived; its full blocks can be found from now on.
func (w *worker) land(r *request, now time.Duration) {
	w.kv.sync()
	w.stopAwaiting(r)
	w.sched.storeUpTo(r, r.PromptTokens/w.sched.blockSize)
	w.landing.push(r)
	w.wake(now)
}

// admit seats requests whose KV is here.
func (w *worker) admit(now time.Duration) {
	s := &w.sched
	for w.landing.len() > 0 && len(s.running) < s.maxSeqs && s.adapters.admits(w.landing.front().Adapter) {
		r := w.landing.front()
		w.landing.popFront()
		r.firstScheduled = now
		r.computed = r.PromptTokens
		if r.hand.style.firstToken {
			r.generated = 1
			r.firstToken, r.lastToken = now, now
			w.truth.sums.OutputTokens++
			w.bookFirstToken(r)
			if r.limit == 1 {
				w.bookFinish(r)
				s.release(r)
				continue
			}
		} else {
			r.computed-- // to have something to sample from
			w.truth.sums.Transfers.LastTokens++
		}
		r.reached = r.computed
		s.seat(r)
		if r.generated > 0 {
			s.startDecoding(len(s.running) - 1)
		}
	}
}

// stopAwaiting takes a request off those whose KV is to come.
func (w *worker) stopAwaiting(r *request) {
	i := slices.Index(w.awaiting, r)
	w.awaiting = slices.Delete(w.awaiting, i, i+1)
}

// withdraw takes a request that waits for blocks or KV off this decode worker.
func (w *worker) withdraw(r *request) {
	w.kv.sync()
	if r.hand.hasBlocks {
		w.stopAwaiting(r)
		w.sched.release(r)
		r.cachedTokens, r.remoteTokens = 0, 0
		return
	}
	w.arriving.remove(r)
}

// recompute queues a request whose KV is lost to be computed here from its first token on.
func (w *worker) recompute(r *request) { w.sched.waiting.push(r) }

// fail ends a request with an error.
func (w *worker) fail(r *request, now time.Duration) {
	w.truth.sums.Faults.FailedRequests++
	r.lastToken = now
	told := r.tell(&w.told)
	told.Aborted = true
	w.book.Finished(told)
	w.answered++
}

// wake lets an idle worker look for work.
func (w *worker) wake(now time.Duration) {
	if w.stepEnd == idle && !w.down && w.load() > 0 {
		w.begin(now)
	}
}
