package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import "github.com/otelcol-inference/otelcol-inference/internal/estimate"

// Goodput is the rate of requests that met both objectives, in requests per second.
type Goodput struct {
	// Low and High are Frechet's bounds, which hold however the two latencies depend on each other; Mid is their value when they
	// do not.
	Low, Mid, High float64
	// Coarse is set when an objective lies in a bucket wider than a quarter of it: the shares are then interpolated far.
	Coarse bool
}

// coarseBucket is the width of a bucket over the objective in it from which on Coarse is set.
const coarseBucket = 0.25

// GoodputOf reads goodput from the histograms of time to first token and of time per output token, one value a request each, in
// seconds, with their objectives. rate is that of finished requests, 1/s. ok is false without requests.
//
//	max(0, a + b - 1) <= share that met both <= min(a, b)      a, b: shares that met each
func GoodputOf(rate float64, ttft, tpot Buckets, ttftMax, tpotMax float64) (g Goodput, ok bool) {
	a, wa, oka := estimate.ShareBelow(ttftMax, ttft.Bounds, ttft.Counts)
	b, wb, okb := estimate.ShareBelow(tpotMax, tpot.Bounds, tpot.Counts)
	if !oka || !okb {
		return Goodput{}, false
	}
	return Goodput{
		Low: rate * max(0, a+b-1), Mid: rate * a * b, High: rate * min(a, b),
		Coarse: wa > coarseBucket*ttftMax || wb > coarseBucket*tpotMax,
	}, true
}
