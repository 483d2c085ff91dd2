package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import (
	"math"
	"slices"
)

// How far, as a share of their mean, times per token of requests under the same load lie from it: on workers that decode only, whose steps
// are alike, and on workers that prefill as well.
const (
	SpreadApart    = 0.06
	SpreadTogether = 0.15
)

// ShareWithin is the share of values that are at most x, from their histogram and their exact sum. Buckets of latencies are wide: of requests
// at 27 ms a token, linear interpolation between 25 and 50 ms would have most miss an objective of 30 ms. Inside the bucket of x, values are
// taken to lie around the mean that the sum leaves for them, no farther than a share of it. ok is false when there are none.
func ShareWithin(x float64, b Buckets, sum, spread float64) (share float64, ok bool) {
	total := b.count()
	if total <= 0 || len(b.Bounds) == 0 || len(b.Counts) != len(b.Bounds)+1 {
		return 0, false
	}
	var below, others float64
	at := len(b.Counts) - 1
	for i, c := range b.Counts {
		lo, hi := b.edges(i)
		inside := x >= lo && x < hi && at == len(b.Counts)-1
		if inside {
			at = i
			continue
		}
		if hi <= x {
			below += c
		}
		if c > 0 {
			others += c * (lo + hi) / 2
		}
	}
	c := b.Counts[at]
	lo, hi := b.edges(at)
	if c <= 0 || x < lo || x >= hi {
		return below / total, true
	}
	mean := min(hi, max(lo, (sum-others)/c))
	half := max(1e-12, min(mean-lo, hi-mean, spread*mean))
	part := min(1, max(0, (x-mean+half)/(2*half)))
	return (below + c*part) / total, true
}

// ShareLike is the share of values that are at most x, from their histogram and sum like ShareWithin, inside the bucket of x by a shape: values in
// ascending order that are distributed alike, scaled to the mean that was measured. Requests beside prefill are paced by how much of it they
// meet, and half of them may lie in the bucket of x. Where the shape has nothing in that bucket, it is ShareWithin. ok is false without values.
func ShareLike(x float64, b Buckets, sum float64, shape []float64) (share float64, ok bool) {
	total := b.count()
	if total <= 0 || len(b.Bounds) == 0 || len(b.Counts) != len(b.Bounds)+1 {
		return 0, false
	}
	mean := 0.0
	for _, v := range shape {
		mean += v / float64(len(shape))
	}
	if !(mean > 0 && sum > 0) {
		return ShareWithin(x, b, sum, SpreadTogether)
	}
	factor := sum / total / mean
	atMost := func(v float64) float64 {
		n, _ := slices.BinarySearch(shape, math.Nextafter(v/factor, math.Inf(1)))
		return float64(n)
	}
	below := 0.0
	for i, c := range b.Counts {
		lo, hi := b.edges(i)
		switch {
		case hi <= x:
			below += c
		case lo <= x && c > 0:
			inside := atMost(hi) - atMost(lo)
			if inside < leastShape {
				return ShareWithin(x, b, sum, SpreadTogether)
			}
			below += c * (atMost(x) - atMost(lo)) / inside
		}
	}
	return min(1, below/total), true
}

// leastShape is how many values a shape must have in a bucket to tell of it.
const leastShape = 20
