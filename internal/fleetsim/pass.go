package fleetsim

import "time"

// Pass is the record of one engine step as a forward-pass publisher sends it (ai-dynamo/dynamo, forward_pass_metrics.py and
// instrumented_scheduler.py), or an idle heartbeat, which has no time and no requests.
type Pass struct {
	Worker    int
	Process   int           // of the worker, from 0; a restart begins the next one
	Counter   uint64        // increases by one per record of a process, from 0
	At        time.Duration // when it is sent: the end of the step, simulated time
	Seconds   float64       // wall_time; 0 for a heartbeat
	Scheduled PassScheduled
	Queued    PassQueued
}

// PassScheduled is what ran in the step. A preempted request that has produced tokens counts as a decode when it comes back, however
// much of it is computed again, and with the context it has at that moment: that is how vLLM tells the phases apart.
type PassScheduled struct {
	PrefillRequests       int     // prompts and chunks of prompts
	PrefillTokens         int     // computed for them in this step
	PrefillLengthVariance float64 // population variance of their whole prompt lengths, tokens^2
	PrefillKVTokens       int     // already in the cache for them: prefix hits and earlier chunks
	DecodeRequests        int
	DecodeKVTokens        int     // already in the cache for them
	DecodeKVVariance      float64 // population variance of that over the decodes, tokens^2
}

// PassQueued is what waited when the step ended. Preempted requests are decodes; vLLM has forgotten their context by then, so that
// their tokens are 0.
type PassQueued struct {
	PrefillRequests       int
	PrefillTokens         int     // prompt lengths
	PrefillLengthVariance float64 // tokens^2
	DecodeRequests        int
	DecodeKVTokens        int
	DecodeKVVariance      float64 // tokens^2
}

// heartbeat is the interval of records from an idle worker.
const heartbeat = time.Second

// moments accumulate count, sum and variance of whole numbers; exact below 2^53.
type moments struct {
	n       int
	sum     int
	squares float64
}

func (m *moments) add(v int) {
	m.n++
	m.sum += v
	m.squares += float64(v) * float64(v)
}

// variance is the population variance; 0 without values.
func (m *moments) variance() float64 {
	if m.n == 0 {
		return 0
	}
	n, sum := float64(m.n), float64(m.sum)
	return max(0, (m.squares-sum*sum/n)/n)
}

// passRecorder builds the records of one worker. A nil recorder does nothing.
type passRecorder struct {
	worker    int
	process   int
	counter   uint64
	emit      func(Pass)
	scheduled PassScheduled // of the step in progress
	agenda    *agenda
	beat      *timer // next heartbeat; none while a step runs
}

// planned takes down what the step that begins will run.
func (p *passRecorder) planned(s *scheduler) {
	if p == nil {
		return
	}
	var prompts, contexts moments
	p.scheduled = PassScheduled{}
	for i := range s.running {
		q := &s.running[i]
		switch {
		case !s.scheduled(q):
		case q.end != 0:
			contexts.add(s.clock + q.ahead)
		case q.req.generated > 0:
			contexts.add(q.req.computed)
		default:
			prompts.add(q.req.PromptTokens)
			p.scheduled.PrefillTokens += q.tokens
			p.scheduled.PrefillKVTokens += q.req.computed
		}
	}
	p.scheduled.PrefillRequests, p.scheduled.PrefillLengthVariance = prompts.n, prompts.variance()
	p.scheduled.DecodeRequests, p.scheduled.DecodeKVTokens, p.scheduled.DecodeKVVariance = contexts.n, contexts.sum, contexts.variance()
	p.agenda.cancel(p.beat)
}

// finished sends the record of the step that ends.
func (p *passRecorder) finished(at time.Duration, seconds float64, s *scheduler) {
	if p == nil {
		return
	}
	var prompts, contexts moments
	for _, r := range s.waiting.all() {
		if r.preemptions > 0 {
			contexts.add(r.computed)
		} else {
			prompts.add(r.tokens())
		}
	}
	p.send(Pass{At: at, Seconds: seconds, Scheduled: p.scheduled, Queued: PassQueued{
		PrefillRequests: prompts.n, PrefillTokens: prompts.sum, PrefillLengthVariance: prompts.variance(),
		DecodeRequests: contexts.n, DecodeKVTokens: contexts.sum, DecodeKVVariance: contexts.variance(),
	}})
}

// rest starts the heartbeats of a worker that has nothing to do, unless they run already.
func (p *passRecorder) rest(now time.Duration) {
	if p == nil || (p.beat != nil && p.beat.place >= 0) {
		return
	}
	at := now + heartbeat
	p.beat = p.agenda.add(at, func() {
		p.send(Pass{At: at})
		p.rest(at)
	})
}

// stop ends the heartbeats of a process that ends.
func (p *passRecorder) stop() {
	if p != nil {
		p.agenda.cancel(p.beat)
	}
}

// send numbers a record and hands it on.
func (p *passRecorder) send(r Pass) {
	r.Worker, r.Process, r.Counter = p.worker, p.process, p.counter
	p.counter++
	p.emit(r)
}
