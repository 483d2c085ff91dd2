package fleetsim

import "math"

// Bins of fineHistogram: 0.5 % wide from 10 us to about 10^5 s.
const (
	fineLowest = 1e-5
	fineWidth  = 0.005
	fineBins   = 4610
)

// fineHistogram keeps durations in geometric bins of 0.5 %, so that a quantile is known to 0.25 % whatever the length of the run,
// and histograms of several workers add up.
type fineHistogram struct {
	counts []uint64
	total  uint64
	sum    float64
	max    float64
}

func newFineHistogram() fineHistogram { return fineHistogram{counts: make([]uint64, fineBins)} }

// observeN records n values of v seconds; values under 10 us share the first bin.
func (h *fineHistogram) observeN(v float64, n int) {
	bin := 0
	if v > fineLowest {
		bin = min(int(math.Log(v/fineLowest)/fineWidth), fineBins-1)
	}
	h.counts[bin] += uint64(n)
	h.total += uint64(n)
	h.sum += v * float64(n)
	h.max = max(h.max, v)
}

func (h *fineHistogram) add(o *fineHistogram) {
	for i, n := range o.counts {
		h.counts[i] += n
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
			return fineLowest * math.Exp((float64(i)+0.5)*fineWidth)
		}
	}
	return h.max
}
