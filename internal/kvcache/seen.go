package kvcache

import "time"

const (
	// bitsPerKey and probes give a false "seen" in about 1 % of cases when a filter is full.
	bitsPerKey = 10
	probes     = 6
	lineWords  = 8 // a key's bits lie in one cache line (Putze, Sanders, Singler 2007)
)

// seen remembers blocks that the index has forgotten, within a horizon: two Bloom filters, of which the older is emptied when the
// younger is full or old. What was put is remembered for one to two spans.
type seen struct {
	young, old  []uint64
	keys, limit int
	span        float64 // seconds
	since       float64 // the young filter's first second
	oldSince    float64
	cleared     bool // the old filter holds what was there when the cache was cleared
}

// newSeen uses at most `bytes` of memory, at least two cache lines.
func newSeen(bytes int, span time.Duration) seen {
	lines := max(1, bytes/2/(8*lineWords))
	return seen{
		young: make([]uint64, lines*lineWords), old: make([]uint64, lines*lineWords),
		limit: lines * lineWords * 64 / bitsPerKey, span: span.Seconds(),
	}
}

func (f *seen) begin(now float64) { f.since, f.oldSince = now, now }

// horizon is for how many seconds back the filter answers.
func (f *seen) horizon(now float64) float64 { return max(0, now-f.oldSince) }

// has tells whether a block was put, and if so whether it was there when the cache was cleared.
func (f *seen) has(h uint64) (before, reset bool) {
	line, x := f.place(h)
	young, old := true, true
	for range probes {
		word, bit := line+int(x>>6&(lineWords-1)), uint64(1)<<(x&63)
		young = young && f.young[word]&bit != 0
		old = old && f.old[word]&bit != 0
		if !young && !old {
			break
		}
		x >>= 9
	}
	return young || old, old && f.cleared
}

// put remembers a block.
func (f *seen) put(h uint64, now float64) {
	if f.keys >= f.limit || now-f.since > f.span {
		f.rotate(now)
	}
	line, x := f.place(h)
	for range probes {
		f.young[line+int(x>>6&(lineWords-1))] |= 1 << (x & 63)
		x >>= 9
	}
	f.keys++
}

// place returns the first word of a key's cache line, and bits of which each probe takes nine.
func (f *seen) place(h uint64) (int, uint64) {
	return f.line(h), mix(h ^ 0x9e3779b97f4a7c15)
}

// line spreads the low 32 bits of a mixed key over the cache lines.
func (f *seen) line(h uint64) int {
	return int(uint64(uint32(h))*uint64(len(f.young)/lineWords)>>32) * lineWords
}

func (f *seen) rotate(now float64) {
	f.young, f.old = f.old, f.young
	clear(f.young)
	f.keys, f.oldSince, f.since, f.cleared = 0, f.since, now, false
}

// reset keeps what was put, and makes the old filter that of what is there when the cache is cleared; lost puts that.
func (f *seen) reset(now float64) {
	for i, w := range f.old {
		f.young[i] |= w
	}
	clear(f.old)
	f.since, f.oldSince, f.cleared = now, min(f.oldSince, f.since), true
}

// lost remembers a block that is there when the cache is cleared.
func (f *seen) lost(h uint64) {
	line, x := f.place(h)
	for range probes {
		f.old[line+int(x>>6&(lineWords-1))] |= 1 << (x & 63)
		x >>= 9
	}
}
