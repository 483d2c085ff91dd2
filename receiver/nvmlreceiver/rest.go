package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import "time"

// lastRest bounds the doubling of rests, unless discovery_interval is longer.
const lastRest = 10 * time.Minute

// rest says when something that a device refused is asked again. What it does not support is not asked again; a permission may be
// given, and an argument that is invalid while a device is reconfigured is valid afterwards.
type rest struct {
	forGood bool
	until   time.Time
	wait    time.Duration // of the last rest, 0 when there was none since the last answer
}

// over says whether it is time to ask.
func (r *rest) over(now time.Time) bool { return !r.forGood && !now.Before(r.until) }

// begin rests for first, or for twice as long as the last time.
func (r *rest) begin(now time.Time, first time.Duration) {
	r.wait = min(max(first, 2*r.wait), max(first, lastRest))
	r.until = now.Add(r.wait)
}
