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
// times since their last use. Requests hold a block for `held` seconds on average, and one that nobody holds is evicted after `survival`
// seconds, so that none is found later; 0 when none are evicted.
func UnheldSeconds(bounds, counts []float64, sum, held, survival float64) float64 {
	if survival <= 0 {
		survival = math.Inf(1)
	}
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
		if n > 0 {
			unheld += n * min(unheldOf(at, held), survival)
		}
	}
	if !(total > 0) {
		return 0
	}
	return max(0, unheld*sum/total)
}

// unheldOf is for how many of the g seconds between two uses of a block nobody holds it. The request that used it holds it for a time that
// is distributed exponentially; so do those before it, a Poisson number of them, with the mean a = 1.5 held/g: held/g if the block is used
// every g seconds, and more since busy blocks have long pauses too. (1.5 is what comes nearest to exp(-held/m), the truth for uses at
// random every m seconds: within 0.04 for m from held/8 to 10 held.) After t seconds all have let go with the probability
// (1-u) exp(-a u), u = exp(-t/held), which is added up by Simpson's rule.
func unheldOf(g, held float64) float64 {
	if held <= 0 || g <= 0 {
		return max(0, g)
	}
	const steps = 12
	free := func(t float64) float64 {
		u := math.Exp(-t / held)
		return (1 - u) * math.Exp(-busyBlocks*held/g*u)
	}
	// Beyond ten times held, hardly anybody holds it.
	near := min(g, 10*held)
	h, sum := near/steps, free(0)+free(near)
	for i := 1; i < steps; i++ {
		sum += float64(2+2*(i%2)) * free(float64(i)*h)
	}
	return sum*h/3 + g - near
}

// busyBlocks is the factor 1.5 of unheldOf.
const busyBlocks = 1.5
