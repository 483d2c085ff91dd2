package kvcache

// Kind is what a KV cache group keeps of a sequence.
type Kind uint8

// The kinds.
const (
	// FullAttention keeps all blocks.
	FullAttention Kind = iota
	// SlidingWindow keeps the blocks of a window before the sequence's end; the engine lets go of the others.
	SlidingWindow
	// Mamba keeps a state of the sequence's end, for which there need not be one at every block.
	Mamba
	kindCount
)

// String is the value of llm.kv.pool.
func (k Kind) String() string {
	return [...]string{"full", "swa", "mamba"}[min(k, kindCount-1)]
}

const (
	groupBits   = 3
	adapterBits = 5
	// MaxGroups is how many KV cache groups of an engine are told apart; the last stands for all further ones.
	MaxGroups = 1 << groupBits
	// MaxAdapters is how many LoRA adapters of an engine are told apart, the one that is none among them; the last stands for all further ones.
	MaxAdapters = 1 << adapterBits
	// OtherAdapters is the name of the last.
	OtherAdapters = "other"
)

// Group is what is known of a KV cache group: layers of one kind, whose blocks hold the same tokens as those of the other groups. All
// blocks of an engine's groups come from one pool and have the same size in bytes.
type Group struct {
	Index       int // as the engine counts
	Kind        Kind
	Window      int // tokens of a sliding window; 0 is none, or not told
	BlockTokens int
	Secondary   bool // another group stands for the sequence
	Used        bool // it has been heard of

	Removed  uint64 // blocks, as the engine said
	Passed   uint64 // of those removed, the ones that lay out of the window of all that was stored below them
	Found    uint64 // blocks that requests found, as far as events show it
	Resident int64  // blocks
}

// reach is how many blocks before a block its computation reads, and so how many a request that goes on there has found.
func (g *Group) reach() int {
	switch {
	case g.Kind == FullAttention:
		return maxChain
	case g.Kind == SlidingWindow && g.Window > 1 && g.BlockTokens > 0:
		return (g.Window - 2 + g.BlockTokens) / g.BlockTokens
	}
	return 1
}

// Adapter is what the caches of an engine hold for one LoRA adapter, in tokens of the group that stands for sequences.
type Adapter struct {
	Name     string // "" is the base model
	Used     bool
	Resident int64
	Stored   uint64
	Found    uint64 // that requests found, as far as events show it
}

// place is where the slots of a group and an adapter are counted.
type place uint8

func (p place) group() int   { return int(p & (MaxGroups - 1)) }
func (p place) adapter() int { return int(p >> groupBits) }

// place finds that of an event, and learns of its group.
func (x *Index) place(e *Stored) place {
	g := x.groupOf(e.Group)
	group := &x.totals.Groups[g]
	group.Index, group.Used, group.Secondary = e.Group, true, e.Secondary
	group.BlockTokens = max(0, e.Tokens)
	if e.Kind != FullAttention || e.Window > 0 {
		group.Kind, group.Window = e.Kind, e.Window
	}
	return place(g | x.adapterOf(e.Adapter)<<groupBits)
}

// groupOf is the place of a group's totals.
func (x *Index) groupOf(index int) int {
	all := &x.totals.Groups
	for i := range all {
		if all[i].Used && all[i].Index == index || !all[i].Used {
			return i
		}
	}
	return MaxGroups - 1
}

func (x *Index) adapterOf(name string) int {
	all := &x.totals.Adapters
	for i := range all {
		if i == MaxAdapters-1 {
			name = OtherAdapters
		}
		if i == 0 && name == "" || all[i].Used && all[i].Name == name {
			all[i].Used = true
			return i
		}
		if i > 0 && !all[i].Used {
			all[i] = Adapter{Name: name, Used: true}
			return i
		}
	}
	return MaxAdapters - 1
}

// count adds blocks of a slot to what is resident, or takes them away.
func (x *Index) count(s *slot, tier Tier, by int64) {
	x.totals.Resident[tier] += by
	if tier != GPU {
		return
	}
	x.totals.Groups[s.place.group()].Resident += by
	if s.flags&flagPrimary != 0 {
		x.totals.Adapters[s.place.adapter()].Resident += by * int64(s.tokens)
	}
}

// found counts blocks that a request found.
func (x *Index) found(sequence []uint32) {
	for _, i := range sequence {
		s := x.slots.at(i)
		s.flags &^= flagPassed
		x.totals.Groups[s.place.group()].Found++
		if s.flags&flagPrimary == 0 {
			continue
		}
		x.totals.Adapters[s.place.adapter()].Found += uint64(s.tokens)
		if x.fleet != nil && mix(s.key)%heldSample == 0 {
			x.held(s.key, uint64(s.tokens), heldSample)
		}
	}
}

// pass marks the blocks of a sequence that the window of its last block does not reach. When such a block is removed, nobody had use
// for it any more.
func (x *Index) pass(last uint32, reach int) {
	for n := 0; last != none && n < maxChain; n++ {
		s := x.slots.at(last)
		if n >= reach {
			if s.flags&flagPassed != 0 {
				return
			}
			s.flags |= flagPassed
		}
		last = x.above(s)
	}
}

// above is the slot of the block before one, or none.
func (x *Index) above(s *slot) uint32 {
	if s.parent == none || x.slots.at(s.parent).generation != s.parentGen {
		return none
	}
	return s.parent
}
