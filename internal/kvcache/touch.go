package kvcache

// touch reads what many blocks are about to need. The reads do not wait for each other, as those of one block after another do, so
// that memory answers them together.
func (x *Index) touch(hashes []uint64, tier Tier, group int) {
	var entries [touchedAtOnce]uint64
	var sum uint64
	for len(hashes) > 0 {
		n := min(len(hashes), touchedAtOnce)
		for i, hash := range hashes[:n] {
			h := mix(x.keyOf(hash, tier, group))
			entries[i] = x.table.entries[h>>32&x.table.mask]
			if tier == GPU {
				sum += x.seen.young[x.seen.line(h)] + x.seen.old[x.seen.line(h)]
			}
		}
		for _, e := range entries[:n] {
			if e != 0 {
				sum += x.slots.at(uint32(e) - 1).key
			}
		}
		hashes = hashes[n:]
	}
	x.touched = sum
}

// touchedAtOnce is more than the reads that a processor has under way.
const touchedAtOnce = 64

// touchGhosts does so for the ghosts that so many new blocks will take the place of.
func (x *Index) touchGhosts(n int) {
	if x.slots.free != none || x.slots.used < x.slots.limit {
		return
	}
	var sum uint64
	for i := x.queue.head; i != none && n > 0; n-- {
		s := x.slots.at(i)
		h := mix(s.key)
		sum += x.table.entries[h>>32&x.table.mask] + x.seen.young[x.seen.line(h)]
		i = s.next
	}
	x.touched += sum
}
