package fleetsim

// hashIndex finds blocks by the hash of their content. It is a table with open addressing. A slot holds the block's number and the low
// half of its hash, which says where the slot belongs without a look at the block.
type hashIndex struct {
	slots []indexSlot
	mask  uint32
	used  int
}

type indexSlot struct {
	block int32 // number + 1; 0 is empty
	half  uint32
}

func newHashIndex() hashIndex { return hashIndex{slots: make([]indexSlot, 16), mask: 15} }

// find returns the first block with the hash, or none, and the slot where it is or would be.
func (x *hashIndex) find(blocks []block, hash uint64) (id int32, slot uint32) {
	half := uint32(hash)
	for slot = half & x.mask; x.slots[slot].block != 0; slot = (slot + 1) & x.mask {
		if s := x.slots[slot]; s.half == half && blocks[s.block-1].hash == hash {
			return s.block - 1, slot
		}
	}
	return none, slot
}

// enter adds a block under a hash that is new, at the slot where it would be found. The table grows before it is two thirds full.
func (x *hashIndex) enter(slot uint32, id int32, hash uint64) {
	x.slots[slot] = indexSlot{block: id + 1, half: uint32(hash)}
	if x.used++; x.used*3 < len(x.slots)*2 {
		return
	}
	old := x.slots
	x.slots, x.mask = make([]indexSlot, 2*len(old)), 2*x.mask+1
	for _, s := range old {
		if s.block == 0 {
			continue
		}
		slot := s.half & x.mask
		for x.slots[slot].block != 0 {
			slot = (slot + 1) & x.mask
		}
		x.slots[slot] = s
	}
}

// put makes another block with the same hash the one found at a slot.
func (x *hashIndex) put(slot uint32, id int32) { x.slots[slot].block = id + 1 }

// drop empties a slot and moves up the entries behind it that a search would otherwise no longer reach.
func (x *hashIndex) drop(slot uint32) {
	for next := (slot + 1) & x.mask; x.slots[next].block != 0; next = (next + 1) & x.mask {
		home := x.slots[next].half & x.mask
		// The entry may move to the hole unless its home lies behind the hole, cyclically.
		if (next-home)&x.mask >= (next-slot)&x.mask {
			x.slots[slot] = x.slots[next]
			slot = next
		}
	}
	x.slots[slot] = indexSlot{}
	x.used--
}
