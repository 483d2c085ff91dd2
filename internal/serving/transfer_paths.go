package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import "math"

// Paths are two ways that transfers take.
type Paths struct {
	SlowShare      float64 // of the transfers
	Ordinary, Slow float64 // mean duration on each, s
}

const (
	// valleyDepth is the density of durations between the ways, over the smaller of the two peaks, above which they are one.
	valleyDepth = 0.15
	// leastSlow and mostSlow bound the share of the slow way, and slowEvidence is how many transfers it must have.
	leastSlow, mostSlow, slowEvidence = 0.02, 0.6, 50
	// slowPathRatio is how many times as long the slow way takes at least, beyond what the sizes of transfers explain.
	slowPathRatio = 3
)

// PathsOf finds a slow way that a part of the transfers has always taken: the durations lie around two values with next to nothing between
// them, and farther apart than sizes do, the transfers' own or what they are proportional to. Stalls are no way: those take as long each
// time, a way as long as bytes ask for. ok is false where there is one way.
func PathsOf(durations, sizes Buckets) (p Paths, ok bool) {
	valley := durations.valley()
	if valley < 0 {
		return Paths{}, false
	}
	var n, slow, slowTime, time, most float64
	buckets := 0
	for i, c := range durations.Counts {
		n += c
		if i <= valley {
			time += c * durations.middle(i)
			continue
		}
		slow += c
		slowTime += c * durations.middle(i)
		most = max(most, c)
	}
	for _, c := range durations.Counts[valley+1:] {
		if c >= slow/50 && c > 0 {
			buckets++
		}
	}
	if slow < max(slowEvidence, leastSlow*n) || slow > mostSlow*n || buckets < 3 || most > bucketShare*slow {
		return Paths{}, false
	}
	p = Paths{SlowShare: slow / n, Ordinary: time / (n - slow), Slow: slowTime / slow}
	return p, p.Slow > slowPathRatio*sizes.apart(p.SlowShare)*p.Ordinary
}

// valley is the bucket between the two peaks of a distribution that has two, -1 where it has one. Buckets are compared by their density over
// the logarithm of values, in which a way's durations are as wide as sizes are, whatever its speed.
func (b Buckets) valley() int {
	density := make([]float64, len(b.Counts))
	for i, c := range b.Counts {
		lo, hi := b.edges(i)
		density[i] = c / math.Log(hi/max(lo, hi/10))
	}
	best, deepest := -1, valleyDepth
	for i := 1; i < len(density)-1; i++ {
		var before, after float64
		for j, d := range density {
			switch {
			case j < i:
				before = max(before, d)
			case j > i:
				after = max(after, d)
			}
		}
		if peak := min(before, after); peak > 0 && density[i]/peak < deepest {
			best, deepest = i, density[i]/peak
		}
	}
	return best
}

// apart is the mean of the largest values, of that share, over the mean of the others; 1 where nothing is known.
func (b Buckets) apart(share float64) float64 {
	n := b.count()
	left := share * n
	var large, small float64
	for i := len(b.Counts) - 1; i >= 0; i-- {
		taken := min(left, b.Counts[i])
		left -= taken
		large += taken * b.middle(i)
		small += (b.Counts[i] - taken) * b.middle(i)
	}
	if !(small > 0 && share > 0 && share < 1) {
		return 1
	}
	return max(1, large/share/(small/(1-share)))
}
