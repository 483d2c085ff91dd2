package nixlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver"

import (
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/nixl"
)

// maxMicroseconds is a year, beyond which a duration is damage.
const maxMicroseconds = uint64(maxAge / time.Microsecond)

// spent is what the transfers of an agent took until the last collection, in microseconds.
type spent struct {
	total, before uint64   // until then, and between the two collections before it
	counts        []uint64 // of the histogram
}

// advance is what an agent moved since the last collection, and the longest that one of these transfers can have taken. What it had
// done before its first collection is of another time.
func (a *agent) advance() (moved traffic, longest time.Duration) {
	now, total := a.moved(), a.sums()[nixl.XferTime]
	if !a.collected {
		a.told, a.collected, a.spent = now, true, spent{total: total}
		_, a.spent.counts = a.durations()
		return traffic{}, 0
	}
	moved = traffic{increase(a.told.transmit, now.transmit), increase(a.told.receive, now.receive)}
	took := increase(a.spent.total, total)
	if took == 0 && moved.total() == 0 {
		a.spent.before = 0
		return moved, 0
	}
	bounds, counts := a.durations()
	// A collection can cut a transfer: the time is told in one, the bytes in the next.
	longest = time.Duration(min(took+a.spent.before, maxMicroseconds)) * time.Microsecond
	for i := len(counts) - 1; i >= 0; i-- {
		if i < len(a.spent.counts) && counts[i] == a.spent.counts[i] {
			continue
		}
		if i < len(bounds) {
			longest = min(longest, time.Duration(bounds[i]*float64(time.Microsecond)))
		}
		break
	}
	a.spent = spent{total: total, before: took, counts: counts}
	return moved, longest
}

// durations is the histogram of an agent's transfers in all directions, in microseconds, with one count more than bounds.
func (a *agent) durations() (bounds []float64, counts []uint64) {
	if a.store != nil {
		return a.snapshot.Bounds, a.snapshot.Duration
	}
	counts = make([]uint64, len(a.tally.Duration[nixl.Transmit].Counts))
	for _, h := range a.tally.Duration {
		for i, n := range h.Counts {
			counts[i] += n
		}
	}
	for _, b := range a.tally.Duration[nixl.Transmit].Bounds {
		bounds = append(bounds, float64(b))
	}
	return bounds, counts
}
