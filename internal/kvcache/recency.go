package kvcache

import "math/bits"

// chunkBits is how many places one node of the Fenwick tree counts: eight words, one cache line.
const (
	chunkBits  = 512
	chunkWords = chunkBits / 64
	minPlaces  = 1 << 13
)

// recency is a list of blocks by their last use that tells how many were used after a given one (Bennett and Kruskal 1975, Olken
// 1981). A use takes the next place; a bit says which places still hold a block. A Fenwick tree counts the bits of 512 places a node,
// so it is small enough for the first-level cache.
type recency struct {
	bits  []uint64
	tree  []uint32 // 1-based
	next  uint32   // place of the next use; places count from 1
	count int
}

func newRecency() recency {
	r := recency{}
	r.size(minPlaces)
	return r
}

func (r *recency) size(places int) {
	r.bits = make([]uint64, places/64)
	r.tree = make([]uint32, places/chunkBits+1)
	r.next, r.count = 1, 0
}

func (r *recency) places() int { return len(r.bits) * 64 }

// full tells whether compact must come before the next push.
func (r *recency) full() bool { return int(r.next) > r.places() }

// push takes the newest place.
func (r *recency) push() uint32 {
	p := r.next
	r.next++
	r.count++
	i := p - 1
	r.bits[i/64] |= 1 << (i % 64)
	r.add(i/chunkBits, 1)
	return p
}

// drop gives a place back.
func (r *recency) drop(p uint32) {
	i := p - 1
	r.count--
	r.bits[i/64] &^= 1 << (i % 64)
	r.add(i/chunkBits, ^uint32(0))
}

func (r *recency) add(chunk, n uint32) {
	for i := chunk + 1; int(i) < len(r.tree); i += i & -i {
		r.tree[i] += n
	}
}

// newer is how many blocks were used after the one in place p.
func (r *recency) newer(p uint32) int { return r.count - r.upTo(p) }

// upTo counts the blocks in places 1 to p.
func (r *recency) upTo(p uint32) int {
	i := p - 1
	n := 0
	for c := i / chunkBits; c > 0; c &= c - 1 {
		n += int(r.tree[c])
	}
	word := i / 64
	for w := i / chunkBits * chunkWords; w < word; w++ {
		n += bits.OnesCount64(r.bits[w])
	}
	return n + bits.OnesCount64(r.bits[word]<<(63-i%64))
}

// compact closes the holes, and doubles the places when more than a quarter is taken. move is called with a function that maps old
// places to new ones, to be applied to every block in the list.
func (r *recency) compact(move func(place func(uint32) uint32)) {
	move(func(p uint32) uint32 { return uint32(r.upTo(p)) })
	places, count := r.places(), r.count
	if count > places/4 {
		places *= 2
	}
	r.size(places)
	r.count, r.next = count, uint32(count)+1
	for i := range count / 64 {
		r.bits[i] = ^uint64(0)
	}
	if rest := count % 64; rest > 0 {
		r.bits[count/64] = 1<<rest - 1
	}
	for c := range len(r.tree) - 1 {
		if n := min(chunkBits, count-c*chunkBits); n > 0 {
			r.add(uint32(c), uint32(n))
		}
	}
}
