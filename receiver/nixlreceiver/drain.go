package nixlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver"

import (
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/nixl"
)

// turn polls one ring. The caller holds the lock.
func (f *fleet) turn(a *agent, now time.Time, s *nixl.Scratch) turn {
	t := a.poll(now, &f.cfg.Sources.Buffer, s, func(a *agent) { f.bury(a, now) })
	f.tell.turn(a, t)
	return t
}

// maxDrain bounds the polls of a ring that is left; the largest takes 256.
const maxDrain = 300

// drain reads a ring to its end before it is left. The caller holds the lock.
func (f *fleet) drain(a *agent, now time.Time) {
	if a.ring == nil || !a.looked {
		return
	}
	for range maxDrain {
		t := f.turn(a, now, f.scratch)
		f.tell.events(t.events)
		if t.left == 0 || t.failure != nil {
			return
		}
	}
}

// drainAll reads all rings to their ends.
func (f *fleet) drainAll(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.agents {
		f.drain(a, now)
	}
}
