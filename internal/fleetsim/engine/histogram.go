package engine

// histogram is a Prometheus histogram with fixed bounds: counts[i] holds values up to and including bounds[i].
type histogram struct {
	bounds []float64
	counts []uint64 // one more than bounds: above the last
	sum    float64
	total  uint64
}

func newHistogram(bounds []float64) histogram {
	return histogram{bounds: bounds, counts: make([]uint64, len(bounds)+1)}
}

func (h *histogram) observe(v float64) { h.observeN(v, 1) }

// observeN records the same value n times.
func (h *histogram) observeN(v float64, n int) {
	i := 0
	for i < len(h.bounds) && v > h.bounds[i] {
		i++
	}
	h.counts[i] += uint64(n)
	h.total += uint64(n)
	h.sum += v * float64(n)
}
