package kvcache

import "sort"

// Histogram counts values in buckets; Counts has one more element than Bounds, for what is above the last.
type Histogram struct {
	Bounds []float64 // upper and inclusive
	Counts []uint64
	Sum    float64
}

// NewHistogram makes an empty histogram. Bounds must rise.
func NewHistogram(bounds []float64) Histogram {
	return Histogram{Bounds: bounds, Counts: make([]uint64, len(bounds)+1)}
}

// Add counts n values v.
func (h *Histogram) Add(v float64, n uint64) {
	h.Counts[sort.SearchFloat64s(h.Bounds, v)] += n
	h.Sum += v * float64(n)
}

// Count is how many values there are.
func (h *Histogram) Count() (n uint64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// ResidenceBounds are the bounds in seconds of the residence of blocks: a tenth of a second to a day.
func ResidenceBounds() []float64 {
	return []float64{0.1, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 86400}
}

// ReuseBounds are bounds in blocks of stack depths: half octaves from 64 up to and including the power of two that holds most.
func ReuseBounds(most int) []float64 {
	var bounds []float64
	for b := 64; ; b *= 2 {
		bounds = append(bounds, float64(b))
		if b >= most {
			return bounds
		}
		bounds = append(bounds, float64(b*181/128)) // 181/128 is the square root of 2 within 0.01 %
	}
}

// ReuseGapBounds are the bounds in seconds of the time between two uses of a block: half octaves from an eighth of a second to nine hours.
func ReuseGapBounds() []float64 {
	var bounds []float64
	for b := 0.125; b <= 32768; b *= 2 {
		bounds = append(bounds, b, b*181/128)
	}
	return bounds
}
