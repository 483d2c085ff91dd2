package live

import "time"

// Clock is what the fleet knows of the wall clock.
type Clock interface {
	Now() time.Time
	// Ticks delivers every d and returns a function that ends it. A tick that nobody takes is lost.
	Ticks(d time.Duration) (<-chan time.Time, func())
	// After delivers once after d and returns a function that ends it.
	After(d time.Duration) (<-chan time.Time, func())
}
