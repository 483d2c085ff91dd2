package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import (
	"math"

	"github.com/otelcol-inference/otelcol-inference/internal/estimate"
)

// Quantile of the values, interpolated inside a bucket; ok is false when there are none.
func (b Buckets) Quantile(q float64) (v float64, ok bool) {
	v, _, ok = estimate.Quantile(q, b.Bounds, b.Counts)
	return v, ok
}

// Exposure is what requests wait for their KV and nothing else.
type Exposure struct {
	Seconds  float64 // of a request, mean
	Transfer float64 // of Seconds, under way
	Queue    float64 // of Seconds, for the links
	Share    float64 // of the time to first token, the prefill worker's part included
	Rho      float64 // utilisation of the links
}

// ExposedInput is what a decode worker's transfers and requests add up to, on average over its requests. Times in s.
type ExposedInput struct {
	Transfer    float64 // a rank's transfer
	Variation   float64 // coefficient of variation of its duration
	Noise       float64 // the part of it that differs between the ranks of a request
	Ranks       float64
	Rate        float64 // requests with a transfer, 1/s, of one decode worker
	PrefillTTFT float64 // arrival to first token at the prefill worker
	DecodeTTFT  float64 // told of the prompt to first token at the decode worker
	DecodeStep  float64 // of the decode worker: the last prompt token takes one
}

// Exposed finds it. A request waits for the slowest of its ranks, and for the transfers before it on the worker's link (M/G/1). It cannot
// wait longer than the decode worker's own time to first token less the step that computes the last prompt token: where transfers
// overlap with the prefill, that is the smaller.
func Exposed(in ExposedInput) (e Exposure, ok bool) {
	if !(in.Transfer > 0 && in.DecodeTTFT > 0 && in.PrefillTTFT >= 0) {
		return Exposure{}, false
	}
	slowest := in.Transfer * (1 + in.Noise*normalMaximum(in.Ranks))
	e.Rho = min(0.98, in.Rate*slowest)
	e.Queue = e.Rho / (1 - e.Rho) * slowest * (1 + square(in.Variation)) / 2
	e.Transfer = slowest
	room := max(0, in.DecodeTTFT-in.DecodeStep)
	if sum := e.Transfer + e.Queue; sum > room {
		e.Transfer, e.Queue = e.Transfer*room/sum, e.Queue*room/sum
	}
	e.Seconds = e.Transfer + e.Queue
	e.Share = e.Seconds / (in.PrefillTTFT + in.DecodeTTFT)
	return e, true
}

// normalMaximum is about the expected maximum of n standard normal variables (Blom's approximation of its position).
func normalMaximum(n float64) float64 {
	if n <= 1 {
		return 0
	}
	p := (n - 0.375) / (n + 0.25)
	return math.Sqrt2 * math.Erfinv(2*p-1)
}

// SlowestOf is how many times the mean the slowest of a request's ranks takes.
func SlowestOf(ranks float64) float64 { return 1 + transferNoise*normalMaximum(ranks) }

// SumBelow is the share of sums of two independent values that are at most x, from their histograms.
func SumBelow(x float64, a, b Buckets) (share float64, ok bool) {
	const parts = 4
	var total float64
	for i, c := range a.Counts {
		if c <= 0 {
			continue
		}
		lo, hi := a.edges(i)
		for k := range parts {
			at := lo + (hi-lo)*(float64(k)+0.5)/parts
			below, _, seen := estimate.ShareBelow(x-at, b.Bounds, b.Counts)
			if !seen {
				return 0, false
			}
			share += c / parts * below
		}
		total += c
	}
	if total <= 0 {
		return 0, false
	}
	return share / total, true
}

// edges of a bucket; the last is taken to end at twice its bound.
func (b Buckets) edges(i int) (lo, hi float64) {
	if i > 0 {
		lo = b.Bounds[i-1]
	}
	if i < len(b.Bounds) {
		return lo, b.Bounds[i]
	}
	return lo, 2 * lo
}

// Variation is the coefficient of variation of the values, taken as uniform inside their buckets; 0 when there are none.
func (b Buckets) Variation() float64 {
	var n, first, second float64
	for i, c := range b.Counts {
		lo, hi := b.edges(i)
		n += c
		first += c * (lo + hi) / 2
		second += c * (lo*lo + lo*hi + hi*hi) / 3
	}
	if n <= 0 || first <= 0 {
		return 0
	}
	return math.Sqrt(max(0, second/n-square(first/n))) / (first / n)
}
