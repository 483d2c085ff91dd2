package kvcache

// explain counts why a block that is being stored was not there.
func (x *Index) explain(hash uint64, s *slot, found bool, kind growth) {
	tokens := uint64(x.run.tokens())
	cause := x.cause(hash, s, found, kind)
	x.totals.StoredTokens[cause] += tokens
	x.totals.Adapters[x.run.place.adapter()].Stored += tokens
	if cause == Capacity && x.regretted(hash, s, found) {
		x.totals.RegretTokens += tokens
	}
	if x.fleet != nil && cause != Concurrent && cause != Generated {
		x.totals.RoutedTokens[cause] += tokens * x.fleet.others(s.key)
		x.held(s.key, tokens, 1)
	}
}

func (x *Index) cause(hash uint64, s *slot, found bool, kind growth) Cause {
	switch {
	case found && s.live() && x.run.lacks && kind != output:
		if !x.knowsAll() {
			return Unknown
		}
		return Capacity
	case found && s.live():
		return Concurrent
	case kind == output:
		return Generated
	case x.below(hash):
		return Loaded
	case found:
		return Capacity
	}
	if before, reset := x.seen.has(mix(s.key)); reset {
		return Reset
	} else if before {
		return Capacity
	}
	if !x.knowsAll() {
		return Unknown
	}
	return Compulsory
}

// below tells whether a lower tier holds a block.
func (x *Index) below(hash uint64) bool {
	for t := CPU; t < tierCount; t++ {
		if x.totals.Resident[t] > 0 {
			if i := x.find(x.keyOf(hash, t, x.run.first.Group)); i != none && x.slots.at(i).live() {
				return true
			}
		}
	}
	return false
}
