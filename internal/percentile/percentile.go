// Package percentile merges histograms of several workers and reads quantiles from the merged distribution.
//
// Inside a bucket the samples are taken to be spread evenly, so that a histogram's cumulative distribution is a line between its
// bounds. Distributions add up on the union of all bounds: quantiles are read from the sum. They are never averaged, because
// an average of percentiles is the percentile of nothing. The package knows nothing of OpenTelemetry.
package percentile // import "github.com/otelcol-inference/otelcol-inference/internal/percentile"

import (
	"math"
	"slices"
	"sort"
)

// Distribution is one histogram: Counts[i] samples in (Bounds[i-1], Bounds[i]], the first bucket from 0, the last one above
// every bound. len(Counts) is len(Bounds)+1.
type Distribution struct {
	Bounds []float64 // finite, ascending
	Counts []float64 // not negative
}

// Total returns the number of samples.
func (d Distribution) Total() float64 {
	total := 0.0
	for _, c := range d.Counts {
		total += c
	}
	return total
}

// beyond returns the samples above the last bound, of which nothing more is known.
func (d Distribution) beyond() float64 {
	if len(d.Counts) == 0 {
		return 0
	}
	return d.Counts[len(d.Counts)-1]
}

// last returns the last bound, 0 when there is none.
func (d Distribution) last() float64 {
	if len(d.Bounds) == 0 {
		return 0
	}
	return d.Bounds[len(d.Bounds)-1]
}

// bucket returns the edges of the bucket that holds x.
func (d Distribution) bucket(x float64) (low, high float64) {
	i := sort.SearchFloat64s(d.Bounds, x)
	if i == len(d.Bounds) {
		return d.last(), math.Inf(1)
	}
	return d.edge(i), d.Bounds[i]
}

// edge returns the lower edge of bucket i.
func (d Distribution) edge(i int) float64 {
	if i > 0 {
		return d.Bounds[i-1]
	}
	return math.Min(0, d.Bounds[0])
}

// Estimate is a quantile as well as the buckets tell it.
type Estimate struct {
	Value float64
	Over  bool // the quantile lies above Value, the last bound up to which the distribution is known
	// Low and High are the edges of the widest source bucket around Value: the true quantile lies between them. Both equal Value
	// when Over.
	Low, High float64
}

// Merged is the sum of several distributions.
type Merged struct {
	parts []Distribution
	knots []knot
	total float64
	// known is the bound up to which the sum is known. Where one worker has samples above its last bound, nobody can say how many
	// of them lie below the larger bounds of another worker, so the sum is not known there.
	known float64
}

// knot is a point of the merged cumulative distribution: below counts the samples up to x, both sides of a jump are knots.
type knot struct{ x, below float64 }

// Merge adds distributions up. Empty ones count for nothing.
func Merge(parts []Distribution) Merged {
	m := Merged{known: math.Inf(1)}
	for _, p := range parts {
		n := p.Total()
		if n <= 0 || len(p.Counts) != len(p.Bounds)+1 {
			continue
		}
		m.parts = addPart(m.parts, p)
		m.total += n
		if p.beyond() > 0 {
			m.known = math.Min(m.known, p.last())
		}
	}
	m.knots = cumulate(m.parts)
	return m
}

// addPart adds p to the part with the same bounds, so that a fleet of one engine costs no more than one worker.
func addPart(parts []Distribution, p Distribution) []Distribution {
	for i := range parts {
		if slices.Equal(parts[i].Bounds, p.Bounds) {
			for k, c := range p.Counts {
				parts[i].Counts[k] += c
			}
			return parts
		}
	}
	return append(parts, Distribution{Bounds: p.Bounds, Counts: slices.Clone(p.Counts)})
}

// Total returns the number of samples.
func (m Merged) Total() float64 { return m.total }

// Quantile returns the value below which the share q of the samples lies, and false when there are no samples.
func (m Merged) Quantile(q float64) (Estimate, bool) {
	if m.total <= 0 {
		return Estimate{}, false
	}
	rank := q * m.total
	slack := 1e-9 * m.total // of rounding in the sums
	x := math.Inf(1)
	i := sort.Search(len(m.knots), func(i int) bool { return m.knots[i].below >= rank-slack })
	if i < len(m.knots) {
		x = m.knots[i].x
		if i > 0 && m.knots[i].below > m.knots[i-1].below {
			a, b := m.knots[i-1], m.knots[i]
			x = a.x + (b.x-a.x)*math.Min(1, math.Max(0, (rank-a.below)/(b.below-a.below)))
		}
	}
	if x > m.known || math.IsInf(x, 1) {
		return Estimate{Value: m.known, Over: true, Low: m.known, High: m.known}, true
	}
	low, high := m.edges(x)
	return Estimate{Value: x, Low: low, High: high}, true
}

// Above returns the share of samples above x, and false when there are none or x lies where the sum is not known.
func (m Merged) Above(x float64) (float64, bool) {
	if m.total <= 0 || x > m.known {
		return 0, false
	}
	below := 0.0
	for i, k := range m.knots {
		if k.x <= x {
			below = k.below
			continue
		}
		if i > 0 {
			a := m.knots[i-1]
			below = a.below + (k.below-a.below)*(x-a.x)/(k.x-a.x)
		}
		break
	}
	return math.Max(0, 1-below/m.total), true
}

// edges returns the widest bucket around x of all parts that have samples in theirs.
func (m Merged) edges(x float64) (low, high float64) {
	low, high = x, x
	for _, p := range m.parts {
		i := sort.SearchFloat64s(p.Bounds, x)
		if i == len(p.Bounds) || p.Counts[i] <= 0 {
			continue
		}
		l, h := p.bucket(x)
		low, high = math.Min(low, l), math.Max(high, h)
	}
	return low, high
}
