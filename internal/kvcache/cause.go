package kvcache

// regretCount is how many residences are needed before their mean is used.
const regretCount = 100

// explain counts why a block that is being stored was not there.
func (x *Index) explain(hash uint64, s *slot, found bool, kind growth) {
	tokens := uint64(x.run.tokens())
	cause := x.cause(hash, s, found, kind)
	x.totals.StoredTokens[cause] += tokens
	if cause == Capacity && found && seconds(x.tick-s.at) <= x.regretHorizon() {
		x.totals.RegretTokens += tokens
	}
	if x.fleet != nil && cause != Concurrent && cause != Generated {
		x.totals.RoutedTokens[cause] += tokens * x.fleet.others(s.key)
	}
}

func (x *Index) cause(hash uint64, s *slot, found bool, kind growth) Cause {
	switch {
	case found && s.live():
		return Concurrent
	case kind == output:
		return Generated
	case x.below(hash):
		return Loaded
	case found:
		return Capacity
	}
	if before, onlyBeforeReset := x.seen.has(mix(s.key)); onlyBeforeReset {
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
			if i := x.find(keyOf(hash, t, x.run.first.Group)); i != none && x.slots.at(i).live() {
				return true
			}
		}
	}
	return false
}

// regretHorizon is in seconds: that of the settings, or three times the mean residence if that is less.
func (x *Index) regretHorizon() float64 {
	horizon := x.set.Horizon.Seconds()
	h := &x.totals.Residence[GPU]
	if n := h.Count(); n >= regretCount {
		horizon = min(horizon, 3*h.Sum/float64(n))
	}
	return horizon
}
