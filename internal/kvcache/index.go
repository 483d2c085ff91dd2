package kvcache

import "math"

// Index follows the blocks of one engine core. It is not safe for concurrent use.
type Index struct {
	set   Settings
	slots slots
	table table
	list  recency // of GPU blocks, ghosts included
	marks marks   // of the list
	seen  seen
	queue queue // of ghosts
	live  int

	run      run
	removal  removal
	touched  uint64   // keeps the compiler from dropping the reads of touch
	sequence []uint32 // of run and its ancestors, from the last block to the first

	now, start float64 // seconds
	tick       uint32  // hundredths of a second since start

	level      uint   // blocks are in the list at a rate of 2^-level
	references uint64 // counted
	weight     uint64 // of the references that were in the sample
	first      uint64 // told of the first bucket

	lacked lack // the last run of which another group lacked blocks

	outputAtEnd bool // the engine stores the output of a request when it ends

	standing  [Tiers]standing
	suspended bool // the engine is not heard
	epoch     uint8
	refused   [Tiers]int64

	fleet  *Fleet
	totals Totals
}

// NewIndex makes an empty index. Known says whether the engine's cache is known to be empty too.
func NewIndex(set Settings, known bool) *Index {
	x := &Index{
		set: set, slots: newSlots(maxSlots(set.MemoryLimit)), table: newTable(), list: newRecency(), queue: newQueue(),
		seen: newSeen(set.MemoryLimit/seenShare, set.Horizon), start: math.NaN(),
	}
	for i := range x.totals.Residence {
		x.standing[i].known = known
		x.totals.Residence[i] = NewHistogram(ResidenceBounds())
	}
	x.totals.Reuse = NewHistogram(ReuseBounds(set.MaxDistance))
	x.totals.ReuseGap = NewHistogram(ReuseGapBounds())
	return x
}

// At sets the time of the events that follow, in seconds since the epoch. Time that runs back stands still.
func (x *Index) At(now float64) {
	x.EndBatch()
	if math.IsNaN(x.start) {
		x.start, x.now = now, now
		x.seen.begin(now)
	}
	if now > x.now {
		x.now = now
		x.tick = uint32(min((now-x.start)*100, math.MaxUint32))
	}
}

func seconds(ticks uint32) float64 { return float64(ticks) / 100 }

// keyOf tells the blocks of tiers and groups apart. A group is the index of a KV cache group.
func (x *Index) keyOf(hash uint64, tier Tier, group int) uint64 {
	hash ^= x.set.Seed
	if tier == GPU && group == 0 {
		return hash
	}
	return mix(hash + (uint64(tier)<<32|uint64(uint32(group)))*0x9e3779b97f4a7c15)
}

func (x *Index) find(key uint64) uint32 { return x.table.find(mix(key), key, &x.slots) }

// claim returns the slot of a key, a new one if need be. Without memory it is none.
func (x *Index) claim(key uint64) (i uint32, found bool) {
	h := mix(key)
	if i = x.table.find(h, key, &x.slots); i != none {
		return i, true
	}
	i, ok := x.slots.take()
	for !ok {
		if !x.recycle() {
			return none, false
		}
		i, ok = x.slots.take()
	}
	x.slots.at(i).key = key
	x.table.insert(h, i)
	return i, false
}

// arrive counts a block that is resident from now on. One that is so already counts once: vLLM tells those that a request found again
// when the request asks for it (kv_cache_report_mode: full) and makes no copy. Where it did make one, because two requests computed a
// block at the same time, the first removal ends the block for us until somebody is seen to use it (revive), and the second is of one that
// is not known. A copy that is counted and is none would stay for ever.
func (x *Index) arrive(i uint32, tier Tier, tokens uint16) {
	s := x.slots.at(i)
	s.epoch = x.epoch
	if s.live() {
		return
	}
	x.live++
	s.copies, s.at, s.tokens = 1, x.tick, tokens
	x.count(s, tier, 1)
	if s.flags&flagPrimary != 0 && x.fleet != nil {
		x.fleet.arrive(s.key, tokens)
	}
}

// refuse counts a block that there is no memory for.
func (x *Index) refuse(tier Tier) {
	x.totals.Refused++
	x.totals.Resident[tier]++
	x.refused[tier]++
}

// leave takes away a resident copy of a block.
func (x *Index) leave(i uint32, tier Tier) {
	s := x.slots.at(i)
	x.count(s, tier, -1)
	if tier == GPU {
		group := &x.totals.Groups[s.place.group()]
		group.Removed++
		if s.flags&flagPassed != 0 {
			group.Passed++
		}
	}
	if s.copies--; s.copies > 0 {
		return
	}
	x.totals.Residence[tier].Add(seconds(x.tick-s.at), 1)
	if s.epoch == x.epoch && (tier != GPU || s.flags&flagPrimary != 0) {
		x.standing[tier].turnover++
	}
	x.bury(i, tier)
}

// bury makes a ghost of a block that left, and forgets one of a lower tier.
func (x *Index) bury(i uint32, tier Tier) {
	s := x.slots.at(i)
	x.live--
	if tier != GPU {
		x.forget(i)
		return
	}
	if s.flags&flagPrimary != 0 && x.fleet != nil {
		x.fleet.leave(s.key)
	}
	s.at = x.tick
	if s.flags&flagQueued != 0 {
		s.flags |= flagAgain
		return
	}
	x.queue.push(&x.slots, i)
}

// forget frees a slot that is in no queue.
func (x *Index) forget(i uint32) {
	s := x.slots.at(i)
	if s.pos != 0 {
		x.list.drop(s.pos)
	}
	x.table.remove(mix(s.key), i)
	x.slots.release(i)
}

// Clear takes away all blocks: the engine cleared its cache, or began anew. What is resident is known again.
func (x *Index) Clear() {
	x.EndBatch()
	defer x.fleet.lock().unlock()
	for i := range x.slots.used {
		if s := x.slots.at(i); !s.live() && s.flags&flagQueued != 0 && s.flags&flagPrimary != 0 {
			x.seen.put(mix(s.key), x.now)
		}
	}
	x.seen.reset(x.now)
	for i := range x.slots.used {
		s := x.slots.at(i)
		if !s.live() || s.flags&flagPrimary == 0 {
			continue
		}
		if x.fleet != nil && !x.suspended {
			x.fleet.leave(s.key)
		}
		x.seen.lost(mix(s.key))
	}
	x.slots.used, x.slots.free = 0, none
	clear(x.table.entries)
	x.table.n, x.live, x.level = 0, 0, 0
	x.list.size(x.list.places())
	x.queue = newQueue()
	if !math.IsNaN(x.start) {
		x.start, x.tick = x.now, 0 // no slot has a time
	}
	x.marks = marks{}
	x.totals.Resident, x.refused = [Tiers]int64{}, [Tiers]int64{}
	for i := range x.totals.Groups {
		x.totals.Groups[i].Resident = 0
	}
	for i := range x.totals.Adapters {
		x.totals.Adapters[i].Resident = 0
	}
	x.trust()
}
