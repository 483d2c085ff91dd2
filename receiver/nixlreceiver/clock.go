package nixlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver"

import (
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/nixl"
	"github.com/otelcol-inference/otelcol-inference/internal/wall"
)

// clock is what the receiver knows of time; tests drive it by hand.
type clock interface {
	Now() time.Time
	// Monotonic is CLOCK_MONOTONIC in nanoseconds, by which stores tell when they were updated.
	Monotonic() int64
	// Ticks delivers every d and returns a function that ends it. A tick that nobody takes is lost.
	Ticks(d time.Duration) (<-chan time.Time, func())
}

type systemClock struct{ wall.Clock }

func (systemClock) Monotonic() int64 { return nixl.Monotonic() }
