package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import "time"

// historyMetric is a series that the history keeps for each worker and each fleet.
type historyMetric int

const (
	historyTTFTP50 historyMetric = iota
	historyTTFTP90
	historyTTFTP99
	historyITLP50
	historyITLP90
	historyITLP99
	historyPrefill
	historyDecode
	historyIdle
	historyUnattributed
	historyImbalance
	historyPressurePrefill
	historyPressureDecode
	historyRunning
	historyWaiting
	historyKV
	historyThrash
	historyStorm
	historyHiccup
	historyInterference
	historyMetrics // their number
)

// historyInfo names a series in the API, says what it is in, and how several points become one.
type historyInfo struct {
	name, unit string
	peak       bool // the largest of them, where a mean would be wrong (percentiles) or hide what happened; else their mean
}

// historyTable returns the series, by historyMetric. Shares and latencies are over the trailing minute.
func historyTable() [historyMetrics]historyInfo {
	return [historyMetrics]historyInfo{
		{"ttft_p50", "s", true}, {"ttft_p90", "s", true}, {"ttft_p99", "s", true},
		{"itl_p50", "s", true}, {"itl_p90", "s", true}, {"itl_p99", "s", true},
		{"prefill", "1", false}, {"decode", "1", false}, {"idle", "1", false}, {"unattributed", "1", false},
		{"imbalance", "1", false}, {"pressure_prefill", "1", false}, {"pressure_decode", "1", false},
		{"running", "{request}", false}, {"waiting", "{request}", false}, {"kv", "1", false},
		{"thrash", "1", true}, {"storm", "1", true}, {"hiccup", "1", true}, {"interference", "1", false},
	}
}

// row holds one slot of every series.
type row [historyMetrics]number

// extent is how far back a ring reaches, and the distance of its points.
type extent struct {
	step  time.Duration
	slots int
}

// history keeps every series twice: the last hour or so finely, and about a day in coarser steps. It never grows.
type history struct {
	fine, long *ring // long is nil where only the recent past is kept
	folding    fold
}

func newHistory(fine, long extent) *history {
	h := &history{fine: newRing(fine)}
	if long.slots > 0 {
		h.long = newRing(long)
	}
	return h
}

// put writes r into the slots of now.
func (h *history) put(now time.Time, r row) {
	h.fine.put(now, r)
	if h.long != nil {
		h.long.put(now, h.folding.add(h.long.slot(now), r))
	}
}

// fold makes one row of all that are put into one slot.
type fold struct {
	slot  int64
	sums  [historyMetrics]float64 // or the largest of those that are peaks
	known [historyMetrics]uint32  // how many values a sum has; of a peak whether there is one
}

// add takes r in and returns the row of its slot so far.
func (f *fold) add(slot int64, r row) (out row) {
	if slot != f.slot {
		*f = fold{slot: slot}
	}
	for m, info := range historyTable() {
		if v := r[m]; v.ok {
			switch {
			case !info.peak:
				f.sums[m] += v.value
				f.known[m]++
			case f.known[m] == 0 || v.value > f.sums[m]:
				f.sums[m], f.known[m] = v.value, 1
			}
		}
		if f.known[m] > 0 {
			out[m] = some(f.sums[m] / float64(f.known[m]))
		}
	}
	return out
}
