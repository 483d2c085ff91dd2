package kvcache

// removal is blocks that were removed one after another. Engines tell most of them in events of one block.
type removal struct {
	hashes []uint64
	tier   Tier
	group  int
}

// Remove takes away blocks.
func (x *Index) Remove(hashes []uint64, tier Tier, group int) {
	x.endRun()
	r := &x.removal
	if len(r.hashes) > 0 && (tier != r.tier || group != r.group) {
		x.endRemoval()
	}
	r.tier, r.group = tier, group
	for len(hashes) > 0 {
		n := min(len(hashes), maxRun-len(r.hashes))
		r.hashes = append(r.hashes, hashes[:n]...)
		if hashes = hashes[n:]; len(r.hashes) == maxRun {
			x.endRemoval()
		}
	}
}

func (x *Index) endRemoval() {
	r := &x.removal
	if len(r.hashes) == 0 {
		return
	}
	defer x.fleet.lock().unlock()
	x.touch(r.hashes, r.tier, r.group)
	x.totals.Removed[r.tier] += uint64(len(r.hashes))
	for _, hash := range r.hashes {
		i := x.find(x.keyOf(hash, r.tier, r.group))
		switch {
		case i != none && x.slots.at(i).live():
			x.leave(i, r.tier)
		case x.refused[r.tier] > 0:
			x.refused[r.tier]--
			x.totals.Resident[r.tier]--
		default:
			x.totals.UnknownRemovals++
		}
	}
	r.hashes = r.hashes[:0]
	x.resync(r.tier)
}
