package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"math"
	"time"
)

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
	historyMetrics // their number
)

// historyInfo names a series in the API and says what it is in.
type historyInfo struct{ name, unit string }

// historyTable returns the names and units, by historyMetric. Shares and latencies are over the trailing minute.
func historyTable() [historyMetrics]historyInfo {
	return [historyMetrics]historyInfo{
		{"ttft_p50", "s"}, {"ttft_p90", "s"}, {"ttft_p99", "s"},
		{"itl_p50", "s"}, {"itl_p90", "s"}, {"itl_p99", "s"},
		{"prefill", "1"}, {"decode", "1"}, {"idle", "1"}, {"unattributed", "1"},
		{"imbalance", "1"}, {"pressure_prefill", "1"}, {"pressure_decode", "1"},
		{"running", "{request}"}, {"waiting", "{request}"}, {"kv", "1"},
	}
}

// row holds one slot of every series.
type row [historyMetrics]number

// history keeps every series at a fixed resolution in one ring. It is 64 bytes a slot and never grows.
type history struct {
	step        time.Duration
	slots       int64
	cells       []float32 // slot by slot; NaN is a gap
	first, last int64     // absolute slot numbers, both written
	begun       bool
}

func newHistory(step time.Duration, slots int) *history {
	return &history{step: step, slots: int64(slots)}
}

// put writes r into the slot of now. A later write into the same slot replaces it; slots left out are gaps.
func (h *history) put(now time.Time, r row) {
	slot := now.UnixNano() / int64(h.step)
	switch {
	case !h.begun:
		h.cells = make([]float32, h.slots*int64(historyMetrics))
		h.begun, h.first, h.last = true, slot, slot
	case slot < h.last: // the clock was set back
		return
	case slot-h.last >= h.slots:
		h.first, h.last = slot, slot
	}
	for s := h.last + 1; s < slot; s++ {
		h.write(s, row{})
	}
	h.write(slot, r)
	h.last = slot
	h.first = max(h.first, slot-h.slots+1)
}

func (h *history) write(slot int64, r row) {
	cells := h.cells[(slot%h.slots)*int64(historyMetrics):]
	for m, n := range r {
		cells[m] = float32(math.NaN())
		if n.ok {
			cells[m] = float32(n.value)
		}
	}
}

// read returns a series, oldest first, and the time of its first slot in Unix milliseconds.
func (h *history) read(m historyMetric) (start int64, values []number) {
	if !h.begun {
		return 0, []number{}
	}
	values = make([]number, 0, h.last-h.first+1)
	for slot := h.first; slot <= h.last; slot++ {
		v := float64(h.cells[(slot%h.slots)*int64(historyMetrics)+int64(m)])
		if math.IsNaN(v) {
			values = append(values, number{})
			continue
		}
		values = append(values, some(round(v)))
	}
	return h.first * h.step.Milliseconds(), values
}

// mean returns the mean of a series over the trailing minute that ends at the last slot.
func (h *history) mean(m historyMetric) number {
	if !h.begun {
		return number{}
	}
	sum, n := 0.0, 0
	for slot := max(h.first, h.last-int64(trailingLength/h.step)+1); slot <= h.last; slot++ {
		v := float64(h.cells[(slot%h.slots)*int64(historyMetrics)+int64(m)])
		if !math.IsNaN(v) {
			sum += v
			n++
		}
	}
	if n == 0 {
		return number{}
	}
	return some(sum / float64(n))
}
