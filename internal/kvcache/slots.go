package kvcache

// slabSize is the number of slots allocated at once (32 KiB).
const slabSize = 1 << 10

// none is no slot.
const none = ^uint32(0)

// Flags of a slot.
const (
	flagChild   = 1 << iota // a block was stored below it: the end of no sequence
	flagPrimary             // of the KV cache group whose blocks stand for the sequence
	flagQueued              // in the queue of ghosts
	flagOutput              // stored as output of the model
	flagAgain               // evicted again while still queued: goes to the end of the queue once more
	flagPassed              // out of the window of what was stored below it
)

// tierShift is where a slot's flags have its tier.
const tierShift = 6

// slot is a block of one tier and KV cache group: resident, or a ghost that was removed and is remembered. 32 bytes.
type slot struct {
	key    uint64 // hash, mixed with tier and group
	parent uint32 // slot of the block before it, if that slot's generation still is parentGen
	pos    uint32 // place in the recency list, from 1; 0 for none
	at     uint32 // in ticks since the index began: when it was stored or, for a ghost, removed
	next   uint32 // in the queue of ghosts, or of free slots
	tokens uint16
	copies uint8 // resident ones; without any it is a ghost

	generation, parentGen uint8
	epoch                 uint8 // of the last gap before the block was last known to be there
	place                 place // of its KV cache group and adapter
	flags                 uint8
}

func (s *slot) tier() Tier { return Tier(s.flags >> tierShift) }

func (s *slot) live() bool { return s.copies > 0 }

// slots is a growing array that never moves. Freed slots are used again.
type slots struct {
	slabs [][]slot
	used  uint32 // slots handed out once
	free  uint32 // list of freed ones
	limit uint32
}

func newSlots(limit uint32) slots { return slots{free: none, limit: limit} }

func (s *slots) at(i uint32) *slot { return &s.slabs[i/slabSize][i%slabSize] }

// take returns an empty slot, or false at the limit.
func (s *slots) take() (uint32, bool) {
	if i := s.free; i != none {
		p := s.at(i)
		s.free = p.next
		*p = slot{generation: p.generation + 1, parent: none, next: none}
		return i, true
	}
	if s.used == s.limit {
		return none, false
	}
	if int(s.used/slabSize) == len(s.slabs) {
		s.slabs = append(s.slabs, make([]slot, slabSize))
	}
	i := s.used
	s.used++
	*s.at(i) = slot{parent: none, next: none}
	return i, true
}

func (s *slots) release(i uint32) {
	p := s.at(i)
	*p = slot{generation: p.generation, next: s.free}
	s.free = i
}
