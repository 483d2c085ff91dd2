package kvcache

// Stored is an event: blocks of one sequence, each the child of the one before.
type Stored struct {
	Hashes    []uint64
	Parent    uint64 // of the first; if HasParent
	HasParent bool
	Tokens    int // a block
	Tier      Tier
	Group     int
	Secondary bool // of a KV cache group other than the one that stands for the sequence
	Kind      Kind // of the group
	Window    int  // tokens of its sliding window; 0 for none
	// Adapter is the LoRA adapter that the blocks are of; "" for none.
	Adapter string
	// OutputAtEnd says that the engine is known to store the output of a request when it ends.
	OutputAtEnd bool
}

// run is a sequence of blocks that were stored together. Engines split it into events of one block (SGLang) or of many.
type run struct {
	hashes []uint64
	events int
	first  Stored // its Hashes are not used
	place  place
	lacks  bool // another group lacks blocks of it
}

// Store takes a BlockStored event.
func (x *Index) Store(e Stored) {
	if len(e.Hashes) == 0 {
		return
	}
	x.endRemoval()
	r := &x.run
	if n := len(r.hashes); n > 0 {
		f := &r.first
		joins := e.HasParent && e.Parent == r.hashes[n-1] && e.Tier == f.Tier && e.Group == f.Group && e.Tokens == f.Tokens && e.Adapter == f.Adapter
		if !joins {
			x.endRun()
		}
	}
	if len(r.hashes) == 0 && x.told(e) {
		return
	}
	for hashes := e.Hashes; len(hashes) > 0; {
		if len(r.hashes) == 0 {
			r.first = e
			r.first.Hashes = nil
		}
		n := min(len(hashes), maxRun-len(r.hashes))
		r.hashes = append(r.hashes, hashes[:n]...)
		r.events++
		hashes = hashes[n:]
		if len(r.hashes) == maxRun {
			e.Parent, e.HasParent = r.hashes[maxRun-1], true
			x.endRun()
		}
	}
}

// EndBatch takes in what Store and Remove have collected. What is stored in another batch is another run.
func (x *Index) EndBatch() {
	x.endRemoval()
	x.endRun()
}

func (x *Index) endRun() {
	r := &x.run
	if len(r.hashes) == 0 {
		return
	}
	x.totals.Stored[r.first.Tier] += uint64(len(r.hashes))
	if r.first.Tier == GPU {
		x.storeRun()
	} else {
		for _, hash := range r.hashes {
			if i, _ := x.claim(x.keyOf(hash, r.first.Tier, r.first.Group)); i == none {
				x.refuse(r.first.Tier)
			} else {
				x.slots.at(i).flags = uint8(r.first.Tier) << tierShift
				x.arrive(i, r.first.Tier, r.tokens())
			}
		}
	}
	r.hashes, r.events = r.hashes[:0], 0
}

func (r *run) tokens() uint16 { return uint16(min(max(r.first.Tokens, 0), 1<<16-1)) }

// storeRun takes in a run of GPU blocks: it counts their references and those of the sequence above them, and moves them to the front
// of the recency list, first block last. So the list is in the order in which engines evict: the last block of a sequence first.
func (x *Index) storeRun() {
	r := &x.run
	parent, kind := none, request
	if r.first.HasParent {
		parent = x.find(x.keyOf(r.first.Parent, GPU, r.first.Group))
	}
	x.touch(r.hashes, GPU, r.first.Group)
	x.touchGhosts(len(r.hashes))
	r.place, r.lacks = x.place(&r.first), x.lacks()
	group := &x.totals.Groups[r.place.group()]
	switch {
	case r.first.OutputAtEnd:
		x.outputAtEnd = true
	case len(r.hashes) > outputBlocks:
		x.outputAtEnd = r.events == len(r.hashes)
	}
	defer x.fleet.lock().unlock()
	if parent != none {
		if !x.slots.at(parent).live() && group.Kind != Mamba {
			x.revive(parent)
		}
		kind = x.growth(parent)
		x.slots.at(parent).flags |= flagChild
	}
	x.sequence = x.sequence[:0]
	for n, above := len(r.hashes), parent; n > 0; n-- {
		above = x.storeBlock(r.hashes[len(r.hashes)-n], above, kind)
	}
	// The sequence is needed from its last block on.
	for i, j := 0, len(x.sequence)-1; i < j; i, j = i+1, j-1 {
		x.sequence[i], x.sequence[j] = x.sequence[j], x.sequence[i]
	}
	stored, last := len(x.sequence), none
	if stored > 0 {
		last = x.sequence[0]
	}
	if kind == request {
		x.climb(parent, group.reach())
		x.found(x.sequence[stored:])
	}
	if !r.first.Secondary {
		x.measure(stored, kind)
	} else {
		x.measureGaps(stored)
	}
	x.refresh()
	if group.Kind == SlidingWindow {
		x.pass(last, group.reach())
	}
	x.bound()
}

// revive makes a ghost resident that a block is stored below: an engine holds what a sequence has above. It was removed with another copy
// of the same block, or stored again in an event that was lost. Somebody found it, so that what comes below is a request.
func (x *Index) revive(i uint32) {
	s := x.slots.at(i)
	s.flags |= flagChild
	x.arrive(i, GPU, s.tokens)
}

// storeBlock takes in one block below another, and returns its slot.
func (x *Index) storeBlock(hash uint64, above uint32, kind growth) uint32 {
	r := &x.run
	key := x.keyOf(hash, GPU, r.first.Group)
	i, found := x.claim(key)
	if i == none {
		if !r.first.Secondary {
			x.explain(hash, &slot{key: key}, false, kind)
		}
		x.refuse(GPU)
		return none
	}
	s := x.slots.at(i)
	if !r.first.Secondary {
		x.explain(hash, s, found, kind)
	}
	if above != none {
		p := x.slots.at(above)
		s.parent, s.parentGen = above, p.generation
		p.flags |= flagChild
	} else {
		s.parent = none
	}
	switch {
	case !s.live():
		s.flags, s.place = s.flags&(flagQueued|flagAgain), r.place
		if !r.first.Secondary {
			s.flags |= flagPrimary
		}
		if kind == output {
			s.flags |= flagOutput
		}
	case r.lacks && s.copies < maxCopies:
		// The next chunk of the prompt goes on from here.
		s.flags &^= flagChild
		s.at = x.tick
		s.copies++
		x.count(s, GPU, 1)
	}
	x.arrive(i, GPU, r.tokens())
	x.sequence = append(x.sequence, i)
	return i
}

// climb adds a block and its ancestors to the sequence, as far as they are remembered and at most so many.
func (x *Index) climb(i uint32, most int) {
	for range most {
		if i == none {
			return
		}
		s := x.slots.at(i)
		if !s.live() {
			x.revive(i)
		}
		x.sequence = append(x.sequence, i)
		s.epoch = x.epoch
		i = x.above(s)
	}
}

// measure counts the stack depths of the sequence: of the blocks stored, unless they are output, and of those found above them. A
// block was in use for as long as one below it.
func (x *Index) measure(stored int, kind growth) {
	var latest uint32
	depth := 0
	used := x.marks.reader(x.list.next, x.tick)
	for n, i := range x.sequence {
		s := x.slots.at(i)
		if n >= stored {
			x.totals.HitTokens += uint64(s.tokens)
		} else if kind == output {
			continue
		}
		x.references++
		if !x.sampled(s.key) {
			continue
		}
		x.weight += 1 << x.level
		if s.pos == 0 {
			x.totals.Reuse.Counts[len(x.totals.Reuse.Bounds)] += 1 << x.level
			continue
		}
		if n >= stored {
			x.totals.ReuseGap.Add(seconds(x.tick-min(x.tick, used.at(s.pos))), 1<<x.level)
		}
		if s.pos > latest {
			latest = s.pos
			depth = x.list.newer(latest)<<x.level + 1
		}
		x.totals.Reuse.Add(float64(depth), 1<<x.level)
	}
}

// measureGaps counts how long ago the blocks of a group that does not stand for the sequence were used before.
func (x *Index) measureGaps(stored int) {
	used := x.marks.reader(x.list.next, x.tick)
	for _, i := range x.sequence[stored:] {
		if s := x.slots.at(i); s.pos != 0 {
			x.totals.ReuseGap.Add(seconds(x.tick-min(x.tick, used.at(s.pos))), 1<<x.level)
		}
	}
}

// refresh moves the sequence to the front of the list.
func (x *Index) refresh() {
	for _, i := range x.sequence {
		s := x.slots.at(i)
		if s.pos != 0 {
			x.list.drop(s.pos)
			s.pos = 0
		} else if !x.sampled(s.key) {
			continue
		}
		if x.list.full() {
			x.list.compact(x.move)
		}
		s.pos = x.list.push()
		x.marks.put(s.pos, x.tick)
	}
}

func (x *Index) move(place func(uint32) uint32) {
	x.marks.move(place)
	for i := range x.slots.used {
		if s := x.slots.at(i); s.pos != 0 {
			s.pos = place(s.pos)
		}
	}
}
