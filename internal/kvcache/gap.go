package kvcache

// Events that were lost leave blocks that are resident and unknown, and blocks that are known and gone. Both end when the tier has
// turned over: engines evict what was used longest ago, so that once blocks are evicted that were stored or used after the gap,
// everything that was used before it only is gone. Each tier turns over by itself.
const (
	leastTurnover = 64  // blocks
	turnoverShare = 100 // of the tier's resident blocks, one in so many
)

// standing is what is known of a tier.
type standing struct {
	known    bool
	turnover int // blocks known to be younger than the last gap that were evicted since
}

// Gap says that events were lost.
func (x *Index) Gap() {
	x.EndBatch()
	defer x.fleet.lock().unlock()
	x.standing = [Tiers]standing{}
	x.announce()
	x.totals.Gaps++
	if x.epoch++; x.epoch == 0 {
		// What was known to be there 256 gaps ago would pass for known now.
		for i := range x.slots.used {
			x.slots.at(i).epoch = 0
		}
		x.epoch = 1
	}
}

// resync trusts a tier again when it has turned over since the gap, or has nothing left.
func (x *Index) resync(tier Tier) {
	s, resident := &x.standing[tier], int(x.totals.Resident[tier])
	if s.known || s.turnover == 0 || resident > 0 && s.turnover < max(leastTurnover, resident/turnoverShare) {
		return
	}
	*s = standing{known: true}
	x.dropStale(tier)
	x.announce()
	x.totals.Resyncs++
}

// dropStale takes away the blocks that nobody has heard of since the gap: those of a tier that has turned over. With those of the GPU go
// those of lower tiers that are not known, which may never turn over and hold memory until then; what is left of such a tier are blocks
// stored after the gap, and they are all that it has once it has turned over.
func (x *Index) dropStale(turned Tier) {
	for i := range x.slots.used {
		s := x.slots.at(i)
		tier := s.tier()
		if !s.live() || s.epoch == x.epoch || tier != turned && (turned != GPU || x.standing[tier].known) {
			continue
		}
		x.count(s, tier, -int64(s.copies))
		s.copies = 0
		x.bury(i, tier)
		if tier == GPU {
			s.at = 0 // nobody knows when it was evicted
		}
	}
}

// trust says that all tiers are known.
func (x *Index) trust() {
	for tier := range x.standing {
		x.standing[tier] = standing{known: true}
	}
	x.announce()
}

// announce tells the fleet, whose lock is held, whether the GPU's blocks are known.
func (x *Index) announce() {
	if x.fleet != nil {
		x.fleet.members[x] = x.knows(GPU)
	}
}

// knows tells whether the blocks of a tier are known.
func (x *Index) knows(tier Tier) bool { return x.standing[tier].known && !x.suspended }

// knowsAll tells so for the GPU and the tiers that are used.
func (x *Index) knowsAll() bool {
	for tier := range tierCount {
		used := tier == GPU || x.totals.Stored[tier]+x.totals.Removed[tier] > 0
		if used && !x.standing[tier].known {
			return false
		}
	}
	return true
}
