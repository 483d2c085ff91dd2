package nixlreceiver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// take empties the ring and says how many events there were.
func (w *writer) take() uint64 {
	n := (*w.word(0) - *w.word(8)) & w.mask
	w.steal()
	return n
}

// TestAutoLeavesASlowReaderItsEvents: it reads once a minute, with or without the ring mapped in between.
func TestAutoLeavesASlowReaderItsEvents(t *testing.T) {
	for name, capacity := range map[string]int{"a large ring": 4096, "a ring that is nearly full": 64} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			w := newWriter(t, r.dir, "a", capacity)
			r.run(10, 1, w)
			r.survey()
			if capacity == 64 {
				r.run(77, 5, w)
			}
			var taken uint64
			for range 5 {
				for range 12 {
					w.transfer(true)
					r.after(5 * time.Second)
				}
				taken += w.take()
			}
			r.poll()
			assert.Equal(t, uint64(5*12*4), taken, "of the other reader")
			got := r.told()
			assert.Equal(t, 60.0, got.value(t, signal.NIXLTransferCount, signal.AttrNetDirection, "transmit"), "and we see them as well")
			assert.Equal(t, 5.0, got.value(t, signal.NIXLContention))
		})
	}
}

// TestAutoGivesWayToAReaderThatFindsNothing: it has mapped the ring, and cannot move a position that is always at the end.
func TestAutoGivesWayToAReaderThatFindsNothing(t *testing.T) {
	r := newRig(t, nil)
	w := newWriter(t, r.dir, "a", 64)
	r.run(10, 1, w)
	r.survey()
	for range 12 {
		w.transfer(true)
	}
	r.after(time.Minute)
	assert.Equal(t, *w.word(0), *w.word(8), "ours")
	r.run(77, 5, w)
	r.after(lookAnyway + r.cfg.RescanInterval)
	for range 15 {
		w.transfer(true)
	}
	r.after(10 * time.Minute)
	assert.Equal(t, uint64(60), w.take(), "left to the other")
	assert.Contains(t, r.messages(), "Another reader empties a ring of NIXL, so it is only observed from now on")
	r.stop(77)
	for range 15 {
		w.transfer(true)
	}
	r.after(maxInterval * patientIntervals)
	r.after(2 * lookAnyway)
	assert.Equal(t, *w.word(0), *w.word(8), "ours again, when it is gone")
}

// TestAReaderIsWaitedForAsItReads: two minutes lie between its turns, so that half a minute without one says nothing.
func TestAReaderIsWaitedForAsItReads(t *testing.T) {
	r := newRig(t, nil)
	w := newWriter(t, r.dir, "a", 64)
	r.run(10, 1, w)
	r.survey()
	for range 3 {
		w.event(4, 1)
		r.after(2 * time.Minute)
		w.steal()
		r.poll()
	}
	for range 15 {
		w.transfer(true)
	}
	r.after(5 * time.Minute)
	assert.Equal(t, uint64(60), (*w.word(0)-*w.word(8))&w.mask, "it waits")
	r.after(2 * time.Minute)
	assert.Equal(t, *w.word(0), *w.word(8), "through three of its intervals")
}
