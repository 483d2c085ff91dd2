package live

import "time"

// Clock is the wall clock.
type Clock interface {
	Now() time.Time
	// Ticker fires every d until stop is called.
	Ticker(d time.Duration) (ticks <-chan time.Time, stop func())
	// After fires once after d.
	After(d time.Duration) <-chan time.Time
}

// WallClock is the machine's clock.
type WallClock struct{}

// Now is the time of day.
func (WallClock) Now() time.Time { return time.Now() }

// Ticker fires every d.
func (WallClock) Ticker(d time.Duration) (<-chan time.Time, func()) {
	t := time.NewTicker(d)
	return t.C, t.Stop
}

// After fires once.
func (WallClock) After(d time.Duration) <-chan time.Time { return time.After(d) }
