package fleetsim

import "time"

// mostContents bounds how many different block contents a fleet's ledger remembers, about 100 bytes each on every worker that had
// them. Content of one request alone does not count unless the request was preempted.
const mostContents = 8 << 20

// residency knows of every content of a block how many copies the workers of a fleet cache. It is shared by their ledgers.
type residency struct {
	copies map[uint64]int32 // 0: there have been some
	limit  int
}

func newResidency() *residency { return &residency{copies: map[uint64]int32{}, limit: mostContents} }

// full says that no further content is remembered.
func (r *residency) full() bool { return len(r.copies) >= r.limit }

// fate is what happened to a content on one worker.
type fate struct {
	copies  int32         // cached now
	cleared bool          // lost with the whole cache, not by eviction
	lost    time.Duration // when its last copy went; meaningful without copies
}

// contents remembers the fate of every content on one worker.
type contents struct {
	fates map[uint64]fate
	fleet *residency
}

// enter notes a copy and returns what the content's fate was before; false if it is new here.
func (c *contents) enter(hash uint64) (fate, bool) {
	before, seen := c.fates[hash]
	if _, known := c.fleet.copies[hash]; !known && c.fleet.full() {
		return fate{}, false
	}
	c.fates[hash] = fate{copies: before.copies + 1}
	c.fleet.copies[hash]++
	return before, seen
}

// leave notes that a copy is gone.
func (c *contents) leave(hash uint64, now time.Duration, cleared bool) {
	f, ok := c.fates[hash]
	if !ok || f.copies == 0 {
		return
	}
	c.fates[hash] = fate{copies: f.copies - 1, cleared: cleared, lost: now}
	c.fleet.copies[hash]--
}

// clear notes that all copies are gone.
func (c *contents) clear(now time.Duration) {
	for hash, f := range c.fates {
		if f.copies > 0 {
			c.fates[hash] = fate{cleared: true, lost: now}
			c.fleet.copies[hash] -= f.copies
		}
	}
}

// cause books the tokens of a block that is not cached here.
func (c *contents) cause(hash uint64, tokens int64, l *KVLookups) {
	copies, known := c.fleet.copies[hash]
	f, here := c.fates[hash]
	elsewhere := copies > f.copies
	switch {
	case here && f.copies == 0:
		if f.cleared {
			l.Reset += tokens
		} else {
			l.Capacity += tokens
		}
		if elsewhere {
			l.CapacityElsewhere += tokens
		}
	case elsewhere:
		l.Routing += tokens
	case known:
		l.Elsewhere += tokens
	case c.fleet.full():
		l.Unknown += tokens
	default:
		l.Compulsory += tokens
	}
}
