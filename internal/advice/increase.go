package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import "github.com/otelcol-inference/otelcol-inference/internal/window"

// increase is what one counter counted over the trailing time.
type increase struct {
	sum, count, covered float64
	bounds, counts      []float64
}

// each visits the increases of a metric's streams, of a fleet without streams of its own those of its members.
func (r *Reading) each(metric string, pairs []string, visit func(increase)) {
	for _, x := range r.streams[metric] {
		if x.counter != clockKey && x.has(pairs) {
			visit(r.increaseOf(x.counter))
		}
	}
	if len(r.streams[metric]) == 0 {
		for _, m := range r.Members {
			m.each(metric, pairs, visit)
		}
	}
}

// increaseOf adds a counter up over the windows kept. New bucket bounds begin it anew.
func (r *Reading) increaseOf(key int) increase {
	var total window.Value
	covered := 0.0
	for _, w := range r.windows {
		if key >= len(w.Totals) {
			continue
		}
		v := w.Totals[key]
		if len(v.Counts) > 0 && len(total.Counts) > 0 && len(v.Counts) != len(total.Counts) {
			total, covered = window.Value{}, 0
		}
		total.AddScaled(v, 1)
		covered += w.Covered[key]
	}
	return increase{total.Sum, total.Count, covered, total.Bounds, total.Counts}
}
