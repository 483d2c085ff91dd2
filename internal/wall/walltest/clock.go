// Package walltest has a clock that tests turn by hand.
package walltest // import "github.com/otelcol-inference/otelcol-inference/internal/wall/walltest"

import (
	"sync"
	"time"
)

// Clock stands still until it is turned.
type Clock struct {
	mu    sync.Mutex
	now   time.Time
	ticks chan time.Time
}

// NewClock is a clock that shows a time.
func NewClock(now time.Time) *Clock { return &Clock{now: now, ticks: make(chan time.Time)} }

// Now is what it shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Set has it show another time.
func (c *Clock) Set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

// Add moves it on.
func (c *Clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Ticks returns a channel that delivers when Tick is called, whatever the interval, and a function that does nothing.
func (c *Clock) Ticks(time.Duration) (<-chan time.Time, func()) { return c.ticks, func() {} }

// Tick delivers a tick, and returns when somebody has taken it.
func (c *Clock) Tick() { c.ticks <- c.Now() }

// Sweep delivers two ticks: who takes the second has dealt with the first.
func (c *Clock) Sweep() {
	c.Tick()
	c.Tick()
}
