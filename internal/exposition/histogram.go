package exposition // import "github.com/otelcol-inference/otelcol-inference/internal/exposition"

import (
	"cmp"
	"math"
	"slices"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
)

// maxCount is the largest count that a float64 holds exactly.
const maxCount = 1 << 53

// histogram collects the series of one histogram.
type histogram struct {
	buckets []bucket // by bound
	sum     parts
	count   parts
}

type bucket struct {
	bound float64
	parts parts
}

func newHistogram() *histogram {
	return &histogram{sum: parts{hold: true}, count: parts{hold: true}}
}

// add gives a series of the histogram its place.
func (h *histogram) add(part dialect.Part, bound float64, c *cell) {
	switch part {
	case dialect.Sum:
		h.sum.add(c)
	case dialect.Count:
		h.count.add(c)
	case dialect.Bucket:
		i, found := slices.BinarySearchFunc(h.buckets, bound, func(b bucket, bound float64) int { return cmp.Compare(b.bound, bound) })
		if !found {
			h.buckets = slices.Insert(h.buckets, i, bucket{bound: bound, parts: parts{hold: true}})
		}
		h.buckets[i].parts.add(c)
	}
}

func (h *histogram) sweep(before uint64) bool {
	h.buckets = slices.DeleteFunc(h.buckets, func(b bucket) bool { return !b.parts.sweep(before) })
	sum, count := h.sum.sweep(before), h.count.sweep(before)
	return sum || count || len(h.buckets) > 0
}

// reading is a histogram in OpenTelemetry's form. The slices are reused by the next read.
type reading struct {
	bounds []float64
	counts []uint64 // one more than bounds, not cumulative
	count  uint64
	sum    float64
	hasSum bool
}

// presence says whether there was a histogram to read.
type presence uint8

const (
	absent presence = iota
	inconsistent
	present
)

// short reports whether a series of the histogram that is remembered was not on the page of a scrape.
func (h *histogram) short(scrape uint64) bool {
	if h.sum.short(scrape) || h.count.short(scrape) {
		return true
	}
	for i := range h.buckets {
		if h.buckets[i].parts.short(scrape) {
			return true
		}
	}
	return false
}

// read reads the histogram as of a scrape. Without a +Inf bucket the count takes its place; without a count +Inf gives it. What
// falls from bucket to bucket or has neither is inconsistent.
func (h *histogram) read(scrape uint64, scale dialect.Scale, into *reading) presence {
	into.bounds, into.counts = into.bounds[:0], into.counts[:0]
	total, hasTotal := h.count.value(scrape)
	sum, hasSum := h.sum.value(scrape)
	seen := hasTotal || hasSum
	below := 0.0
	for i := range h.buckets {
		b := &h.buckets[i]
		v, ok := b.parts.value(scrape)
		if !ok {
			continue
		}
		seen = true
		if math.IsInf(b.bound, 1) {
			total, hasTotal = v, true
			continue
		}
		if !countable(v-below) || !countable(v) {
			return inconsistent
		}
		into.bounds = append(into.bounds, scale.Apply(b.bound))
		into.counts = append(into.counts, uint64(v-below))
		below = v
	}
	switch {
	case !seen:
		return absent
	case !hasTotal || !countable(total) || !countable(total-below):
		return inconsistent
	}
	into.counts = append(into.counts, uint64(total-below))
	into.count = uint64(total)
	into.sum, into.hasSum = scale.Apply(sum), hasSum && !math.IsNaN(sum) && !math.IsInf(sum, 0)
	return present
}

// countable reports whether v is a number of things.
func countable(v float64) bool {
	return v >= 0 && v <= maxCount && v == math.Trunc(v)
}
