package serving

import "math"

// KVReuse is the reuse of KV blocks over some time, as histograms: counts has one element more than bounds.
type KVReuse struct {
	Bounds []float64 // stack depth, blocks
	Counts []float64 // blocks looked for
}

// References is how many blocks were looked for.
func (r KVReuse) References() (n float64) {
	for _, c := range r.Counts {
		n += c
	}
	return n
}

// Share is the share of the blocks looked for that an LRU cache of so many blocks would have had, in proportion inside a bucket. What
// is above the last bound is a miss at any size.
func (r KVReuse) Share(blocks float64) float64 {
	all := r.References()
	if !(all > 0 && blocks > 0) || len(r.Counts) != len(r.Bounds)+1 {
		return 0
	}
	hits, from := 0.0, 0.0
	for i, to := range r.Bounds {
		if blocks <= from {
			break
		}
		hits += r.Counts[i] * min(1, (blocks-from)/(to-from))
		from = to
	}
	return hits / all
}

// KVCurve says what a larger or smaller pool would do.
type KVCurve struct {
	Reuse     KVReuse
	BlockSize float64 // tokens
	Lookups   float64 // tokens looked up over the same time, hidden hits among them
	Hits      float64 // of these
	Cache     float64 // blocks of content that the pool held, in use or not
	Pool      float64 // blocks
}

// HitRatio is what the worker had.
func (c KVCurve) HitRatio() float64 {
	if c.Lookups <= 0 {
		return 0
	}
	return min(1, c.Hits/c.Lookups)
}

// Predicted is the hit ratio, in tokens, with a pool of scale times the size, at which every further block goes to content: the stack holds
// the blocks in use as well, so none is taken off for them. It is what the worker had, and the difference of the curve between the
// two sizes, so that hits which no event shows count at their true size.
func (c KVCurve) Predicted(scale float64) float64 {
	if !(c.Lookups > 0 && c.BlockSize > 0 && c.Cache > 0 && scale > 0) {
		return 0
	}
	size := max(0, c.Cache+(scale-1)*c.Pool)
	more := (c.Reuse.Share(size) - c.Reuse.Share(c.Cache)) * c.Reuse.References() * c.BlockSize / c.Lookups
	return min(max(0, c.HitRatio()+more), 1)
}

// UnheldSeconds is for how long blocks lay with nobody holding them before they were used again, or evicted, from a histogram of the
// times since their last use. Somebody held them for a while at first, on average for `held` seconds: of a time g that leaves
// g - held (1 - exp(-g/held)) when it is distributed exponentially.
func UnheldSeconds(bounds, counts []float64, sum, held float64) float64 {
	if len(counts) != len(bounds)+1 || len(bounds) == 0 {
		return 0
	}
	total, unheld, from := 0.0, 0.0, 0.0
	for i, n := range counts {
		at := 2 * from // above the last bound
		if i < len(bounds) {
			at, from = (from+bounds[i])/2, bounds[i]
		}
		total += n * at
		unheld += n * (at - held*(1-math.Exp(-at/max(held, 1e-9))))
	}
	if !(total > 0) {
		return 0
	}
	return max(0, unheld*sum/total)
}
