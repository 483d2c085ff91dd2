package fleetsim

// KVResidents counts what workers cache at one moment, held by requests or not; of a model with a sliding window the layers without.
type KVResidents struct {
	Blocks   int64 `json:"blocks"`   // with content
	Contents int64 `json:"contents"` // different ones on each worker, summed over the workers
	Distinct int64 `json:"distinct"` // different ones over all workers
}

// Duplicated is the share of contents that other workers have too: 1 - union / sum; 0 without any.
func (k KVResidents) Duplicated() float64 {
	if k.Contents == 0 {
		return 0
	}
	return 1 - float64(k.Distinct)/float64(k.Contents)
}

// KVResidents looks through the caches of all workers now; it takes time in proportion to their blocks. It needs Config.KVLedger or
// Config.OnKV: otherwise most pages have no identity, and the result is false.
func (f *Fleet) KVResidents() (KVResidents, bool) {
	var k KVResidents
	all := map[uint64]struct{}{}
	for _, w := range f.workers {
		pool := w.sched.pool
		if pool.events == nil && pool.ledger == nil {
			return KVResidents{}, false
		}
		own := map[uint64]struct{}{}
		for i := range pool.blocks {
			if b := &pool.blocks[i]; b.cached && !b.window {
				k.Blocks++
				own[b.hash] = struct{}{}
				all[b.hash] = struct{}{}
			}
		}
		k.Contents += int64(len(own))
	}
	k.Distinct = int64(len(all))
	return k, true
}
