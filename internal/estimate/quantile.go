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

// ShareBelow is the share of a histogram's values that are at most x, by linear interpolation inside the bucket that holds x; bounds,
// counts and values as for Quantile.
//
// width is the width of that bucket: +Inf above the last finite bound, where the share counts only what lies below that bound.
// 0 when x is a bound. ok is false for an empty histogram.
func ShareBelow(x float64, bounds, counts []float64) (share, width float64, ok bool) {
	var total float64
	for _, c := range counts {
		total += c
	}
	if total <= 0 || len(bounds) == 0 || len(counts) != len(bounds)+1 {
		return 0, 0, false
	}
	var below, lo float64
	for i, hi := range bounds {
		switch {
		case x == hi:
			return (below + counts[i]) / total, 0, true
		case x < hi:
			return (below + counts[i]*math.Max(0, x-lo)/(hi-lo)) / total, hi - lo, true
		}
		below += counts[i]
		lo = hi
	}
	return below / total, math.Inf(1), true
}
