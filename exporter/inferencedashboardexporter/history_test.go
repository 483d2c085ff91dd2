package inferencedashboardexporter

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestHistoryKeepsTheRecentPast(t *testing.T) {
	h := newHistory(extent{5 * time.Second, 4}, extent{})
	now := time.Unix(1_000_000, 0)
	put := func(after time.Duration, v float64) {
		var r row
		r[historyKV] = some(v)
		h.put(now.Add(after), r)
	}
	_, values := h.fine.read(historyKV)
	assert.Empty(t, values)

	put(0, 1)
	put(time.Second, 2) // the same slot: the later one stays
	put(10*time.Second, 3)
	start, values := h.fine.read(historyKV)
	assert.Equal(t, now.UnixMilli(), start)
	assert.Equal(t, []number{some(2), {}, some(3)}, values, "the slot between is a gap")

	put(25*time.Second, 4) // a turn of the ring
	start, values = h.fine.read(historyKV)
	assert.Equal(t, now.Add(10*time.Second).UnixMilli(), start)
	assert.Equal(t, []number{some(3), {}, {}, some(4)}, values)

	put(20*time.Second, 6) // the clock was set back: what was of later times goes
	_, values = h.fine.read(historyKV)
	assert.Equal(t, []number{some(3), {}, some(6)}, values)
	put(-time.Hour, 9)
	start, values = h.fine.read(historyKV)
	assert.Equal(t, now.Add(-time.Hour).UnixMilli(), start)
	assert.Equal(t, []number{some(9)}, values)
	put(24*time.Hour, 5)
	_, values = h.fine.read(historyKV)
	assert.Equal(t, []number{some(5)}, values)
	_, values = h.fine.read(historyTTFTP90)
	assert.Equal(t, []number{{}}, values)
}

func TestLongHistoryIsTheMeanOfItsPointsOrTheirPeak(t *testing.T) {
	h := newHistory(extent{5 * time.Second, 4}, extent{time.Minute, 3})
	begin := time.Unix(1_200_000, 0) // a whole minute
	for i, v := range []float64{1, 2, 3, 6} {
		r := row{}
		r[historyRunning], r[historyTTFTP99], r[historyHiccup] = some(v), some(v), some(float64(i%2))
		if i == 2 {
			r[historyRunning] = number{} // a gap is not a zero
		}
		h.put(begin.Add(time.Duration(i)*5*time.Second), r)
	}
	h.put(begin.Add(2*time.Minute), row{historyRunning: some(7)})

	start, running := h.long.read(historyRunning)
	assert.Equal(t, begin.UnixMilli(), start)
	assert.Equal(t, []number{some(3), {}, some(7)}, running)
	_, ttft := h.long.read(historyTTFTP99)
	assert.Equal(t, []number{some(6), {}, {}}, ttft, "percentiles are never averaged")
	_, hiccup := h.long.read(historyHiccup)
	assert.Equal(t, some(1), hiccup[0], "one that lasted moments is not lost")
	_, fine := h.fine.read(historyRunning)
	assert.Equal(t, []number{some(7)}, fine, "the recent past has turned over")
}

// TestMemoryOfTwoHundredWorkers holds 200 workers with a full history, recent and long, to the bound: 64 MiB.
func TestMemoryOfTwoHundredWorkers(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	d, _, now := filled(t, 200, 20)
	var full row
	for m := range full {
		full[m] = some(0.5)
	}
	cells := 0
	for _, w := range d.tracker.all() {
		for i := range 25 * time.Hour / (5 * time.Minute) { // past the end of both
			w.history.put(now.Add(i*5*time.Minute), full)
		}
		cells += len(w.history.fine.cells) + len(w.history.long.cells)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	mib := float64(after.HeapAlloc-before.HeapAlloc) / (1 << 20)
	t.Logf("%.1f MiB for %d workers, of which %.1f history", mib, d.tracker.len(), float64(4*cells)/(1<<20))
	assert.Equal(t, 200*(720+720)*int(historyMetrics), cells)
	assert.Less(t, mib, 64.0)
	runtime.KeepAlive(d)
}

func BenchmarkHistoryPut(b *testing.B) {
	h := newHistory(extent{5 * time.Second, 720}, extent{2 * time.Minute, 720})
	r := row{}
	for m := range r {
		r[m] = some(float64(m))
	}
	now := time.Unix(1_200_000, 0)
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Second)
		h.put(now, r)
	}
}
