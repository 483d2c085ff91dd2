package percentile // import "github.com/otelcol-inference/otelcol-inference/internal/percentile"

import "sort"

// event changes the merged density at x: density more samples per unit of x from there on, and mass samples at x itself.
type event struct{ x, density, mass float64 }

// cumulate sweeps over all bucket edges once. An even spread inside a bucket is a constant density, so the sum of the
// distributions is the integral of the summed densities. This takes n log n for n buckets however many bound sets there are.
func cumulate(parts []Distribution) []knot {
	events := bucketEvents(parts)
	sort.Slice(events, func(i, j int) bool { return events[i].x < events[j].x })
	knots := make([]knot, 0, len(events))
	density, below, at := 0.0, 0.0, 0.0
	for i := 0; i < len(events); {
		x := events[i].x
		if len(knots) > 0 && density > 0 {
			below += density * (x - at)
		}
		at = x
		knots = appendKnot(knots, knot{x, below})
		mass := 0.0
		for ; i < len(events) && events[i].x == x; i++ {
			density += events[i].density
			mass += events[i].mass
		}
		if mass > 0 {
			below += mass
			knots = append(knots, knot{x, below})
		}
	}
	return knots
}

// appendKnot keeps the sum from falling by rounding.
func appendKnot(knots []knot, k knot) []knot {
	if n := len(knots); n > 0 && k.below < knots[n-1].below {
		k.below = knots[n-1].below
	}
	return append(knots, k)
}

func bucketEvents(parts []Distribution) []event {
	var events []event
	for _, p := range parts {
		for i, high := range p.Bounds {
			c := p.Counts[i]
			low := p.edge(i)
			switch {
			case c <= 0:
			case high > low:
				d := c / (high - low)
				events = append(events, event{x: low, density: d}, event{x: high, density: -d})
			default: // a bucket without width, such as (0, 0]
				events = append(events, event{x: high, mass: c})
			}
		}
	}
	return events
}
