package nixlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver"

import (
	"errors"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/nixl"
)

// retryAfter is how long a ring that cannot be had, or is half made, is left alone.
const retryAfter = time.Second

// nearlyFull is the share of a ring that must wait before auto takes it over: an observer sees all events of a ring that does not
// fill, so that there is nothing to be had by taking it from a reader that may be slow.
const nearlyFull = 0.75

// A reader is waited for through so many of its intervals, of which none counts for more than maxInterval.
const (
	patientIntervals = 3
	maxInterval      = 10 * time.Minute
)

// policy decides who consumes a ring. The rule: nobody loses anything by us. We take what nobody takes, and stop when somebody does.
type policy struct {
	since    time.Time     // when another reader last moved, or the ring was first seen
	interval time.Duration // the longest between two moves of other readers
	asked    time.Time     // when auto first wished to take over; zero while it does not
	vetted   time.Time     // when the processes of the host were last looked through for readers
	readers  bool          // another process but the writer maps the ring to write
	ours     bool          // the collector before this one consumed it
	retry    time.Time     // not before then
	denied   error         // why the ring cannot be taken over
	events   uint64        // read so far
	waiting  uint64        // at the last poll
	capacity uint64
	full     bool // the ring was found full
}

// turn is what a poll changed that others want to know.
type turn struct {
	events    int
	left      uint64 // events that are still to be read
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

func (p *policy) restart(now time.Time) {
	p.since, p.full, p.events = now, false, 0
	p.asked, p.ours, p.readers = time.Time{}, false, false
}

// note keeps what a poll found.
func (a *agent) note(p nixl.Polled, now time.Time, t *turn) {
	a.policy.capacity = a.ring.Geometry().Capacity
	a.policy.events += uint64(p.Read)
	a.policy.waiting = p.Waiting
	t.events, t.left = p.Read, p.Left
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
	seen := p.Moved || cfg.Mode == ModeAuto && a.policy.readers && a.ring.Owned()
	if p.Moved {
		a.policy.interval = max(a.policy.interval, min(now.Sub(a.policy.since), maxInterval))
	}
	if seen {
		a.contention++
		a.policy.since, a.policy.ours, a.policy.asked = now, false, time.Time{}
		a.policy.readers = false // until the next look through the processes
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
	left := now.Sub(a.policy.since) >= max(cfg.TakeoverAfter, patientIntervals*a.policy.interval)
	switch cfg.Mode {
	case ModeConsume:
		return a.contention == 0 || left
	case ModeAuto:
		needed := a.policy.ours || float64(p.Waiting) >= nearlyFull*float64(a.policy.capacity-1)
		return a.policy.vet(now, left && needed && p.Waiting > 0)
	default:
		return false
	}
}

// vet grants a wish once the processes were looked through since it came up, and no other reader was among them.
func (p *policy) vet(now time.Time, wish bool) bool {
	switch {
	case !wish:
		p.asked = time.Time{}
		return false
	case p.asked.IsZero():
		p.asked = now
	}
	return !p.readers && !p.vetted.Before(p.asked)
}

// waits says whether a wish needs a look through the processes.
func (p *policy) waits() bool { return !p.asked.IsZero() && p.vetted.Before(p.asked) }
