package fleetsim

// none marks the absence of a block.
const none = int32(-1)

// block is one page of the KV cache. A free block with content is still a cache entry.
type block struct {
	prev, next int32 // neighbours in the list of free blocks with content; next also links empty blocks
	refs       int32 // requests that hold the block
	duplicate  int32 // next block with the same hash
	hash       uint64
	cached     bool // full: its content is hash
	indexed    bool // and can be found by it
}

// blockPool is the paged KV memory of one worker with a prefix cache. Free blocks without content are taken first, then those with
// content in the order in which they were released. The cache is not de-duplicated: two requests that compute the same block at
// the same time leave two blocks with one hash, as in vLLM.
type blockPool struct {
	blocks  []block
	index   hashIndex
	empty   int32 // stack of free blocks whose content is gone
	unused  int   // blocks from here on have never been taken
	head    int32 // free blocks with content: next to be evicted
	tail    int32
	free    int
	cached  int // of the free blocks, those with content
	caching bool
	events  *kvRecorder // nil unless somebody listens
}

func newBlockPool(n int, caching bool) *blockPool {
	p := &blockPool{blocks: make([]block, n), empty: none, head: none, tail: none, free: n, caching: caching}
	if caching {
		p.index = newHashIndex(n)
	}
	return p
}

// lookup returns the block that holds the hash, or none.
func (p *blockPool) lookup(hash uint64) int32 {
	id, _ := p.index.find(p.blocks, hash)
	return id
}

// touch makes a request hold a cached block.
func (p *blockPool) touch(id int32) {
	b := &p.blocks[id]
	if b.refs == 0 {
		p.unlink(b)
		p.free--
		p.cached--
	}
	b.refs++
}

// take hands out the free block that is worth least and drops what it cached. The caller has checked that one is free.
func (p *blockPool) take() int32 {
	p.free--
	id := p.empty
	switch {
	case id != none:
		p.empty = p.blocks[id].next
	case p.unused < len(p.blocks):
		id = int32(p.unused)
		p.unused++
	default:
		id = p.head
		p.unlink(&p.blocks[id])
		p.cached--
		p.evict(id)
	}
	p.blocks[id].refs = 1
	return id
}

// store gives a full block its content. Content that only its own request can ask for again need not be findable while the request
// runs; expose makes it so when the request is to come back.
func (p *blockPool) store(id int32, hash uint64, findable bool) {
	b := &p.blocks[id]
	if !p.caching || b.cached {
		return
	}
	b.hash, b.cached, b.duplicate = hash, true, none
	if findable {
		p.enter(id)
	}
}

// expose makes cached blocks findable.
func (p *blockPool) expose(ids []int32) {
	for _, id := range ids {
		if b := &p.blocks[id]; b.cached && !b.indexed {
			p.enter(id)
		}
	}
}

// enter adds a cached block to the index, behind others with the same hash.
func (p *blockPool) enter(id int32) {
	p.blocks[id].indexed = true
	first, slot := p.index.find(p.blocks, p.blocks[id].hash)
	if first == none {
		p.index.put(slot, id)
		return
	}
	for p.blocks[first].duplicate != none {
		first = p.blocks[first].duplicate
	}
	p.blocks[first].duplicate = id
}

// release gives back the blocks of a request, last block first, so that the leaf of a prefix goes before its root.
func (p *blockPool) release(ids []int32) {
	for i := len(ids) - 1; i >= 0; i-- {
		id := ids[i]
		b := &p.blocks[id]
		if b.refs--; b.refs > 0 {
			continue
		}
		p.free++
		if b.cached {
			p.append(id, b)
			p.cached++
		} else {
			b.next = p.empty
			p.empty = id
		}
	}
}

// evict drops the content of a block.
func (p *blockPool) evict(id int32) {
	b := &p.blocks[id]
	p.events.removed(b.hash)
	if b.indexed {
		p.leave(id, b)
	}
	b.cached, b.indexed = false, false
}

// leave takes a block out of the index.
func (p *blockPool) leave(id int32, b *block) {
	first, slot := p.index.find(p.blocks, b.hash)
	switch {
	case first != id:
		for p.blocks[first].duplicate != id {
			first = p.blocks[first].duplicate
		}
		p.blocks[first].duplicate = b.duplicate
	case b.duplicate != none:
		p.index.put(slot, b.duplicate)
	default:
		p.index.drop(p.blocks, slot)
	}
}

// unlink takes a block out of the list of free blocks with content.
func (p *blockPool) unlink(b *block) {
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
}

// append puts a block at the end of the list of free blocks with content.
func (p *blockPool) append(id int32, b *block) {
	b.prev, b.next = p.tail, none
	if p.tail == none {
		p.head = id
	} else {
		p.blocks[p.tail].next = id
	}
	p.tail = id
}
