package fleetsim

import (
	"math"
	"time"
)

// Streams of dice.
const (
	pairStream     = 4 << 32
	transferStream = 5 << 32
	hiccupStream   = 6 << 32
)

// dice are random numbers that belong to one thing, whatever happens before or beside it: two runs that differ in a link only meet
// the same noise.
type dice struct{ key, thrown uint64 }

func (d *dice) bits() uint64 {
	d.thrown++
	return mix(d.key, d.thrown)
}

// split are further dice that belong to a part of the thing.
func (d *dice) split(part int) *dice { return &dice{key: mix(d.key^d.thrown, uint64(part))} }

// uniform is from 0 to below 1.
func (d *dice) uniform() float64 { return float64(d.bits()>>11) / (1 << 53) }

// normal has mean 0 and deviation 1 (Box and Muller 1958).
func (d *dice) normal() float64 {
	return math.Sqrt(-2*math.Log(1-d.uniform())) * math.Cos(2*math.Pi*d.uniform())
}

// exponential has mean 1.
func (d *dice) exponential() float64 { return -math.Log(1 - d.uniform()) }

// worse joins the links of two workers: of every figure the one that makes a transfer longer.
func worse(a, b Link) Link {
	if a == b {
		return a
	}
	l := a
	if b.Bandwidth < a.Bandwidth {
		l.Transport = b.Transport
	}
	l.Latency, l.Post, l.PerDescriptor = max(a.Latency, b.Latency), max(a.Post, b.Post), max(a.PerDescriptor, b.PerDescriptor)
	l.Bandwidth, l.Noise, l.Pieces = min(a.Bandwidth, b.Bandwidth), max(a.Noise, b.Noise), max(a.Pieces, b.Pieces)
	l.Overlap = a.Overlap && b.Overlap
	l.Hiccups = Hiccups{
		Stall:  max(a.Hiccups.Stall, b.Hiccups.Stall),
		Chance: max(a.Hiccups.Chance, b.Hiccups.Chance),
	}
	if fa, fb := a.Fallback, b.Fallback; fb.Pairs > fa.Pairs || fb.Transfers > fa.Transfers {
		l.Fallback = Fallback{
			Pairs: max(fa.Pairs, fb.Pairs), Transfers: max(fa.Transfers, fb.Transfers),
			Latency: max(fa.Latency, fb.Latency), Bandwidth: fb.Bandwidth,
		}
	}
	l.Timeout, l.Retries, l.Backoff = max(a.Timeout, b.Timeout), max(a.Retries, b.Retries), max(a.Backoff, b.Backoff)
	l.FailureChance = max(a.FailureChance, b.FailureChance)
	return l
}

// fallen is the link with TCP in place of its transport, if the dice or the pair of workers want it so.
func (l Link) fallen(seed uint64, source, destination int, d *dice) Link {
	pair := dice{key: mix(seed^pairStream, uint64(source)<<32|uint64(destination))}
	// Both are thrown always, so that later throws do not depend on the fallback.
	if p, t := pair.uniform(), d.uniform(); p >= l.Fallback.Pairs && t >= l.Fallback.Transfers {
		return l
	}
	l.Transport, l.Latency, l.Bandwidth = TCP, l.Fallback.Latency, l.Fallback.Bandwidth
	l.Post = min(l.Post, l.Latency)
	return l
}

// side is one direction of a worker's link: transfers wait in order of posting, the first one is under way or waits for the other
// end.
type side struct {
	waiting []*transfer
	busy    bool
	nics    []blockage // of each rank; empty without blockages
}

func (s *side) head() *transfer {
	if len(s.waiting) == 0 {
		return nil
	}
	return s.waiting[0]
}

// remove takes a transfer out, wherever it is.
func (s *side) remove(t *transfer) {
	for i, o := range s.waiting {
		if o == t {
			s.busy = s.busy && i > 0
			n := copy(s.waiting[i:], s.waiting[i+1:])
			s.waiting[i+n] = nil
			s.waiting = s.waiting[:i+n]
			return
		}
	}
}

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

// carry moves work that takes d on a free link from time t on; it returns when it is done and what stood still.
func carry(rank int, t, d time.Duration, sides ...*side) (done time.Duration, stalls int, stalled time.Duration) {
	for {
		start, end := firstBlockage(rank, t, sides...)
		if start >= t+d {
			return t + d, stalls, stalled
		}
		d -= max(start-t, 0)
		stalls++
		stalled += end - max(start, t)
		t = end
	}
}
