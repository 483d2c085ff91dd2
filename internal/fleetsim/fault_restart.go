package fleetsim

import (
	"fmt"
	"slices"
	"time"
)

// RestartWorker ends a worker's process now and starts a new one after downtime. Its requests are lost or sent again (Config.Client),
// its caches, KV and counters begin empty. The work of the step it was in counts nowhere.
func (f *Fleet) RestartWorker(worker int, downtime time.Duration) error {
	w, err := f.worker(worker)
	if err != nil {
		return err
	}
	if w.down {
		return fmt.Errorf("worker: %d is down already", worker)
	}
	if downtime < 0 {
		return fmt.Errorf("downtime: must be at least 0s, is %s", downtime)
	}
	w.truth.sums.Faults.Restarts++
	f.stop(w)
	if downtime == 0 {
		return f.launch(w)
	}
	f.agenda.add(f.now+downtime, func() { f.setError(f.launch(w)) })
	return nil
}

// stop takes a worker down with everything it had.
func (f *Fleet) stop(w *worker) {
	requests, handoffs := w.requests(), w.handoffs
	w.down, w.downSince = true, f.now
	f.down++
	f.process(w, false)
	w.inbox = nil
	w.abandon(f.now)
	w.kv.sync()
	w.kv.cleared()
	w.sched, w.toldEvictions = newScheduler(&f.cfg.Pools[w.pool]), 0
	w.passes.stop()
	w.passes = nil
	f.agenda.steps.moved(w)
	w.handoffs, w.bootstrapping, w.pinned, w.pinnedBlocks = nil, 0, 0, 0
	arriving := w.arriving
	w.arriving, w.awaiting, w.landing = queue{}, nil, queue{}

	if w.role == Prefill {
		for _, h := range handoffs {
			f.sourceGone(h)
		}
		return
	}
	for _, r := range requests {
		f.targetGone(r, slices.Contains(arriving.all(), r))
		f.lose(r, w)
	}
}

// requests are all that a worker has not finished, in order of their progress.
func (w *worker) requests() []*request {
	var all []*request
	for _, q := range w.sched.running {
		all = append(all, q.req)
	}
	return slices.Concat(all, w.sched.waiting.all(), w.landing.all(), w.awaiting, w.arriving.all(), w.inbox)
}

// sourceGone goes on with a request whose prefill worker has gone down.
func (f *Fleet) sourceGone(h *handoff) {
	f.agenda.cancel(h.lease)
	h.place, h.pinned = -1, nil
	if h.over {
		return
	}
	if h.prefilled > 0 {
		f.kvLost(h)
		return
	}
	h.over = true
	if w := h.target; w != nil { // it keeps blocks for the KV, or looks for them
		w.withdraw(h.answer)
		w.wake(f.now)
		f.settle(w)
	} else {
		f.forgetHomeless(h)
	}
	f.lose(h.prompt, h.source)
}

// targetGone lets go of a request's prefill side when its decode worker has gone down. vLLM's prefill worker does not hear of it and
// keeps the blocks until the lease ends.
func (f *Fleet) targetGone(r *request, arriving bool) {
	h := r.hand
	if h == nil || h.over {
		return
	}
	h.over = true
	if t := h.transfer; t != nil { // under way, or it would be over
		f.abort(t)
	}
	switch {
	case !h.style.push:
	case arriving: // the prompt was not sent off yet
		h.source.bootstrapping--
		f.release(h)
	case h.prefilled > 0:
		f.release(h)
	}
}

// lose ends a request that went down with a worker; its client may send it again.
func (f *Fleet) lose(r *request, w *worker) {
	f.tellGone(r)
	if r.attempt >= f.cfg.Client.Retries {
		w.truth.sums.Faults.LostRequests++
		f.answered(1)
		return
	}
	w.truth.sums.Faults.ResentRequests++
	again := r.again()
	again.attempt++
	f.agenda.add(f.now+f.cfg.Client.Backoff, func() { f.send(again) })
}

// launch starts a worker's new process.
func (f *Fleet) launch(w *worker) error {
	w.truth.sums.Faults.DownSeconds += (f.now - w.downSince).Seconds()
	w.down = false
	f.down--
	w.hashSeed = w.nextSeed
	f.observe(w)
	w.facts.Start = f.cfg.StartTime.Add(f.now)
	if err := f.openBook(w); err != nil {
		return err
	}
	f.process(w, true)
	held, homeless := f.held, f.homeless
	f.held, f.homeless = nil, nil
	for _, r := range held {
		f.dispatch(r)
	}
	for _, h := range homeless {
		f.offer(h)
	}
	return nil
}
