package kvcache

// table finds slots by key: linear probing over entries of 32 bits of hash and 32 bits of slot number plus one, so that probing and
// deleting need no look at the slots. It is full at four fifths.
type table struct {
	entries []uint64
	n       int
	mask    uint64
}

const minTable = 1 << 10

func newTable() table { return table{entries: make([]uint64, minTable), mask: minTable - 1} }

// mix spreads a key over 64 bits (the finaliser of SplitMix64; Steele, Lea, Flood 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func entryOf(h uint64, slot uint32) uint64 { return h>>32<<32 | uint64(slot+1) }

// home is where an entry wants to be. It must be a function of the 32 bits that the entry keeps.
func (t *table) home(entry uint64) uint64 { return entry >> 32 & t.mask }

// find returns the slot of a key whose mixed hash is h.
func (t *table) find(h, key uint64, s *slots) uint32 {
	for i := t.home(h); ; i = (i + 1) & t.mask {
		e := t.entries[i]
		if e == 0 {
			return none
		}
		if e>>32 == h>>32 {
			if slot := uint32(e) - 1; s.at(slot).key == key {
				return slot
			}
		}
	}
}

func (t *table) insert(h uint64, slot uint32) {
	if (t.n+1)*5 > len(t.entries)*4 {
		t.grow()
	}
	t.put(entryOf(h, slot))
	t.n++
}

func (t *table) put(entry uint64) {
	i := t.home(entry)
	for t.entries[i] != 0 {
		i = (i + 1) & t.mask
	}
	t.entries[i] = entry
}

func (t *table) grow() {
	old := t.entries
	t.entries = make([]uint64, 2*len(old))
	t.mask = uint64(len(t.entries) - 1)
	for _, e := range old {
		if e != 0 {
			t.put(e)
		}
	}
}

// remove deletes an entry and closes the hole (Knuth, volume 3, algorithm 6.4 R).
func (t *table) remove(h uint64, slot uint32) {
	want := entryOf(h, slot)
	i := t.home(want)
	for t.entries[i] != want {
		if t.entries[i] == 0 {
			return
		}
		i = (i + 1) & t.mask
	}
	t.n--
	for j := (i + 1) & t.mask; t.entries[j] != 0; j = (j + 1) & t.mask {
		if home := t.home(t.entries[j]); (j-home)&t.mask >= (j-i)&t.mask {
			t.entries[i] = t.entries[j]
			i = j
		}
	}
	t.entries[i] = 0
}
