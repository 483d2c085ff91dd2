package kvcache

// A token lies in every group, and a request finds it when all groups have what they need: the shortest of their hits counts. So a block
// of the group that stands for the sequence can be there and be computed again, because another group had let go of its block, or of one in
// the window before it. The engine then makes a second copy of what was there.

// lacks tells whether another group lacks blocks of the run that is being stored, so that those that are there could not be used.
func (x *Index) lacks() bool {
	r := &x.run
	if r.first.Secondary {
		// What stands for the sequence is stored first.
		return x.lacked.tick == x.tick && x.lacked.first == r.hashes[0]
	}
	lacks := x.lacking(r.hashes)
	if lacks {
		x.lacked = lack{r.hashes[0], x.tick}
	}
	return lacks
}

// lack is a run that was computed again for the sake of another group.
type lack struct {
	first uint64
	tick  uint32
}

// lacking tells whether another group lacks one of the blocks.
func (x *Index) lacking(hashes []uint64) bool {
	for g := range x.totals.Groups {
		group := &x.totals.Groups[g]
		if !group.Used {
			return false
		}
		if !group.Secondary {
			continue
		}
		for _, hash := range hashes {
			i := x.find(x.keyOf(hash, GPU, group.Index))
			// Not every block has a state.
			if i == none && group.Kind != Mamba || i != none && !x.slots.at(i).live() {
				return true
			}
		}
	}
	return false
}

// usable tells whether the other groups have what a request needs that finds these blocks.
func (x *Index) usable(hashes []uint64) bool {
	for g := range x.totals.Groups {
		group := &x.totals.Groups[g]
		if !group.Used {
			break
		}
		if !group.Secondary || group.Kind == Mamba {
			continue
		}
		for _, hash := range hashes[max(0, len(hashes)-group.reach()):] {
			if i := x.find(x.keyOf(hash, GPU, group.Index)); i == none || !x.slots.at(i).live() {
				return false
			}
		}
	}
	return true
}

// regretted tells whether a block, of whichever group, was evicted within the horizon.
func (x *Index) regretted(hash uint64, s *slot, found bool) bool {
	lately := func(s *slot) bool { return !s.live() && seconds(x.tick-s.at) <= x.set.Horizon.Seconds() }
	if found && lately(s) {
		return true
	}
	for g := range x.totals.Groups {
		group := &x.totals.Groups[g]
		if !group.Used {
			break
		}
		if !group.Secondary {
			continue
		}
		if i := x.find(x.keyOf(hash, GPU, group.Index)); i != none && lately(x.slots.at(i)) {
			return true
		}
	}
	return false
}
