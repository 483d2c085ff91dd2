package kvcache

import "sync"

// FleetBlockBytes is what a block takes in a Fleet: 16 bytes in a table that is two to four fifths full, 20 to 40. For a moment the table
// before is there as well, when it grows (up to 60) or a sample is taken (up to 80).
const FleetBlockBytes = 48

// Fleet is the merged view of the caches of workers that serve the same requests: which blocks more than one of them holds. It is safe
// for concurrent use. A nil Fleet has no lock.
type Fleet struct {
	mu      sync.Mutex
	members map[*Index]bool // and whether what they hold is known
	held    holders
	limit   int
	level   uint // blocks are looked at at a rate of 2^-level
	copies  uint64
	tokens  uint64 // of copies beyond the first
}

// NewFleet makes a fleet without workers. It looks at so many different blocks, and at a sample if there are more.
func NewFleet(blocks int) *Fleet {
	return &Fleet{members: make(map[*Index]bool), held: newHolders(), limit: blocks}
}

// View is what a fleet holds. Blocks are of the primary group on the GPU; in large fleets they are estimates from a sample.
type View struct {
	Workers, Known   int    // workers that joined, and those of them whose blocks are known
	Blocks, Distinct uint64 // copies, each worker's once, and different blocks
	DuplicateTokens  uint64 // in copies beyond the first
}

// View returns it.
func (f *Fleet) View() View {
	defer f.lock().unlock()
	v := View{Workers: len(f.members), Blocks: f.copies << f.level, Distinct: uint64(f.held.n) << f.level, DuplicateTokens: f.tokens << f.level}
	for _, known := range f.members {
		if known {
			v.Known++
		}
	}
	return v
}

// Join makes an index part of a fleet, or of none if f is nil.
func (x *Index) Join(f *Fleet) {
	if x.fleet == f {
		return
	}
	x.EndBatch()
	x.share((*Fleet).leaveSlot)
	if x.fleet != nil {
		func() {
			defer x.fleet.lock().unlock()
			delete(x.fleet.members, x)
		}()
	}
	if x.fleet = f; f != nil {
		func() {
			defer f.lock().unlock()
			x.announce()
		}()
		x.share((*Fleet).arriveSlot)
	}
}

// share tells the fleet of each block that the index holds, unless it is suspended.
func (x *Index) share(tell func(*Fleet, *slot)) {
	if x.fleet == nil || x.suspended {
		return
	}
	defer x.fleet.lock().unlock()
	for i := range x.slots.used {
		if s := x.slots.at(i); s.live() && s.flags&flagPrimary != 0 {
			tell(x.fleet, s)
		}
	}
}

func (f *Fleet) lock() *Fleet {
	if f != nil {
		f.mu.Lock()
	}
	return f
}

func (f *Fleet) unlock() {
	if f != nil {
		f.mu.Unlock()
	}
}

// The methods below need the lock.

func (f *Fleet) sampled(key uint64) bool { return mix(key+0xd1b54a32d192ed03)&(1<<f.level-1) == 0 }

func (f *Fleet) arriveSlot(s *slot) { f.arrive(s.key, s.tokens) }

func (f *Fleet) leaveSlot(s *slot) { f.leave(s.key) }

// others returns how many of a block's copies count as one that another worker holds: none, or as many as there are blocks for each
// in the sample.
func (f *Fleet) others(key uint64) uint64 {
	if f.sampled(key) && f.held.at(key).workers > 0 {
		return 1 << f.level
	}
	return 0
}

// heldSample is the share of the blocks found whose holders are counted: one in so many.
const heldSample = 16

// held counts the tokens of a block that was looked for if any worker holds it, so many times.
func (x *Index) held(key, tokens, times uint64) {
	if !x.fleet.sampled(key) {
		return
	}
	if n := uint64(x.fleet.held.at(key).workers); n > 0 {
		tokens *= times << x.fleet.level
		x.totals.HeldTokens += tokens
		x.totals.HolderTokens += tokens * n
	}
}

func (f *Fleet) arrive(key uint64, tokens uint16) {
	if !f.sampled(key) {
		return
	}
	f.copies++
	h := f.held.at(key)
	if h.workers > 0 {
		f.tokens += uint64(h.tokens)
		h.workers++
		return
	}
	f.held.add(h, key, tokens)
	for f.held.n > f.limit {
		f.coarsen()
	}
}

func (f *Fleet) leave(key uint64) {
	if !f.sampled(key) {
		return
	}
	h := f.held.at(key)
	switch h.workers {
	case 0:
		return
	case 1:
		f.held.remove(key)
	default:
		h.workers--
		f.tokens -= uint64(h.tokens)
	}
	f.copies--
}

func (f *Fleet) coarsen() {
	f.level++
	for _, h := range f.held.entries {
		if h.workers > 0 && !f.sampled(h.key) {
			f.copies -= uint64(h.workers)
			f.tokens -= uint64(h.workers-1) * uint64(h.tokens)
		}
	}
	f.held.fill(len(f.held.entries), f.sampled)
}
