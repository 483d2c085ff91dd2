package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import "time"

const (
	// trailingLength is the window over which the page states latencies, shares and rates.
	trailingLength = time.Minute
	trailingBin    = 5 * time.Second
	trailingBins   = int64(trailingLength / trailingBin)
)

// trailing adds vectors up over the trailing window, in bins of five seconds of arrival time. A bin holds single precision: seven digits, of
// which the page shows four.
type trailing struct {
	cells []float32           // the bins one after the other, each as long as the vectors
	slots [trailingBins]int32 // the absolute number of the bin that each place holds; of five seconds, they last for 340 years
}

func trailingSlot(now time.Time) int64 { return now.UnixNano() / int64(trailingBin) }

// add counts v in the bin of now. Vectors of another length belong to another bucket layout and start over.
func (t *trailing) add(now time.Time, v []float64) {
	slot := trailingSlot(now)
	i := slot % trailingBins
	if len(t.cells) != len(v)*int(trailingBins) {
		*t = trailing{cells: make([]float32, len(v)*int(trailingBins))}
	}
	bin := t.bin(i)
	if t.slots[i] != int32(slot) {
		clear(bin)
	}
	t.slots[i] = int32(slot)
	for k, x := range v {
		bin[k] += float32(x)
	}
}

// bin is the bin at a place.
func (t *trailing) bin(i int64) []float32 {
	n := int64(len(t.cells)) / trailingBins
	return t.cells[i*n : (i+1)*n]
}

// sum returns the total over the window that ends now, of length n; nil where nothing was counted in it.
func (t *trailing) sum(now time.Time, n int) []float64 {
	if n == 0 || len(t.cells) != n*int(trailingBins) {
		return nil
	}
	slot := trailingSlot(now)
	var total []float64
	for i, at := range t.slots {
		if at == 0 || int64(at) <= slot-trailingBins || int64(at) > slot {
			continue
		}
		if total == nil {
			total = make([]float64, n)
		}
		for k, x := range t.bin(int64(i)) {
			total[k] += float64(x)
		}
	}
	return total
}
