package fleetsim

// none marks the absence of a block.
const none = int32(-1)

// block is one page of the KV cache. Free blocks form a list in eviction order; a free block with a hash is still a cache entry.
type block struct {
	prev, next int32 // neighbours in the free list
	refs       int32 // requests that hold the block
	duplicate  int32 // next block with the same hash
	hash       uint64
	cached     bool
}

// blockPool is the paged KV memory of one worker with a prefix cache. The cache is not de-duplicated: two requests that compute
// the same block at the same time leave two blocks with one hash, as in vLLM.
type blockPool struct {
	blocks  []block
	byHash  map[uint64]int32 // first block of each hash
	head    int32            // next to be taken
	tail    int32
	free    int
	caching bool
	events  *kvRecorder // nil unless somebody listens
}

func newBlockPool(n int, caching bool) *blockPool {
	p := &blockPool{blocks: make([]block, n), byHash: make(map[uint64]int32), head: 0, tail: int32(n - 1), free: n, caching: caching}
	for i := range p.blocks {
		p.blocks[i] = block{prev: int32(i) - 1, next: int32(i) + 1, duplicate: none}
	}
	p.blocks[n-1].next = none
	return p
}

// usage is the share of blocks that requests hold; cached blocks nobody holds count as free.
func (p *blockPool) usage() float64 { return 1 - float64(p.free)/float64(len(p.blocks)) }

// lookup returns the block that holds the hash, or none.
func (p *blockPool) lookup(hash uint64) int32 {
	if id, ok := p.byHash[hash]; ok {
		return id
	}
	return none
}

// touch makes a request hold a cached block.
func (p *blockPool) touch(id int32) {
	b := &p.blocks[id]
	if b.refs == 0 {
		p.unlink(id)
	}
	b.refs++
}

// take removes the block first in eviction order from the free list, drops what it cached, and hands it out. The caller has
// checked that one is free.
func (p *blockPool) take() int32 {
	id := p.head
	p.unlink(id)
	b := &p.blocks[id]
	if b.cached {
		p.forget(id)
	}
	b.refs = 1
	return id
}

// store makes a full block findable under its hash.
func (p *blockPool) store(id int32, hash uint64) {
	if !p.caching || p.blocks[id].cached {
		return
	}
	p.blocks[id].hash, p.blocks[id].cached = hash, true
	first, ok := p.byHash[hash]
	if !ok {
		p.byHash[hash] = id
		return
	}
	for p.blocks[first].duplicate != none {
		first = p.blocks[first].duplicate
	}
	p.blocks[first].duplicate = id
}

// release gives back the blocks of a request, last block first, so that the leaf of a prefix goes before its root. Cached blocks
// queue at the end of the free list; blocks that hold nothing useful go to its front.
func (p *blockPool) release(ids []int32) {
	front := none
	for i := len(ids) - 1; i >= 0; i-- {
		b := &p.blocks[ids[i]]
		b.refs--
		if b.refs > 0 {
			continue
		}
		if b.cached {
			p.link(ids[i], p.tail, none)
		} else if front == none {
			p.link(ids[i], none, p.head)
			front = ids[i]
		} else {
			p.link(ids[i], front, p.blocks[front].next)
			front = ids[i]
		}
	}
}

// forget removes a block from the cache index.
func (p *blockPool) forget(id int32) {
	b := &p.blocks[id]
	p.events.removed(b.hash)
	first := p.byHash[b.hash]
	if first == id {
		if b.duplicate == none {
			delete(p.byHash, b.hash)
		} else {
			p.byHash[b.hash] = b.duplicate
		}
	} else {
		for p.blocks[first].duplicate != id {
			first = p.blocks[first].duplicate
		}
		p.blocks[first].duplicate = b.duplicate
	}
	b.cached, b.duplicate, b.hash = false, none, 0
}

// unlink takes a block out of the free list.
func (p *blockPool) unlink(id int32) {
	b := &p.blocks[id]
	if b.prev == none {
		p.head = b.next
	} else {
		p.blocks[b.prev].next = b.next
	}
	if b.next == none {
		p.tail = b.prev
	} else {
		p.blocks[b.next].prev = b.prev
	}
	b.prev, b.next = none, none
	p.free--
}

// link puts a block into the free list between two neighbours (none: the end).
func (p *blockPool) link(id, prev, next int32) {
	b := &p.blocks[id]
	b.prev, b.next = prev, next
	if prev == none {
		p.head = id
	} else {
		p.blocks[prev].next = id
	}
	if next == none {
		p.tail = id
	} else {
		p.blocks[next].prev = id
	}
	p.free++
}
