package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

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
