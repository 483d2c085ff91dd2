package nixlreceiver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestIdleRingsArePolledInTurn: each within 100 ms, and at every poll again as soon as there is something.
func TestIdleRingsArePolledInTurn(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Sources.Buffer.Mode, c.PollInterval = ModeConsume, 20*time.Millisecond })
	writers := make([]*writer, 10)
	for i := range writers {
		writers[i] = newWriter(t, r.dir, string(rune('a'+i)), 64)
	}
	r.run(1, 1, writers...)
	r.survey()
	read := func() (n int) {
		for _, w := range writers {
			if *w.word(0) == *w.word(8) {
				n++
			}
		}
		return n
	}
	write := func() {
		for _, w := range writers {
			w.event(4, 1)
		}
	}
	write()
	r.fleet.poll(r.now, r.scratch)
	assert.Equal(t, 10, read(), "those that are new are not idle")
	r.now = r.now.Add(idleAfter)
	write()
	for pass := 1; pass <= 5; pass++ {
		r.fleet.poll(r.now, r.scratch)
		assert.Equal(t, 2*pass, read(), "of the idle a fifth in turn")
	}
	write()
	r.fleet.poll(r.now, r.scratch)
	assert.Equal(t, 10, read(), "and now they are not")
}
