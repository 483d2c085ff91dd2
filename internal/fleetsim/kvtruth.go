package fleetsim

import "time"

// KVTruth is what really filled a worker's KV pool and what became of its contents; present with Config.KVLedger. All figures are
// cumulative except Now.
type KVTruth struct {
	Now     KVPool `json:"now_blocks"`
	Seconds KVPool `json:"block_seconds"` // Now integrated over the simulated time

	// WindowSeconds is the part of Seconds in the group of a sliding window; cached blocks are open.
	WindowSeconds KVPool `json:"window_block_seconds,omitzero"`

	UsefulSlices UsefulSlices `json:"cached_useful_slices"` // of Seconds.CachedUseful

	Lookups KVLookups `json:"lookup_tokens"`

	Stored    int64 `json:"stored_blocks"`
	Evictions int64 `json:"evicted_blocks"`
	// Regret is what was computed again although it had been here: tokens whose block was evicted less than RegretHorizon before.
	Regret int64 `json:"regret_tokens"`

	Lifetime    Latency `json:"block_lifetime_seconds"`    // allocation to eviction
	Idle        Latency `json:"block_idle_seconds"`        // last use to eviction
	ReuseGap    Latency `json:"block_reuse_gap_seconds"`   // between two uses of a block
	RegretGap   Latency `json:"regret_gap_seconds"`        // eviction to being computed again, whatever the horizon
	UnheldReuse Latency `json:"block_unheld_hit_seconds"`  // release by the last holder to the next hit
	UnheldDead  Latency `json:"block_unheld_dead_seconds"` // release by the last holder to eviction
}

// KVPool divides a pool by use, in blocks or block-seconds; the parts add up to the pool. Whether a cached block is useful shows only
// later: when it is hit again, the whole time since nobody held it was useful, when it is evicted, that time was dead, and until
// then it is open.
type KVPool struct {
	Live         float64 `json:"live"`          // tokens of running requests, shared ones once
	TailWaste    float64 `json:"tail_waste"`    // the rest of their blocks
	Reserved     float64 `json:"reserved"`      // blocks for tokens to come: drafts, KV on its way
	Pinned       float64 `json:"pinned"`        // blocks of prompts whose KV waits to be fetched
	CachedUseful float64 `json:"cached_useful"` // held by nobody, later hit
	CachedDead   float64 `json:"cached_dead"`   // held by nobody, later evicted
	CachedOpen   float64 `json:"cached_open"`   // held by nobody, not decided yet
	Free         float64 `json:"free"`          // without content
}

// Total is the pool.
func (p KVPool) Total() float64 {
	return p.Live + p.TailWaste + p.Reserved + p.Pinned + p.CachedUseful + p.CachedDead + p.CachedOpen + p.Free
}

// Settle decides at the end of a run what is still open: what has not been hit by then is dead.
func (p KVPool) Settle() KVPool {
	p.CachedDead, p.CachedOpen = p.CachedDead+p.CachedOpen, 0
	return p
}

// add adds another pool, a number of times.
func (p *KVPool) add(o *KVPool, times float64) {
	p.Live += times * o.Live
	p.TailWaste += times * o.TailWaste
	p.Reserved += times * o.Reserved
	p.Pinned += times * o.Pinned
	p.CachedUseful += times * o.CachedUseful
	p.CachedDead += times * o.CachedDead
	p.CachedOpen += times * o.CachedOpen
	p.Free += times * o.Free
}

// KVLookups divides the prompt tokens that first admissions looked up; hits and misses add up to Queries. A miss has the first cause
// that applies, in the order of the fields.
type KVLookups struct {
	Queries int64 `json:"queries"`

	HitHeld   int64 `json:"hit_held"`   // in blocks that another request held
	HitCached int64 `json:"hit_cached"` // in blocks that nobody held

	// Partial is what can never hit: the end of a prompt that fills no block, and the last block of a prompt cached completely.
	Partial    int64 `json:"miss_partial"`
	Capacity   int64 `json:"miss_capacity"`   // was here and was evicted
	Reset      int64 `json:"miss_reset"`      // was here and was lost when the cache was cleared or the worker restarted
	Routing    int64 `json:"miss_routing"`    // was never here, but is on another worker now
	Elsewhere  int64 `json:"miss_elsewhere"`  // was never here, was on another worker and was evicted there
	Compulsory int64 `json:"miss_compulsory"` // was never anywhere
	Unknown    int64 `json:"miss_unknown"`    // not remembered: the ledger's memory is full

	// CapacityElsewhere is the part of Capacity and Reset that was on another worker at that moment: a better route would have hit.
	CapacityElsewhere int64 `json:"miss_capacity_elsewhere"`
}

// Hits are the tokens found.
func (l KVLookups) Hits() int64 { return l.HitHeld + l.HitCached }

// Misses are the tokens not found.
func (l KVLookups) Misses() int64 {
	return l.Partial + l.Capacity + l.Reset + l.Routing + l.Elsewhere + l.Compulsory + l.Unknown
}

func (l *KVLookups) add(o *KVLookups) {
	l.Queries += o.Queries
	l.HitHeld += o.HitHeld
	l.HitCached += o.HitCached
	l.Partial += o.Partial
	l.Capacity += o.Capacity
	l.Reset += o.Reset
	l.Routing += o.Routing
	l.Elsewhere += o.Elsewhere
	l.Compulsory += o.Compulsory
	l.Unknown += o.Unknown
	l.CapacityElsewhere += o.CapacityElsewhere
}

// summarise fills in the distributions.
func (t *KVTruth) summarise(k *kvLedger) {
	t.Lifetime, t.Idle, t.ReuseGap = k.lifetime.summary(), k.idle.summary(), k.reuseGap.summary()
	t.RegretGap, t.UnheldReuse, t.UnheldDead = k.regretGap.summary(), k.unheldReuse.summary(), k.unheldDead.summary()
}

// fleetKV adds up the truth of several workers; nil without ledgers.
func fleetKV(workers []*worker, now time.Duration) *KVTruth {
	var total *KVTruth
	sum := &kvLedger{}
	for _, w := range workers {
		t := w.kv.truth(now)
		if t == nil {
			continue
		}
		if total == nil {
			total = &KVTruth{}
		}
		total.Now.add(&t.Now, 1)
		total.Seconds.add(&t.Seconds, 1)
		total.WindowSeconds.add(&t.WindowSeconds, 1)
		total.UsefulSlices.merge(&t.UsefulSlices)
		total.Lookups.add(&t.Lookups)
		total.Stored += t.Stored
		total.Evictions += t.Evictions
		total.Regret += t.Regret
		sum.merge(w.kv)
	}
	if total != nil {
		total.summarise(sum)
	}
	return total
}

// merge adds the distributions of another worker.
func (k *kvLedger) merge(o *kvLedger) {
	k.lifetime.add(&o.lifetime)
	k.idle.add(&o.idle)
	k.reuseGap.add(&o.reuseGap)
	k.regretGap.add(&o.regretGap)
	k.unheldReuse.add(&o.unheldReuse)
	k.unheldDead.add(&o.unheldDead)
}

// measurePool divides the worker's pool as it is now, between two changes.
func (w *worker) measurePool() KVPool {
	s, size := &w.sched, float64(w.sched.blockSize)
	pool := s.pool
	tokens := s.liveTokens()
	reserved := s.draftPages()
	for _, r := range w.awaiting {
		tokens += r.stored * s.blockSize // what was cached here already
		reserved += r.pages() - r.stored
	}
	for _, r := range w.landing.all() {
		tokens += r.PromptTokens
	}
	pinned := 0
	for _, h := range w.handoffs {
		if h.pinned == nil {
			continue
		}
		for _, id := range h.pinned.blocks {
			if pool.blocks[id].refs == 1 {
				pinned++
			} else {
				tokens += s.blockSize
			}
		}
	}
	p := KVPool{
		Live: float64(tokens)/size - float64(pool.shared), Reserved: float64(reserved), Pinned: float64(pinned),
		CachedOpen: float64(pool.cached), Free: float64(pool.free - pool.cached),
	}
	if s.window > 0 {
		window := w.measureWindow()
		p.Live += window.Live + float64(pool.windowed.shared)
	}
	p.TailWaste = float64(pool.size-pool.free-reserved-pinned) - p.Live
	return p
}

// liveTokens are those of running requests with the step planned, shared ones counted for each.
func (s *scheduler) liveTokens() int { return s.tokens + s.work.PrefillTokens + s.work.DecodeSequences }

// draftPages are pages of decodes that hold proposed tokens only.
func (s *scheduler) draftPages() int {
	if s.drafts == 0 {
		return 0
	}
	n := 0
	for i := range s.running {
		if q := &s.running[i]; q.end != 0 {
			n += max(0, q.req.pages()-s.blocksFor(s.clock+q.ahead+1))
		}
	}
	return n
}
