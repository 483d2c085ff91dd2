package fleetsim

import (
	"slices"
	"time"
)

// style is how an engine hands prompts over.
type style struct {
	push       bool // the decode worker gets its blocks first, then the prompt is computed and its KV sent
	firstToken bool // the first token of the prefill worker is the client's; otherwise the decode worker computes the last prompt token
	perRank    bool // the engine counts the transfers of each rank
}

func styleOf(engine string) style {
	switch engine {
	case SGLang: // the decode side's prealloc and transfer queues, the prefill side's bootstrap and inflight queues
		return style{push: true, firstToken: true}
	case TensorRTLLM: // the generation server fetches, and gets the first token with the request
		return style{firstToken: true}
	}
	return style{perRank: true} // vLLM with its NIXL connector
}

// handoff is one request on its way through a prefill and a decode worker.
type handoff struct {
	style          style
	source, target *worker  // target is nil until it is chosen
	prompt, answer *request // the request on either side

	place     int      // in the source's handoffs
	pinned    *request // what the source keeps until it is fetched: pages only
	lease     *timer
	prefilled time.Duration // when the prompt was computed; 0: not yet
	offered   time.Duration // when the target was told
	reserved  time.Duration // when it had blocks
	hasBlocks bool
	transfer  *transfer
	over      bool // the target needs nothing of the source any more
}

// handOver starts a request on the way through two workers.
func (f *Fleet) handOver(r *request, source *worker) {
	h := &handoff{style: source.style, source: source, prompt: r, answer: r.again()}
	r.hand, h.answer.hand = h, h
	source.take(h)
	if !h.style.push {
		source.submit(r, f.now)
		f.settle(source)
		return
	}
	source.bootstrapping++
	f.offer(h)
}

// offer finds a decode worker for a request; while there is none up it waits.
func (f *Fleet) offer(h *handoff) {
	w := f.route(f.cfg.DecodeRouter, f.decode, &f.turns.decode, h.answer)
	if w == nil {
		f.homeless = append(f.homeless, h)
		return
	}
	h.target, h.offered = w, f.now
	w.accept(h, f.now)
	f.settle(w)
}

// gotBlocks goes on with a request whose decode worker now has blocks for it.
func (f *Fleet) gotBlocks(h *handoff) {
	if h.source.down { // and about to be told so of this request
		return
	}
	if !h.style.push {
		f.post(h)
		return
	}
	h.source.bootstrapping--
	h.source.submit(h.prompt, f.now)
	f.settle(h.source)
}

// gotPrompt goes on with a request whose prompt is computed.
func (f *Fleet) gotPrompt(h *handoff) {
	h.prefilled = f.now
	if h.over { // the decode worker has gone meanwhile
		f.release(h)
		return
	}
	h.lease = f.agenda.add(f.now+f.cfg.Handoff.Lease, func() { f.expired(h) })
	if h.style.push {
		f.post(h)
		return
	}
	f.offer(h)
}

// landed gives a request whose KV has arrived to its decode worker, and the prefill worker its blocks back.
func (f *Fleet) landed(h *handoff) {
	h.over = true
	f.release(h)
	h.target.land(h.answer, f.now)
	f.settle(h.target)
}

// release frees the blocks a prefill worker kept; it may have waited for them.
func (f *Fleet) release(h *handoff) {
	f.agenda.cancel(h.lease)
	w := h.source
	w.drop(h)
	w.wake(f.now)
	f.settle(w)
}

// expired ends a lease: the prefill worker gives the KV up, whoever still wants it.
func (f *Fleet) expired(h *handoff) {
	h.source.truth.sums.Transfers.ExpiredLeases++
	h.source.book.Expired(1)
	f.release(h)
	if !h.over {
		f.kvLost(h)
	}
}

// kvLost goes on with a request whose KV cannot be had: its decode worker computes the prompt itself, or the request fails. vLLM's
// prefill worker does not hear of it and keeps the blocks until the lease ends.
func (f *Fleet) kvLost(h *handoff) {
	h.over = true
	if t := h.transfer; t != nil && !t.done {
		f.abort(t)
	}
	if h.style.push {
		f.release(h)
	}
	w, r := h.target, h.answer
	if w == nil { // no decode worker yet
		f.forgetHomeless(h)
		if f.cfg.Handoff.OnFailure == Fail {
			h.source.truth.sums.Faults.FailedRequests++
			f.tellGone(r)
			f.answered(1)
			return
		}
		f.computeAnswer(r)
		return
	}
	w.withdraw(r)
	if f.cfg.Handoff.OnFailure == Fail {
		f.tellGone(r)
		w.fail(r, f.now)
	} else {
		w.truth.sums.Transfers.LocalPrefills++
		w.recompute(r)
	}
	w.wake(f.now)
	f.settle(w)
}

func (f *Fleet) forgetHomeless(h *handoff) {
	f.homeless = slices.DeleteFunc(f.homeless, func(o *handoff) bool { return o == h })
}

// computeAnswer gives a whole request, prompt and answer, to a decode worker.
func (f *Fleet) computeAnswer(r *request) {
	w := f.route(f.cfg.DecodeRouter, f.decode, &f.turns.decode, r)
	if w == nil {
		f.held = append(f.held, r)
		return
	}
	w.truth.sums.Transfers.LocalPrefills++
	w.submit(r, f.now)
	f.settle(w)
}
