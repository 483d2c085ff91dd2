package nixl // import "github.com/otelcol-inference/otelcol-inference/internal/nixl"

// Histogram counts whole numbers by bucket. Counts[i] is what is above Bounds[i-1] and at most Bounds[i]; the last is above all.
type Histogram struct {
	Bounds []uint64 `json:"-"` // shared, never changed
	Counts []uint64
	Sum    uint64
}

func newHistogram(bounds []uint64) Histogram {
	return Histogram{Bounds: bounds, Counts: make([]uint64, len(bounds)+1)}
}

func (h *Histogram) add(v uint64) {
	i, end := 0, len(h.Bounds)
	for i < end {
		middle := int(uint(i+end) >> 1)
		if h.Bounds[middle] < v {
			i = middle + 1
		} else {
			end = middle
		}
	}
	h.Counts[i]++
	h.Sum += v
}

// Count is the number of values.
func (h *Histogram) Count() uint64 {
	var n uint64
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// DefaultBuckets are NIXL_TELEMETRY_HISTOGRAM_BUCKETS_US when unset, in microseconds.
func DefaultBuckets() []uint64 {
	return []uint64{
		10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000,
		10_000_000,
	}
}

// sizeBuckets are in bytes: 2 KiB to 8 GiB by fours, as vLLM's own histogram of transfers has them.
func sizeBuckets() []uint64 {
	var b []uint64
	for power := 11; power <= 33; power += 2 {
		b = append(b, 1<<power)
	}
	return b
}

// throughputBuckets are in bytes per second, from slow TCP to several NVLinks.
func throughputBuckets() []uint64 {
	b := []uint64{1e6, 1e7, 5e7}
	for decade := uint64(1e8); decade <= 1e11; decade *= 10 {
		b = append(b, decade, decade*5/2, decade*5)
	}
	return append(b, 1e12)
}
