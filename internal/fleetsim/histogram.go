package fleetsim

import "math"

// Bins of fineHistogram: 0.5 % wide from 10 us to about 10^5 s.
const (
	fineLowest = 1e-5
	fineWidth  = 0.005
	fineBins   = 4610
	fineChunk  = 128 // bins are allocated in multiples of this
)

// fineHistogram keeps durations in geometric bins of 0.5 %, so that a quantile is known to 0.25 % whatever the length of the run,
// and histograms of several workers add up. It allocates the range of bins in use only; the zero value is empty.
type fineHistogram struct {
	first  int // bin of counts[0]
	counts []uint64
	total  uint64
	sum    float64
	max    float64
}

// observeN records n values of v seconds; values under 10 us share the first bin.
func (h *fineHistogram) observeN(v float64, n int) {
	bin := 0
	if v > fineLowest {
		bin = min(int(math.Log(v/fineLowest)/fineWidth), fineBins-1)
	}
	if i := bin - h.first; i < 0 || i >= len(h.counts) {
		h.cover(bin, bin)
	}
	h.counts[bin-h.first] += uint64(n)
	h.total += uint64(n)
	h.sum += v * float64(n)
	h.max = max(h.max, v)
}

// cover extends the range of bins.
func (h *fineHistogram) cover(first, last int) {
	end := last + 1
	if len(h.counts) > 0 {
		first, end = min(first, h.first), max(end, h.first+len(h.counts))
	}
	first -= first % fineChunk
	end += (fineChunk - end%fineChunk) % fineChunk
	counts := make([]uint64, end-first)
	if len(h.counts) > 0 {
		copy(counts[h.first-first:], h.counts)
	}
	h.first, h.counts = first, counts
}

func (h *fineHistogram) add(o *fineHistogram) {
	if o.total > 0 {
		h.cover(o.first, o.first+len(o.counts)-1)
	}
	for i, n := range o.counts {
		h.counts[o.first-h.first+i] += n
	}
	h.total += o.total
	h.sum += o.sum
	h.max = max(h.max, o.max)
}

// quantile returns the value below which the share q of the values lies: the middle of its bin; 0 without values.
func (h *fineHistogram) quantile(q float64) float64 {
	if h.total == 0 {
		return 0
	}
	rank := uint64(math.Ceil(q * float64(h.total)))
	var seen uint64
	for i, n := range h.counts {
		if seen += n; seen >= max(rank, 1) {
			return fineLowest * math.Exp((float64(h.first+i)+0.5)*fineWidth)
		}
	}
	return h.max
}
