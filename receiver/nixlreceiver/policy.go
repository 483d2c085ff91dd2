package nixlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver"

import (
	"errors"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/nixl"
)

// retryAfter is how long a ring that cannot be had, or is half made, is left alone.
const retryAfter = time.Second

// policy decides who consumes a ring. The rule: nobody loses anything by us. We take what nobody takes, and stop when somebody does.
type policy struct {
	since    time.Time // when another reader last moved, or the ring was first seen
	retry    time.Time // not before then
	denied   error     // why the ring cannot be taken over
	events   uint64    // read so far
	waiting  uint64    // at the last poll
	capacity uint64
	full     bool // the ring was found full
}

// turn is what a poll changed that others want to know.
type turn struct {
	events    int
	restarted bool
	taken     bool  // we became the consumer
	rival     bool  // we found another consumer and stopped
	denied    error // the ring could not be taken over, for the first time
	filled    bool  // the ring was found full, for the first time
	failure   error
}

// poll reads what is new in a ring, and decides who consumes it. When the agent began anew, before is called with its old counters
// still in place.
func (a *agent) poll(now time.Time, cfg *BufferConfig, s *nixl.Scratch, before func(*agent)) (t turn) {
	if now.Before(a.policy.retry) && a.policy.failing() {
		return t
	}
	p, err := a.ring.Poll(s, a.tally)
	if errors.Is(err, nixl.ErrChanged) {
		if !a.policy.failing() {
			before(a)
		}
		if err := a.ring.Reattach(cfg.AllowUnknownVersion); err != nil {
			a.policy.retry, a.policy.capacity = now.Add(retryAfter), 0
			t.failure = err
			return t
		}
		p.Restarted, err = true, nil
	} else if p.Restarted {
		before(a)
	}
	if err != nil {
		t.failure = err
		return t
	}
	if p.Restarted {
		a.restarts++
		a.begin(now)
		a.policy.restart(now)
		t.restarted = true
		if p, err = a.ring.Poll(s, a.tally); err != nil {
			t.failure = err
			return t
		}
	}
	a.note(p, now, &t)
	a.decide(p, now, cfg, &t)
	return t
}

// failing says whether the ring could not be mapped at the last poll.
func (p *policy) failing() bool { return p.capacity == 0 }

func (p *policy) restart(now time.Time) { p.since, p.full, p.events = now, false, 0 }

// note keeps what a poll found.
func (a *agent) note(p nixl.Polled, now time.Time, t *turn) {
	a.policy.capacity = a.ring.Geometry().Capacity
	a.policy.events += uint64(p.Read)
	a.policy.waiting = p.Waiting
	t.events = p.Read
	if p.Read > 0 {
		a.lastEvent = now
		if a.muted { // it lives after all, and needs another slot
			a.muted, a.emitted = false, false
		}
	}
	if a.policy.capacity > 1 {
		a.usage = max(a.usage, float64(p.Waiting)/float64(a.policy.capacity-1))
	}
	if p.Full {
		a.ringFull++
		t.filled = !a.policy.full
		a.policy.full = true
	}
	a.overwritten += uint64(p.Overwritten)
}

// decide makes us the consumer or an observer.
func (a *agent) decide(p nixl.Polled, now time.Time, cfg *BufferConfig, t *turn) {
	if p.Moved {
		a.contention++
		a.policy.since = now
		if a.ring.Owned() {
			t.rival = true
			t.failure = a.ring.Release()
		}
		return
	}
	if a.ring.Owned() || now.Before(a.policy.retry) || !a.wants(p, now, cfg) {
		return
	}
	if err := a.ring.Claim(); err != nil {
		a.policy.retry = now.Add(cfg.TakeoverAfter)
		if a.policy.denied == nil {
			t.denied = err
		}
		a.policy.denied = err
		return
	}
	a.policy.denied = nil
	t.taken = true
}

// wants says whether the ring shall be ours.
func (a *agent) wants(p nixl.Polled, now time.Time, cfg *BufferConfig) bool {
	left := now.Sub(a.policy.since) >= cfg.TakeoverAfter
	switch cfg.Mode {
	case ModeConsume:
		return a.contention == 0 || left
	case ModeAuto:
		return left && p.Waiting > 0
	default:
		return false
	}
}
