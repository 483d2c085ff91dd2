package main

import (
	"fmt"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

const (
	// goodputHoldsBar is the share of stretches in which the bounds hold the requests that met both objectives. The bounds are of the
	// trailing minute's histograms, whose requests are not quite the same for both latencies, so not all of them need.
	goodputHoldsBar = 0.9
	// goodputSlack is what interpolation inside a bucket and unlike requests may cost, as a share of the finished requests.
	goodputSlack = 0.05
)

// goodputBounds holds the published bounds, read at every window and added up over a stretch, to the count by the ledger.
func goodputBounds(o options, report func(result)) error {
	traffic, duration, loads := "synthetic", traceLength, []float64{0.5, 1}
	if o.data != "" {
		traffic = "conversation"
	}
	if o.quick {
		duration = 20 * time.Minute
	}
	var grid []scenario
	for _, load := range loads {
		grid = append(grid, scenario{reference(), traffic, load, 2048, 5 * time.Second, 1, duration, sources{}, setting{}})
	}
	return overGrid(o, grid, func(s scenario, got outcome) {
		held, stretches, text := 0, 0, ""
		for i := 1; i < len(got.marks); i++ {
			from, to := got.marks[i-1], got.marks[i]
			finished := float64(to.truth.Goodput.Requests - from.truth.Goodput.Requests)
			met := float64(to.truth.Goodput.Both - from.truth.Goodput.Both)
			low := to.goodput(signal.BoundLow) - from.goodput(signal.BoundLow)
			high := to.goodput(signal.BoundHigh) - from.goodput(signal.BoundHigh)
			stretches++
			if low-goodputSlack*finished <= met && met <= high+goodputSlack*finished {
				held++
			}
			text = fmt.Sprintf("%.0f-%.0f/%.0f", low, high, met)
		}
		report(result{
			name:  "goodput/bounds-hold/" + s.String(),
			value: fmt.Sprintf("%d/%d(last:%s)", held, stretches, text),
			bar:   fmt.Sprintf("%.0f%%", 100*goodputHoldsBar), pass: float64(held) >= goodputHoldsBar*float64(stretches),
		})
	})
}
