package kvcache

// Totals since an Index was made. They never fall, but for Resident.
type Totals struct {
	Stored, Removed [Tiers]uint64 // blocks, as the engine said
	Resident        [Tiers]int64  // blocks
	Residence       [Tiers]Histogram
	// Reuse has the stack depth of every prompt block that was looked for, itself included: it is a hit in an LRU cache of so many
	// blocks. The last bucket has those never seen, forgotten, or farther than the last bound.
	Reuse Histogram
	// ReuseGap has, in seconds, how long ago a block that was found had been used before. Blocks are weighted like those of Reuse.
	ReuseGap     Histogram
	StoredTokens [Causes]uint64 // of GPU blocks of the primary group
	RegretTokens uint64         // of those, stored again within the horizon of their eviction
	HitTokens    uint64         // in blocks whose use the events show
	RoutedTokens [Causes]uint64 // of those, stored while another worker of the fleet held them
	// Of the prompt tokens that any worker of the fleet held when they were looked for here: how many, and times how many workers. Without
	// regard to what they hold, a request would have met that many of all workers.
	HeldTokens, HolderTokens uint64

	// Groups and Adapters are those heard of on the GPU, in that order.
	Groups   [MaxGroups]Group
	Adapters [MaxAdapters]Adapter

	Refused         uint64 // blocks that found no memory
	UnknownRemovals uint64 // removals of blocks that nobody had stored
	Gaps, Resyncs   uint64
}

// Totals returns a copy.
func (x *Index) Totals() Totals {
	x.EndBatch()
	t := x.totals
	for i := range t.Residence {
		t.Residence[i].Counts = append([]uint64(nil), t.Residence[i].Counts...)
	}
	t.Reuse.Counts = append([]uint64(nil), t.Reuse.Counts...)
	t.Reuse.Counts[0] = x.firstBucket()
	t.ReuseGap.Counts = append([]uint64(nil), t.ReuseGap.Counts...)
	return t
}

// firstBucket is the count of the least stack depths. SHARDS adds to it what the sample has too little of all references, or takes away
// what it has too much: that is of blocks in heavy use, whose depths are small (Waldspurger et al., FAST'15, 4.4). It never falls.
func (x *Index) firstBucket() uint64 {
	n := int64(x.totals.Reuse.Counts[0]) + int64(x.references) - int64(x.weight)
	if n > int64(x.first) {
		x.first = uint64(n)
	}
	return x.first
}

// HitTokens is that of Totals.
func (x *Index) HitTokens() uint64 {
	x.EndBatch()
	return x.totals.HitTokens
}

// Refused is the number of blocks so far that found no memory.
func (x *Index) Refused() uint64 { return x.totals.Refused }

// State tells how an Index is.
type State struct {
	Known        bool // the blocks resident in the GPU are known: nothing was lost, or it is mended, and the engine is heard
	KnownTiers   [Tiers]bool
	Suspended    bool    // the engine is not heard
	SamplingRate float64 // of the stack depths; 1 when they are exact
	Blocks       int     // resident ones that are tracked
	Ghosts       int     // evicted ones that are remembered
	SeenHorizon  float64 // seconds that the filter of blocks seen reaches back
	Bytes        int     // of memory
}

// State returns it.
func (x *Index) State() State {
	x.EndBatch()
	s := State{
		Known: x.knows(GPU), Suspended: x.suspended, SamplingRate: 1 / float64(uint64(1)<<x.level), Blocks: x.live,
		Ghosts: x.table.n - x.live, SeenHorizon: x.seen.horizon(x.now), Bytes: x.bytes(),
	}
	for i := range s.KnownTiers {
		s.KnownTiers[i] = x.knows(Tier(i))
	}
	return s
}

func (x *Index) bytes() int {
	const slotBytes = 32
	return len(x.slots.slabs)*slabSize*slotBytes + 8*(len(x.table.entries)+len(x.list.bits)+2*len(x.seen.young)) + 4*len(x.list.tree) +
		8*(cap(x.run.hashes)+cap(x.removal.hashes)+cap(x.marks.all)) + 4*cap(x.sequence)
}
