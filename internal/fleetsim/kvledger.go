package fleetsim

import (
	"slices"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/engine"
)

// RegretHorizon is how long after its eviction the recomputation of a block counts as regret.
const RegretHorizon = 10 * time.Minute

// kvLedger audits the pool of one worker over all its restarts. A nil ledger does nothing.
type kvLedger struct {
	contents
	window    contents // of the group of a sliding window, whatever other workers have of it
	blockSize int
	clock     func() time.Duration
	windowed  func() KVPool          // the part of it in the group of a sliding window; nil without
	measure   func() KVPool          // the pool as it is
	tell      func(*engine.Eviction) // the engine

	now   time.Duration // of everything that happens until the next sync
	pages []pageRecord  // by block
	sums  KVTruth       // Seconds.CachedOpen counts all blocks with content that nobody held

	lifetime, idle, reuseGap, regretGap, unheldReuse, unheldDead fineHistogram
}

// keptUses is how many of its last uses vLLM remembers of a block (vllm/v1/core/kv_cache_metrics.py).
const keptUses = 4

// pageRecord is the past of one block.
type pageRecord struct {
	born, freed time.Duration           // allocated, released by its last holder
	uses        [keptUses]time.Duration // the last ones, in a ring
	used        int                     // how often
	followed    bool                    // its content may come back
	window      bool                    // of the group of a sliding window
}

// last is when the block was last used.
func (p *pageRecord) last() time.Duration {
	if p.used == 0 {
		return p.born
	}
	return p.uses[(p.used-1)%keptUses]
}

func newKVLedger(pages, blockSize int, fleet *residency) *kvLedger {
	return &kvLedger{
		contents:  contents{fates: map[uint64]fate{}, fleet: fleet},
		window:    contents{fates: map[uint64]fate{}, fleet: newResidency()},
		blockSize: blockSize, pages: make([]pageRecord, pages),
	}
}

// sync counts the time that has passed. It comes before everything that changes the pool: until then it was as it still is.
func (k *kvLedger) sync() {
	if k == nil {
		return
	}
	if now := k.clock(); now > k.now {
		pool := k.measure()
		k.sums.Seconds.add(&pool, (now - k.now).Seconds())
		if k.windowed != nil {
			window := k.windowed()
			k.sums.WindowSeconds.add(&window, (now - k.now).Seconds())
		}
		k.now = now
	}
}

// allocated notes that a block was handed out.
func (k *kvLedger) allocated(id int32) {
	if k != nil {
		k.pages[id] = pageRecord{born: k.now}
	}
}

// hit notes that a cached block was found; held says that somebody held it already.
func (k *kvLedger) hit(id int32, held bool) {
	if k == nil {
		return
	}
	p := &k.pages[id]
	if !held {
		length := (k.now - p.freed).Seconds()
		k.sums.Seconds.CachedUseful += length
		k.sums.UsefulSlices.spread(p.freed, k.now)
		k.unheldReuse.observeN(length, 1)
	}
	if p.used > 0 {
		k.reuseGap.observeN((k.now - p.last()).Seconds(), 1)
	}
	p.uses[p.used%keptUses] = k.now
	p.used++
}

// released notes that nobody holds a cached block any more.
func (k *kvLedger) released(id int32) {
	if k != nil {
		k.pages[id].freed = k.now
	}
}

// evicted notes that a cached block was taken for other content.
func (k *kvLedger) evicted(id int32, hash uint64) {
	if k == nil {
		return
	}
	p := &k.pages[id]
	unheld := (k.now - p.freed).Seconds()
	k.sums.Evictions++
	k.sums.Seconds.CachedDead += unheld
	k.unheldDead.observeN(unheld, 1)
	e := engine.Eviction{Lifetime: k.now - p.born, Idle: k.now - p.last()}
	k.lifetime.observeN(e.Lifetime.Seconds(), 1)
	k.idle.observeN(e.Idle.Seconds(), 1)
	for i := max(1, p.used-keptUses+1); i < p.used; i++ {
		e.Gaps = append(e.Gaps, p.uses[i%keptUses]-p.uses[(i-1)%keptUses])
	}
	k.tell(&e)
	if p.followed {
		k.contentsOf(p).leave(hash, k.now, false)
	}
}

// contentsOf are those of the group of a block.
func (k *kvLedger) contentsOf(p *pageRecord) *contents {
	if p.window {
		return &k.window
	}
	return &k.contents
}

// stored notes that a full block got its content; follow says that the content may come back. It tells whether the content had been here
// not long ago.
func (k *kvLedger) stored(id int32, hash uint64, follow bool) (again bool) {
	if k == nil {
		return false
	}
	k.sums.Stored++
	return follow && k.follow(id, hash)
}

// regret notes that the tokens of a block were computed again: in a model with several groups, for the sake of any of them.
func (k *kvLedger) regret() { k.sums.Regret += int64(k.blockSize) }

// follow remembers a content from now on, and tells whether it was evicted not long ago.
func (k *kvLedger) follow(id int32, hash uint64) (again bool) {
	if k == nil || k.pages[id].followed {
		return false
	}
	p := &k.pages[id]
	p.followed = true
	before, seen := k.contentsOf(p).enter(hash)
	if !seen || before.copies > 0 || before.cleared {
		return false
	}
	gap := k.now - before.lost
	k.regretGap.observeN(gap.Seconds(), 1)
	return gap <= RegretHorizon
}

// cleared notes that the whole cache is gone; what nobody held will not be hit.
func (k *kvLedger) cleared() {
	if k == nil {
		return
	}
	k.clear(k.now)
	k.window.clear(k.now)
	s := &k.sums.Seconds
	s.CachedDead = s.CachedOpen - s.CachedUseful
}

// looked books the lookup of a first admission, of which hit blocks were found.
func (k *kvLedger) looked(r *request, hit []int32, pool *blockPool) {
	if k == nil {
		return
	}
	l, size := &k.sums.Lookups, int64(k.blockSize)
	l.Queries += int64(r.tokens())
	for _, id := range hit {
		if pool.blocks[id].refs > 0 {
			l.HitHeld += size
		} else {
			l.HitCached += size
		}
	}
	// What was there and was not hit lacks pages of a sliding window: the one of the first of them, or that would have been hit.
	reusable := 0
	if k.windowed != nil {
		reusable = (r.tokens() - 1) / k.blockSize
	}
	full := r.tokens() / k.blockSize
	l.Partial += int64(r.tokens() - full*k.blockSize)
	for i := len(hit); i < full; i++ {
		hash := r.blockHash(i, k.blockSize)
		switch {
		case !pool.caching:
			l.Compulsory += size
		case pool.lookup(hash) != none && i < reusable:
			k.window.cause(r.blockHash(len(hit), k.blockSize)^windowSpace, size, l)
		case pool.lookup(hash) != none:
			l.Partial += size
		default:
			k.cause(hash, size, l)
		}
	}
}

// truth completes the sums at a time without changing them.
func (k *kvLedger) truth(now time.Duration) *KVTruth {
	if k == nil {
		return nil
	}
	t := k.sums
	t.UsefulSlices.Seconds = slices.Clone(t.UsefulSlices.Seconds)
	t.Now = k.measure()
	s := &t.Seconds
	s.add(&t.Now, (now - k.now).Seconds())
	if k.windowed != nil {
		window := k.windowed()
		t.WindowSeconds.add(&window, (now - k.now).Seconds())
	}
	s.CachedOpen -= s.CachedUseful + s.CachedDead
	t.summarise(k)
	return &t
}
