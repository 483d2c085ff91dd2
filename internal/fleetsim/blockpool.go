package fleetsim

// none marks the absence of a block.
const none = int32(-1)

// block is one page of the KV cache that can be found by its content, or a run of free pages that nobody can ask for again.
type block struct {
	prev, next int32 // neighbours in the list of free blocks with content; next also links numbers that are not in use
	refs       int32 // requests that hold the block
	duplicate  int32 // next block with the same hash
	hash       uint64
	run        int32 // pages of a run; 0 for a block
	cached     bool  // full, and found by its hash
	window     bool  // of the group of a sliding window
}

// blockPool is the paged KV memory of one worker with a prefix cache. Free pages without content are taken first, then those with
// content in the order in which they were released. The cache is not de-duplicated: two requests that compute the same block at
// the same time leave two blocks with one hash, as in vLLM.
//
// Most pages hold the middle of a prompt or an answer that no other request can share. They take part in the order of eviction but
// need no identity: requests hold them as a number, and after their release they are one run.
type blockPool struct {
	size    int     // pages
	blocks  []block // by number
	spare   int32   // stack of numbers given back
	index   hashIndex
	head    int32 // free blocks and runs with content: next to be evicted
	tail    int32
	free    int // pages nobody holds
	cached  int // of these, pages with content
	caching bool

	windowed  groupPages
	shared    int   // holders of blocks beyond the first of each
	evictions int64 // pages whose content was dropped

	events *kvRecorder // nil unless somebody listens
	ledger *kvLedger   // nil unless the pool is audited
}

func newBlockPool(n int, caching bool) *blockPool {
	p := &blockPool{size: n, spare: none, head: none, tail: none, free: n, caching: caching}
	if caching {
		p.index = newHashIndex()
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
	p.ledger.hit(id, b.refs > 0)
	if b.refs == 0 {
		p.unlink(b)
		p.free--
		p.cached--
		if b.window {
			p.windowed.cached--
			p.windowed.held++
		}
	} else {
		p.shared++
		if b.window {
			p.windowed.shared++
		}
	}
	b.refs++
}

// take hands out a page as a block. The caller has checked that one is free.
func (p *blockPool) take() int32 {
	p.takePages(1)
	id := p.number()
	p.blocks[id] = block{refs: 1, duplicate: none}
	p.ledger.allocated(id)
	return id
}

// takePages takes the free pages that are worth least and drops what they cached. The caller has checked that so many are free.
func (p *blockPool) takePages(n int) {
	empty := p.free - p.cached
	p.free -= n
	n -= min(n, empty)
	p.evictions += int64(n)
	for n > 0 {
		id := p.head
		b := &p.blocks[id]
		pages := 1
		if b.run > 0 {
			pages = min(n, int(b.run))
			b.run -= int32(pages)
		} else {
			p.evict(id)
		}
		if b.run == 0 {
			p.unlink(b)
			p.giveBack(id)
		}
		p.cached -= pages
		n -= pages
	}
}

// store gives a full block its content, by which it can be found from now on.
func (p *blockPool) store(id int32, hash uint64) {
	b := &p.blocks[id]
	if !p.caching || b.cached {
		return
	}
	b.hash, b.cached = hash, true
	first, slot := p.index.find(p.blocks, hash)
	if first == none {
		p.index.enter(slot, id, hash)
		return
	}
	for p.blocks[first].duplicate != none {
		first = p.blocks[first].duplicate
	}
	p.blocks[first].duplicate = id
}

// adopt makes one of a request's nameless full pages a block.
func (p *blockPool) adopt(hash uint64) int32 {
	id := p.number()
	p.blocks[id] = block{refs: 1, duplicate: none}
	p.store(id, hash)
	return id
}

// release gives back the blocks of a request, last block first, so that the leaf of a prefix goes before its root.
func (p *blockPool) release(ids []int32) {
	for i := len(ids) - 1; i >= 0; i-- {
		id := ids[i]
		b := &p.blocks[id]
		if b.refs--; b.refs > 0 {
			p.shared--
			if b.window {
				p.windowed.shared--
			}
			continue
		}
		p.free++
		if b.window {
			p.windowed.held--
			if b.cached {
				p.windowed.cached++
			}
		}
		if b.cached {
			p.ledger.released(id)
			p.append(id, b)
			p.cached++
		} else {
			p.giveBack(id)
		}
	}
}

// releasePages gives back nameless pages, the given number of them full.
func (p *blockPool) releasePages(n, full int) {
	p.free += n
	if !p.caching || full == 0 {
		return
	}
	p.cached += full
	id := p.number()
	p.blocks[id] = block{run: int32(full), duplicate: none}
	p.append(id, &p.blocks[id])
}

// evict drops the content of a block.
func (p *blockPool) evict(id int32) {
	b := &p.blocks[id]
	if b.window {
		p.windowed.cached--
		p.events.removedFrom(windowGroup, b.hash^windowSpace)
	} else {
		p.events.removed(b.hash)
	}
	p.ledger.evicted(id, b.hash)
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
		p.index.drop(slot)
	}
	b.cached = false
}

// number gives out a number; there are as many as pages, and every number in use stands for at least one.
func (p *blockPool) number() int32 {
	if id := p.spare; id != none {
		p.spare = p.blocks[id].next
		return id
	}
	p.blocks = append(p.blocks, block{})
	return int32(len(p.blocks) - 1)
}

func (p *blockPool) giveBack(id int32) {
	p.blocks[id] = block{next: p.spare}
	p.spare = id
}

// unlink takes a block or run out of the list of free ones.
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

// append puts a block or run at the end of the list of free ones.
func (p *blockPool) append(id int32, b *block) {
	b.prev, b.next = p.tail, none
	if p.tail == none {
		p.head = id
	} else {
		p.blocks[p.tail].next = id
	}
	p.tail = id
}
