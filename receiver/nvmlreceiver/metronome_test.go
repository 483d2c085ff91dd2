package nvmlreceiver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// ticking is a clock whose ticks the test makes.
type ticking struct {
	clock
	ticks chan time.Time
	asked []time.Duration
	ended int
}

func (c *ticking) Ticks(d time.Duration) (<-chan time.Time, func()) {
	c.asked = append(c.asked, d)
	return c.ticks, func() { c.ended++ }
}

func TestAllFollowersHaveTheSameTicks(t *testing.T) {
	c := &ticking{ticks: make(chan time.Time)}
	m := &metronome{clock: c, every: time.Minute}
	one, leaveOne := m.follow()
	two, leaveTwo := m.follow()
	at := time.Unix(1_700_000_000, 0)
	c.ticks <- at
	assert.Equal(t, at, <-one)
	for i := range 3 { // nobody takes those of the other
		c.ticks <- at.Add(time.Duration(i+1) * time.Minute)
		assert.Equal(t, at.Add(time.Duration(i+1)*time.Minute), <-one)
	}
	m.mu.Lock() // the last tick is over, which would find room once the first is taken
	assert.Len(t, two, 1)
	m.mu.Unlock()
	assert.Equal(t, at, <-two, "the first that was not taken")
	assert.Empty(t, two)

	leaveOne()
	leaveOne()
	c.ticks <- at
	assert.Equal(t, at, <-two)
	assert.Empty(t, one)
	leaveTwo()
	assert.Equal(t, 1, c.ended, "nobody follows")

	again, leave := m.follow()
	c.ticks <- at
	assert.Equal(t, at, <-again)
	leave()
	assert.Equal(t, []time.Duration{time.Minute, time.Minute}, c.asked)
	assert.Equal(t, 2, c.ended)
}
