package kvcache

// told counts the beginning of a sequence of GPU blocks that all are resident, and reports whether an event is one. It shows no use that
// is not counted elsewhere: a request that found the blocks (vLLM with kv_cache_report_mode: full) shows by what it stores below them, and
// one that computed them along with another had found none.
func (x *Index) told(e Stored) bool {
	if e.HasParent || e.Tier != GPU {
		return false
	}
	for _, hash := range e.Hashes {
		if i := x.find(x.keyOf(hash, GPU, e.Group)); i == none || !x.slots.at(i).live() {
			return false
		}
	}
	if !e.Secondary && !x.usable(e.Hashes) {
		return false // they were there, and had to be computed again
	}
	for _, hash := range e.Hashes {
		x.slots.at(x.find(x.keyOf(hash, GPU, e.Group))).epoch = x.epoch
	}
	x.totals.Stored[GPU] += uint64(len(e.Hashes))
	if !e.Secondary {
		x.totals.StoredTokens[Concurrent] += uint64(len(e.Hashes)) * uint64(max(0, e.Tokens))
	}
	return true
}
