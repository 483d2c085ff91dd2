package fleetsim

import (
	"math"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/engine"
)

// TransferTruth is one fetch of a request's KV; times since the start of the simulation.
type TransferTruth struct {
	Source      int    `json:"source"`      // prefill worker
	Destination int    `json:"destination"` // decode worker
	Request     uint64 `json:"request"`     // number of the request in order of arrival, from 0

	QueuedSeconds float64 `json:"queued_seconds"` // prompt computed and decode worker told: waits for blocks until posted
	PostedSeconds float64 `json:"posted_seconds"` // both sides were ready: waits for the links until started
	StartSeconds  float64 `json:"start_seconds"`  // of the first attempt; before posting if it overlapped with the prefill
	EndSeconds    float64 `json:"end_seconds"`

	Tokens      int       `json:"tokens"` // moved, in whole blocks
	Bytes       float64   `json:"bytes"`  // over all ranks
	Descriptors int       `json:"descriptors"`
	Ranks       int       `json:"ranks"`
	Transport   Transport `json:"transport"`

	PostSeconds float64   `json:"post_seconds"` // of submitting an attempt, on each rank
	RankSeconds []float64 `json:"rank_seconds"` // of the last attempt, by rank

	Stalls       int     `json:"stalls"` // of pieces on ranks, all attempts
	StallSeconds float64 `json:"stall_seconds"`
	Retries      int     `json:"retries"`
	Failed       bool    `json:"failed"`

	// ExposedSeconds is the part of the time to first token that waited for the links and the transfer, with nothing computed.
	ExposedSeconds float64 `json:"exposed_seconds"`
}

// transfer is the way of a request's KV from prefill to decode worker.
type transfer struct {
	hand    *handoff
	posted  time.Duration
	started time.Duration // idle until it is under way
	ended   time.Duration
	end     *timer

	tokens, blocks int
	bytes          float64
	ranks          int
	descriptors    int
	link           Link // with TCP where it fell back

	rankTimes []time.Duration // of the last attempt
	overlap   time.Duration   // part of it that ran before posting
	stalls    int
	stalled   time.Duration
	retries   int
	failed    bool // known from the start on
	done      bool
}

// post queues the KV of a request on both links.
func (f *Fleet) post(h *handoff) {
	from, to := h.source, h.target
	p := &f.cfg.Pools[to.pool]
	t := &transfer{hand: h, posted: f.now, started: idle, link: worse(from.link, to.link)}
	t.blocks = h.answer.pages() - h.answer.stored
	t.tokens = t.blocks * p.BlockSize
	t.bytes = float64(t.tokens) * f.model.KVBytesPerToken(p.KVPrecision)
	t.ranks = max(f.cfg.Pools[from.pool].TensorParallel, p.TensorParallel)
	// Keys and values of a block lie apart in every layer; each rank has its heads of them.
	t.descriptors = t.blocks * f.model.Layers * 2 * t.ranks
	h.transfer = t
	from.egress.waiting = append(from.egress.waiting, t)
	to.ingress.waiting = append(to.ingress.waiting, t)
	f.startTransfer(t)
}

// startTransfer lets a transfer begin if it is the first on both links and they are free.
func (f *Fleet) startTransfer(t *transfer) {
	if t == nil {
		return
	}
	out, in := &t.hand.source.egress, &t.hand.target.ingress
	if out.head() != t || in.head() != t || out.busy || in.busy || t.hand.source.down || t.hand.target.down {
		return
	}
	out.busy, in.busy = true, true
	t.started = f.now
	t.end = f.agenda.add(f.attempts(t), func() { f.transferEnded(t) })
}

// attempts plays the transfer that starts now and returns when it ends, well or not.
func (f *Fleet) attempts(t *transfer) time.Duration {
	from, to := t.hand.source, t.hand.target
	d := &dice{key: mix(f.cfg.Seed^transferStream, t.hand.answer.number<<8|uint64(t.hand.answer.attempt&0xff))}
	t.link = worse(from.link, to.link).fallen(f.cfg.Seed, from.index, to.index, d)
	now := f.now
	for {
		end := f.attempt(t, d, now)
		t.failed = d.uniform() < t.link.FailureChance
		if t.link.Timeout > 0 && end-now > t.link.Timeout {
			t.failed, end = true, now+t.link.Timeout
		}
		if !t.failed {
			return f.overlapped(t, end)
		}
		if t.retries == t.link.Retries {
			return end
		}
		t.retries++
		now = end + t.link.Backoff
	}
}

// attempt runs all ranks once from now on and returns when the slowest is done.
func (f *Fleet) attempt(t *transfer, d *dice, now time.Duration) time.Duration {
	l, pieces := t.link, max(t.link.Pieces, 1)
	narrow := min(f.cfg.Pools[t.hand.source.pool].TensorParallel, f.cfg.Pools[t.hand.target.pool].TensorParallel)
	clean := float64(pieces)*l.Latency.Seconds() + l.PerDescriptor.Seconds()*float64(t.descriptors/t.ranks) +
		t.bytes/(float64(narrow)*l.Bandwidth)
	t.rankTimes = t.rankTimes[:0]
	end, until := now, idle
	if l.Timeout > 0 {
		until = now + l.Timeout
	}
	for rank := range t.ranks {
		// Noise and stalls have dice of their own, so that a run without stalls meets the same noise.
		noise, stall := d.split(2*rank), d.split(2*rank+1)
		length := time.Duration(clean * math.Exp(l.Noise*noise.normal()-l.Noise*l.Noise/2) * float64(time.Second))
		for range pieces {
			if l.Hiccups.Chance > 0 && stall.uniform() < l.Hiccups.Chance {
				t.stalls++
				t.stalled += l.Hiccups.Stall
				length += l.Hiccups.Stall
			}
		}
		done, stalls, stalled := carry(rank, now, max(length, 1), until, &t.hand.source.egress, &t.hand.target.ingress)
		t.stalls += stalls
		t.stalled += stalled
		t.rankTimes = append(t.rankTimes, done-now)
		end = max(end, done)
	}
	return end
}

// overlapped brings the end of a layer-wise transfer forward by what could travel while the prompt was being computed: everything
// but the last piece. The links are taken for the rest only.
func (f *Fleet) overlapped(t *transfer, end time.Duration) time.Duration {
	pieces := time.Duration(t.link.Pieces)
	if !t.link.Overlap || pieces < 2 || t.retries > 0 {
		return end
	}
	length := end - f.now
	t.overlap = min(length-length/pieces, t.hand.prefilled-t.hand.prompt.firstScheduled)
	return end - t.overlap
}

// transferEnded frees the links and hands the KV over.
func (f *Fleet) transferEnded(t *transfer) {
	h := t.hand
	f.unlink(t)
	f.bookTransfer(t)
	if t.failed {
		f.kvLost(h)
		return
	}
	f.landed(h)
}

// abort ends a transfer that is queued or under way because one end has gone.
func (f *Fleet) abort(t *transfer) {
	f.agenda.cancel(t.end)
	t.failed, t.overlap = true, 0
	t.retries, t.stalls, t.stalled = 0, 0, 0 // what it would have met
	f.unlink(t)
	f.bookTransfer(t)
}

// unlink takes a transfer off both links and lets the next ones begin.
func (f *Fleet) unlink(t *transfer) {
	out, in := &t.hand.source.egress, &t.hand.target.ingress
	out.remove(t)
	in.remove(t)
	f.startTransfer(out.head())
	f.startTransfer(in.head())
}

// bookTransfer writes a transfer that has ended into the truth and the engine's book.
func (f *Fleet) bookTransfer(t *transfer) {
	h := t.hand
	t.ended, t.done = f.now, true
	truth := TransferTruth{
		Source: h.source.index, Destination: h.target.index, Request: h.answer.number,
		QueuedSeconds: max(h.offered, h.prefilled).Seconds(), PostedSeconds: t.posted.Seconds(), EndSeconds: f.now.Seconds(),
		StartSeconds: (min(t.started, f.now) - t.overlap).Seconds(),
		Tokens:       t.tokens, Bytes: t.bytes, Descriptors: t.descriptors, Ranks: t.ranks, Transport: t.link.Transport,
		Stalls: t.stalls, StallSeconds: t.stalled.Seconds(), Retries: t.retries, Failed: t.failed,
		PostSeconds: t.postSeconds(), ExposedSeconds: (f.now - t.posted).Seconds(),
	}
	h.target.truth.sums.Transfers.observe(&truth)
	if f.cfg.OnTransfer != nil {
		for _, d := range t.rankTimes {
			truth.RankSeconds = append(truth.RankSeconds, d.Seconds())
		}
		f.cfg.OnTransfer(truth)
	}
	if t.started != idle {
		f.tellTransfer(t)
	}
}

// postSeconds is the time that each rank takes to submit an attempt.
func (t *transfer) postSeconds() float64 {
	return t.link.Post.Seconds() + t.link.PerDescriptor.Seconds()*float64(t.descriptors/t.ranks)
}

// tellTransfer tells both engines; vLLM's decode worker hears of it from each of its ranks, others once.
func (f *Fleet) tellTransfer(t *transfer) {
	h := t.hand
	told := engine.Transfer{
		Seconds: (f.now - t.started + t.overlap).Seconds(), PostSeconds: t.postSeconds(),
		// The two requests meet when the decode worker has blocks: that is what either side waited for.
		BootstrapSeconds: (h.reserved - h.offered).Seconds(), AllocSeconds: (h.reserved - h.offered).Seconds(),
		Bytes: t.bytes, Descriptors: t.descriptors, Tokens: t.tokens, Failed: t.failed,
	}
	h.source.book.Sent(&told)
	if t.failed || !h.style.perRank {
		h.target.book.Transferred(&told)
		return
	}
	told.Bytes /= float64(t.ranks)
	told.Descriptors /= t.ranks
	for _, d := range t.rankTimes {
		told.Seconds = d.Seconds()
		h.target.book.Transferred(&told)
	}
}
