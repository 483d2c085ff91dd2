package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import "math"

const (
	// tokenBuckets of tokenTimes, each wider than the one before by tokenRatio, from tokenFloor s on: 0.1 ms to 1000 s, exact to 1.5 %.
	tokenBuckets = 540
	tokenRatio   = 0.03
	tokenFloor   = 1e-4
)

// tokenTimes is a fine histogram of the time that tokens took.
type tokenTimes struct {
	counts [tokenBuckets]float64
	total  float64
}

func (h *tokenTimes) add(seconds, tokens float64) {
	i := 0
	if seconds > tokenFloor {
		i = min(tokenBuckets-1, int(math.Log(seconds/tokenFloor)/tokenRatio))
	}
	h.counts[i] += tokens
	h.total += tokens
}

// quantile is the middle of the bucket that holds it, s; 0 without tokens.
func (h *tokenTimes) quantile(q float64) float64 {
	rank := q * h.total
	for i, c := range h.counts {
		if rank -= c; rank <= 0 && c > 0 {
			return tokenFloor * math.Exp(tokenRatio*(float64(i)+0.5))
		}
	}
	return 0
}
