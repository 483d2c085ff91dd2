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

// Bounds that several engines share; the tables are vLLM's (vllm/v1/metrics/loggers.py).
func firstTokenBounds() []float64 {
	return []float64{0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560}
}

func intervalBounds() []float64 {
	return []float64{0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80}
}

func requestBounds() []float64 {
	return []float64{0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680}
}

// oneTwoFive lists 1, 2, 5, 10, 20, 50 ... up to and including limit; at least 1.
func oneTwoFive(limit int) []float64 {
	out := []float64{1}
	for scale := 1; ; scale *= 10 {
		for _, m := range []int{2, 5, 10} {
			if m*scale > limit {
				return out
			}
			out = append(out, float64(m*scale))
		}
	}
}

// exponential lists n bounds from start on, each width times the one before.
func exponential(start, width float64, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = start
		start *= width
	}
	return out
}
