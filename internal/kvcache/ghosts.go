package kvcache

// queue is a list of ghosts in the order of their eviction, linked through their slots. A ghost that becomes resident stays until it
// is met at the head.
type queue struct{ head, tail uint32 }

func newQueue() queue { return queue{none, none} }

func (q *queue) push(s *slots, i uint32) {
	p := s.at(i)
	p.next = none
	p.flags |= flagQueued
	if q.tail == none {
		q.head = i
	} else {
		s.at(q.tail).next = i
	}
	q.tail = i
}

func (q *queue) pop(s *slots) uint32 {
	i := q.head
	p := s.at(i)
	if q.head = p.next; q.head == none {
		q.tail = none
	}
	p.flags &^= flagQueued
	return i
}

// spared is how many ghosts one search passes over because their stack depth is still of use.
const spared = 8

// recycle forgets the ghost that was evicted longest ago, and tells whether there was one. Ghosts that the list needs are passed over;
// when there are too many of them, the list takes a smaller sample.
func (x *Index) recycle() bool {
	passed := 0
	for x.queue.head != none {
		i := x.queue.pop(&x.slots)
		s := x.slots.at(i)
		again := s.flags&flagAgain != 0
		s.flags &^= flagAgain
		switch {
		case s.live():
		case again:
			x.queue.push(&x.slots, i)
		case passed < spared && x.level < maxLevel && s.pos != 0 && x.list.newer(s.pos)<<x.level < x.set.MaxDistance:
			passed++
			x.queue.push(&x.slots, i)
		default:
			if passed == spared {
				x.coarsen()
			}
			if s.flags&flagPrimary != 0 {
				x.seen.put(mix(s.key), x.now)
			}
			x.forget(i)
			return true
		}
	}
	return false
}

// sampled tells whether a block is in the sample that the list holds. The bits differ from those that the table goes by.
func (x *Index) sampled(key uint64) bool {
	return x.level == 0 || mix(key+0x632be59bd9b4e019)&(1<<x.level-1) == 0
}

// coarsen halves the sample.
func (x *Index) coarsen() {
	if x.level == maxLevel {
		return
	}
	x.level++
	for i := range x.slots.used {
		if s := x.slots.at(i); s.pos != 0 && !x.sampled(s.key) {
			x.list.drop(s.pos)
			s.pos = 0
		}
	}
}

// bound keeps the list within its limits.
func (x *Index) bound() {
	for {
		most := x.set.ExactBlocks
		if x.level > 0 {
			most = x.set.SampledBlocks
		}
		if x.list.count <= most || x.level == maxLevel {
			return
		}
		if x.level > 0 || !x.recycle() {
			x.coarsen()
		}
	}
}
