package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import "time"

const (
	// trailingLength is the window over which the page states latencies, shares and rates.
	trailingLength = time.Minute
	trailingBin    = 5 * time.Second
	trailingBins   = int64(trailingLength / trailingBin)
)

// trailing adds vectors up over the trailing window, in bins of five seconds of arrival time.
type trailing struct {
	bins  [trailingBins][]float64
	slots [trailingBins]int64 // the absolute number of the bin that each place holds
}

// add counts v in the bin of now. Vectors of another length belong to another bucket layout and start over.
func (t *trailing) add(now time.Time, v []float64) {
	slot := now.UnixNano() / int64(trailingBin)
	i := slot % trailingBins
	if len(t.bins[i]) != len(v) {
		t.bins[i] = make([]float64, len(v))
	} else if t.slots[i] != slot {
		clear(t.bins[i])
	}
	t.slots[i] = slot
	for k, x := range v {
		t.bins[i][k] += x
	}
}

// sum returns the total over the window that ends now, of length n; nil where nothing was counted in it.
func (t *trailing) sum(now time.Time, n int) []float64 {
	slot := now.UnixNano() / int64(trailingBin)
	var total []float64
	for i, bin := range t.bins {
		if len(bin) != n || t.slots[i] <= slot-trailingBins || t.slots[i] > slot {
			continue
		}
		if total == nil {
			total = make([]float64, n)
		}
		for k, x := range bin {
			total[k] += x
		}
	}
	return total
}
