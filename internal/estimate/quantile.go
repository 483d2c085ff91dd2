package estimate // import "github.com/otelcol-inference/otelcol-inference/internal/estimate"

import "math"

// Quantile of a histogram, 0 <= q <= 1, by linear interpolation inside the bucket that holds it. bounds are the finite upper
// bounds, counts has one more entry, values are taken to be non-negative.
//
// width is the width of that bucket: the quantile is known no better than that. Above the last finite bound the quantile is
// that bound and width +Inf. ok is false for an empty histogram.
func Quantile(q float64, bounds, counts []float64) (value, width float64, ok bool) {
	var total float64
	for _, c := range counts {
		total += c
	}
	if total <= 0 || len(bounds) == 0 || len(counts) != len(bounds)+1 {
		return 0, 0, false
	}
	rank := q * total
	var below float64
	for i, c := range counts {
		if below+c < rank || c == 0 {
			below += c
			continue
		}
		if i == len(bounds) {
			break
		}
		lo := 0.0
		if i > 0 {
			lo = bounds[i-1]
		}
		width = bounds[i] - lo
		return lo + width*math.Max(0, rank-below)/c, width, true
	}
	return bounds[len(bounds)-1], math.Inf(1), true
}
