package kvcache

// Events that were lost leave blocks that are resident and unknown, and blocks that are known and gone. Both end when the cache has
// turned over: engines evict what was used longest ago, so that once blocks are evicted that were stored or used after the gap,
// everything that was used before it only is gone.
const (
	leastTurnover = 64  // blocks
	turnoverShare = 100 // of the resident blocks, one in so many
)

// Gap says that events were lost.
func (x *Index) Gap() {
	x.EndBatch()
	defer x.fleet.lock().unlock()
	x.tell(false)
	x.turnover = 0
	x.totals.Gaps++
	if x.epoch++; x.epoch == 0 {
		// What was known to be there 256 gaps ago would pass for known now.
		for i := range x.slots.used {
			x.slots.at(i).epoch = 0
		}
		x.epoch = 1
	}
}

// resync trusts the index again when the cache has turned over since the gap, or is empty.
func (x *Index) resync() {
	if x.known || x.turnover == 0 {
		return
	}
	if x.live > 0 && x.turnover < max(leastTurnover, x.live/turnoverShare) {
		return
	}
	for i := range x.slots.used {
		if s := x.slots.at(i); s.live() && s.epoch != x.epoch && s.flags&flagGPU != 0 {
			x.totals.Resident[GPU] -= int64(s.refs)
			s.refs = 0
			x.bury(i, GPU)
			s.at = 0 // nobody knows when it was evicted
		}
	}
	x.totals.Resyncs++
	x.trust()
}

func (x *Index) trust() {
	x.turnover = 0
	x.tell(true)
}

func (x *Index) tell(known bool) {
	x.known = known
	if x.fleet != nil {
		x.fleet.members[x] = known && !x.suspended
	}
}
