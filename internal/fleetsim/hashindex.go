package fleetsim

// hashIndex finds blocks by the hash of their content. It is a table with open addressing, and a slot needs only the block's number,
// since the block knows its hash.
type hashIndex struct {
	slots []int32 // block + 1; 0 is empty
	mask  uint64
	used  int
}

func newHashIndex() hashIndex { return hashIndex{slots: make([]int32, 16), mask: 15} }

// find returns the first block with the hash, or none, and the slot where it is or would be.
func (x *hashIndex) find(blocks []block, hash uint64) (id int32, slot uint64) {
	for slot = hash & x.mask; x.slots[slot] != 0; slot = (slot + 1) & x.mask {
		if id := x.slots[slot] - 1; blocks[id].hash == hash {
			return id, slot
		}
	}
	return none, slot
}

// enter adds a block under a hash that is new, at the slot where it would be found. The table grows before it is two thirds full.
func (x *hashIndex) enter(blocks []block, slot uint64, id int32) {
	x.put(slot, id)
	if x.used++; x.used*3 < len(x.slots)*2 {
		return
	}
	old := x.slots
	x.slots, x.mask = make([]int32, 2*len(old)), 2*x.mask+1
	for _, entry := range old {
		if entry != 0 {
			_, slot := x.find(blocks, blocks[entry-1].hash)
			x.slots[slot] = entry
		}
	}
}

// put makes a block the one found at a slot.
func (x *hashIndex) put(slot uint64, id int32) { x.slots[slot] = id + 1 }

// drop empties a slot and moves up the entries behind it that a search would otherwise no longer reach.
func (x *hashIndex) drop(blocks []block, slot uint64) {
	for next := (slot + 1) & x.mask; x.slots[next] != 0; next = (next + 1) & x.mask {
		home := blocks[x.slots[next]-1].hash & x.mask
		// The entry may move to the hole unless its home lies behind the hole, cyclically.
		if (next-home)&x.mask >= (next-slot)&x.mask {
			x.slots[slot] = x.slots[next]
			slot = next
		}
	}
	x.slots[slot] = 0
	x.used--
}
