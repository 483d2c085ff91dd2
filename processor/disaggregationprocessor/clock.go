package disaggregationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"

import "time"

// clock is what the sweep for silent fleets knows of wall time; tests drive it by hand.
type clock interface {
	Now() time.Time
	// Ticks returns a channel that delivers every d, and a function that ends it.
	Ticks(d time.Duration) (<-chan time.Time, func())
}
