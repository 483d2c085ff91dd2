package fleetsim

// ResetPrefixCache drops everything a worker has cached, as vLLM's reset_prefix_cache does, and says whether it did: not while any
// request holds blocks. The event travels with the next step's.
func (f *Fleet) ResetPrefixCache(worker int) bool {
	w := f.workers[worker]
	if w.sched.pool.free != w.sched.pool.size {
		return false
	}
	w.kv.sync()
	w.kv.cleared()
	old := w.sched.pool
	old.events.cleared()
	w.sched.pool = newBlockPool(old.size, old.caching)
	w.sched.pool.events, w.sched.pool.ledger = old.events, old.ledger
	w.sched.pool.evictions = old.evictions
	return true
}
