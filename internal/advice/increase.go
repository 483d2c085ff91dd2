package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

// increase is what one counter counted over the trailing time.
type increase struct {
	sum, count, covered float64
	bounds, counts      []float64
}

// each visits the increases of a metric's streams, of a fleet without streams of its own those of its members.
func (r *Reading) each(metric string, pairs []string, visit func(increase)) {
	for x := range r.of(metric) {
		if x.level == nil && x.has(pairs) {
			visit(r.increaseOf(x))
		}
	}
	if !r.told(metric) {
		for _, m := range r.Members {
			m.each(metric, pairs, visit)
		}
	}
}

// increaseOf adds a counter up over the windows kept. New bucket bounds begin it anew.
func (r *Reading) increaseOf(x *stream) (total increase) {
	for i := range r.past {
		t, buckets, ok := r.past[i].of(x.counter)
		if !ok || x.buckets != nil && r.past[i].from < x.buckets.since {
			continue
		}
		total.sum += t.sum
		total.count += t.count
		total.covered += t.covered
		if len(buckets) > 0 && total.counts == nil {
			total.bounds, total.counts = x.buckets.bounds, make([]float64, len(x.buckets.bounds)+1)
		}
		for _, b := range buckets {
			total.counts[b.at] += float64(b.count)
		}
	}
	return total
}
