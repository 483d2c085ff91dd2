package fleetsim

import "time"

// blockage is when one rank's adapter stands still: for stall, at random, perSecond times a second.
type blockage struct {
	dice       dice
	stall      time.Duration
	gap        float64 // mean time between two, s
	start, end time.Duration
}

// newBlockages are those of all ranks of a side from now on; none if the link has none.
func newBlockages(h Hiccups, ranks int, now time.Duration, key uint64) []blockage {
	if h.PerSecond == 0 || h.Stall == 0 {
		return nil
	}
	b := make([]blockage, ranks)
	for i := range b {
		b[i] = blockage{
			dice: dice{key: mix(key^hiccupStream, uint64(i))}, stall: h.Stall, gap: 1/h.PerSecond - h.Stall.Seconds(), start: now, end: now,
		}
		b[i].advance()
	}
	return b
}

func (b *blockage) advance() {
	b.start = b.end + time.Duration(b.gap*b.dice.exponential()*float64(time.Second))
	b.end = b.start + b.stall
}

// firstBlockage returns the first blockage that is not over at time t, of the two ends' adapters of a rank; idle when there is none.
func firstBlockage(rank int, t time.Duration, sides ...*side) (start, end time.Duration) {
	start, end = idle, idle
	for _, s := range sides {
		if len(s.nics) == 0 {
			continue
		}
		b := &s.nics[rank%len(s.nics)]
		for b.end <= t {
			b.advance()
		}
		if b.start < start {
			start, end = b.start, b.end
		}
	}
	return start, end
}

// carry moves work that takes d on a free link from time t on; it returns when it is done and what stood still. It looks no further
// than the time at which the work would be given up: later blockages are for later work.
func carry(rank int, t, d, until time.Duration, sides ...*side) (done time.Duration, stalls int, stalled time.Duration) {
	for {
		start, end := idle, idle
		if t <= until {
			start, end = firstBlockage(rank, t, sides...)
		}
		if start >= t+d {
			return t + d, stalls, stalled
		}
		d -= max(start-t, 0)
		stalls++
		stalled += end - max(start, t)
		t = end
	}
}
