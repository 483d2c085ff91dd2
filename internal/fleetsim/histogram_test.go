package fleetsim

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestFineHistogramQuantiles(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	var whole, left, right, sum fineHistogram
	var values []float64
	for i := range 20_000 {
		v := max(math.Exp(random.NormFloat64()*3-3), 2e-5)
		values = append(values, v)
		whole.observeN(v, 1)
		part := &left
		if i%3 == 0 {
			part = &right
		}
		part.observeN(v, 1)
	}
	sum.add(&right)
	sum.add(&left)
	sum.add(&fineHistogram{})
	slices.Sort(values)
	for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.999, 1} {
		want := values[min(max(int(math.Ceil(q*float64(len(values))))-1, 0), len(values)-1)]
		if got := whole.quantile(q); math.Abs(got/want-1) > 0.0026 {
			t.Errorf("quantile %g: got %g, want %g", q, got, want)
		}
		if whole.quantile(q) != sum.quantile(q) {
			t.Errorf("quantile %g: %g, summed from two parts %g", q, whole.quantile(q), sum.quantile(q))
		}
	}
	if sum.total != whole.total || sum.max != whole.max {
		t.Errorf("%d values up to %g, want %d up to %g", sum.total, sum.max, whole.total, whole.max)
	}
}

func TestFineHistogramEnds(t *testing.T) {
	var h fineHistogram
	if h.quantile(0.5) != 0 {
		t.Error("an empty histogram has a median")
	}
	h.observeN(0, 1)
	h.observeN(1e9, 1)
	if lowest := h.quantile(0); lowest > 1.01*fineLowest {
		t.Errorf("0 s counts as %g s", lowest)
	}
	if h.quantile(1) < 5e4 || h.max != 1e9 || len(h.counts) > fineBins+fineChunk {
		t.Errorf("highest quantile %g, maximum %g, %d bins", h.quantile(1), h.max, len(h.counts))
	}
}
