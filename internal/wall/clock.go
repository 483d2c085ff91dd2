// Package wall is the real time. A component says in an interface of its own what it needs of it, and its tests drive that by hand.
package wall // import "github.com/otelcol-inference/otelcol-inference/internal/wall"

import "time"

// Clock is the clock of this machine.
type Clock struct{}

// Now is the current time, with its monotonic reading.
func (Clock) Now() time.Time { return time.Now() }

// After delivers once after d, at once when d is not positive, and returns a function that ends it.
func (Clock) After(d time.Duration) (<-chan time.Time, func()) {
	t := time.NewTimer(d)
	return t.C, func() { t.Stop() }
}

// Ticks delivers every d, which must be positive, and returns a function that ends it. A tick that nobody takes is lost.
func (Clock) Ticks(d time.Duration) (<-chan time.Time, func()) {
	t := time.NewTicker(d)
	return t.C, t.Stop
}
