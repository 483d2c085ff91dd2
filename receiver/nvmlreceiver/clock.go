package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import "time"

// clock is what the receiver knows of time; tests drive it by hand.
type clock interface {
	Now() time.Time
	// After delivers once after d and returns a function that ends it.
	After(d time.Duration) (<-chan time.Time, func())
	// Ticks delivers every d and returns a function that ends it. A tick that nobody takes is lost.
	Ticks(d time.Duration) (<-chan time.Time, func())
}
