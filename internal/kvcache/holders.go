package kvcache

// holders finds what workers hold by key: linear probing over entries that are filled to four fifths, so that a look is one access to
// memory as a rule.
type holders struct {
	entries []holding
	n       int
	mask    uint64
}

// holding is a block and how many workers hold it, 16 bytes. Without any it is an empty entry.
type holding struct {
	key             uint64
	workers, tokens uint16
}

func newHolders() holders { return holders{entries: make([]holding, minTable), mask: minTable - 1} }

// at returns the entry of a key, which is an empty one if nobody holds the block. It is good until the next change.
func (h *holders) at(key uint64) *holding {
	for i := mix(key) & h.mask; ; i = (i + 1) & h.mask {
		if e := &h.entries[i]; e.workers == 0 || e.key == key {
			return e
		}
	}
}

// add makes a block one that a worker holds, in the empty entry that at returned for it.
func (h *holders) add(e *holding, key uint64, tokens uint16) {
	if (h.n+1)*5 > len(h.entries)*4 {
		h.fill(2*len(h.entries), func(uint64) bool { return true })
		e = h.at(key)
	}
	*e = holding{key: key, workers: 1, tokens: tokens}
	h.n++
}

// remove empties the entry of a key and closes the hole (Knuth, volume 3, algorithm 6.4 R).
func (h *holders) remove(key uint64) {
	i := mix(key) & h.mask
	for h.entries[i].key != key || h.entries[i].workers == 0 {
		if h.entries[i].workers == 0 {
			return
		}
		i = (i + 1) & h.mask
	}
	h.n--
	for j := (i + 1) & h.mask; h.entries[j].workers != 0; j = (j + 1) & h.mask {
		if home := mix(h.entries[j].key) & h.mask; (j-home)&h.mask >= (j-i)&h.mask {
			h.entries[i] = h.entries[j]
			i = j
		}
	}
	h.entries[i] = holding{}
}

// fill makes so many entries, a power of two, and keeps the blocks that are wanted.
func (h *holders) fill(entries int, keep func(key uint64) bool) {
	old := h.entries
	*h = holders{entries: make([]holding, entries), mask: uint64(entries - 1)}
	for _, e := range old {
		if e.workers > 0 && keep(e.key) {
			*h.at(e.key) = e
			h.n++
		}
	}
}
