package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import "math"

const (
	// tokenBuckets of tokenTimes, each wider than the one before by tokenRatio, from tokenFloor s on: 0.1 ms to 1000 s, exact to 1.5 %.
	tokenBuckets = 540
	tokenRatio   = 0.03
	tokenFloor   = 1e-4
)

// tokenBucket is the bucket of a duration in s.
func tokenBucket(seconds float64) int {
	if seconds > tokenFloor {
		return min(tokenBuckets-1, int(math.Log(seconds/tokenFloor)/tokenRatio))
	}
	return 0
}

// tokenTimes is a fine histogram of the time that tokens took.
type tokenTimes struct {
	cells  *tokenCells
	counts [tokenBuckets]float64
	total  float64
}

func (h *tokenTimes) add(seconds, tokens float64) {
	h.counts[h.cells.bucket(seconds)] += tokens
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

const (
	// cellBits of a number's fraction tell cells apart, each a tenth as wide as a bucket; the first is that of tokenFloor, and tokenOctaves
	// of them reach beyond the last bucket.
	cellBits     = 8
	tokenOctaves = 24
	manyBuckets  = math.MaxUint16
)

// tokenCells knows the bucket of most durations by the first bits of the number: a logarithm for each step was a tenth of a rehearsal.
type tokenCells struct {
	first uint64
	of    [tokenOctaves << cellBits]uint16 // the bucket of all durations in the cell, or manyBuckets
}

func newTokenCells() *tokenCells {
	c := &tokenCells{first: math.Float64bits(tokenFloor) >> (52 - cellBits)}
	for i := range c.of {
		from := (c.first + uint64(i)) << (52 - cellBits)
		low, high := tokenBucket(math.Float64frombits(from)), tokenBucket(math.Float64frombits(from+1<<(52-cellBits)-1))
		c.of[i] = manyBuckets
		if low == high {
			c.of[i] = uint16(low)
		}
	}
	return c
}

// bucket is tokenBucket.
func (c *tokenCells) bucket(seconds float64) int {
	if cell := math.Float64bits(seconds)>>(52-cellBits) - c.first; cell < uint64(len(c.of)) {
		if one := c.of[cell]; one != manyBuckets {
			return int(one)
		}
	}
	return tokenBucket(seconds)
}
