package fleetsim

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// checkSequences holds what the scheduler keeps of its sequences to the requests, before the step that was just executed is over.
func checkSequences(t *testing.T, w *worker) {
	t.Helper()
	s := &w.sched
	context, decodes, tokens, late, bs := 0, 0, 0, 0, s.blockSize
	if len(s.due) != len(s.running) {
		t.Fatalf("%d due times for %d sequences", len(s.due), len(s.running))
	}
	for i := range s.running {
		q := &s.running[i]
		r, computed := q.req, q.req.computed
		if q.end == 0 {
			if r.decoding || r.computed > r.tokens() || s.due[i] != always {
				t.Fatalf("decoding %t, computed %d of %d tokens, due at %d", r.decoding, r.computed, r.tokens(), s.due[i])
			}
		} else {
			computed = s.clock + q.ahead
			context += computed
			decodes++
			if q.late {
				late++
			}
			if q.end <= s.clock || q.end < s.nextEnd || computed+q.end-s.clock != r.PromptTokens+r.limit-1 {
				t.Fatalf("clock %d, ends at %d, next end %d, %d tokens of %d + %d", s.clock, q.end, s.nextEnd, computed, r.PromptTokens, r.limit)
			}
			if s.drafts == 0 && computed+s.due[i]-s.clock > r.pages()*bs {
				t.Fatalf("due at %d of clock %d, %d tokens in %d pages", s.due[i], s.clock, computed, r.pages())
			}
		}
		tokens += computed
		if held := r.pages() * bs; computed > held || r.stored*bs > computed || len(r.blocks) > r.named {
			t.Fatalf("%d tokens in %d pages, %d stored, %d named of %d", computed, r.pages(), r.stored, len(r.blocks), r.named)
		}
	}
	if context != s.context || decodes != s.decodes || tokens != s.tokens || late != s.late {
		t.Fatalf("%d decodes with %d tokens, all have %d; the scheduler counts %d, %d, %d", decodes, context, tokens, s.decodes, s.context, s.tokens)
	}
}

// holders are the requests that hold pages.
func (w *worker) holders() []*request {
	all := slices.Concat(w.awaiting, w.landing.all())
	for i := range w.sched.running {
		all = append(all, w.sched.running[i].req)
	}
	for _, h := range w.handoffs {
		if h.pinned != nil {
			all = append(all, h.pinned)
		}
	}
	return all
}

// checkBlocks holds the pool to its books: every page is either free or held, references equal holders, the free list is whole.
func checkBlocks(t *testing.T, w *worker) {
	t.Helper()
	p := w.sched.pool
	refs := make([]int32, len(p.blocks))
	held := 0
	for _, r := range w.holders() {
		held += r.nameless
		for _, id := range slices.Concat(r.blocks, r.inWindow.blocks) {
			if refs[id]++; refs[id] == 1 {
				held++
			}
		}
	}
	for id := range p.blocks {
		if p.blocks[id].refs != refs[id] {
			t.Fatalf("block %d: %d references, %d holders", id, p.blocks[id].refs, refs[id])
		}
	}
	listed := 0
	for id, prev := p.head, none; id != none; prev, id = id, p.blocks[id].next {
		b := &p.blocks[id]
		if b.prev != prev || refs[id] != 0 || b.cached != (b.run == 0) {
			t.Fatalf("list of free blocks is broken at block %d", id)
		}
		listed += max(1, int(b.run))
	}
	if listed != p.cached || p.cached > p.free || held+p.free != p.size {
		t.Fatalf("%d held + %d free, of these %d with content (list: %d), of %d pages", held, p.free, p.cached, listed, p.size)
	}
	checkIndex(t, p)
}

// checkIndex holds the index to the blocks: every cached block is found, in its chain, and nothing else.
func checkIndex(t *testing.T, p *blockPool) {
	t.Helper()
	cached, chained := 0, 0
	for i := range p.blocks {
		b := &p.blocks[i]
		if !b.cached {
			continue
		}
		cached++
		found := false
		for id := p.lookup(b.hash); id != none; id = p.blocks[id].duplicate {
			if p.blocks[id].hash != b.hash || !p.blocks[id].cached {
				t.Fatalf("block %d is indexed under a hash it does not hold", id)
			}
			found = found || id == int32(i)
		}
		if !found {
			t.Fatalf("block %d is not found under its hash", i)
		}
	}
	for _, slot := range p.index.slots {
		if slot.block == 0 {
			continue
		}
		for id := slot.block - 1; id != none; id = p.blocks[id].duplicate {
			chained++
		}
	}
	if cached != chained {
		t.Fatalf("%d cached blocks, %d in the index", cached, chained)
	}
}

// randomRequests are n arrivals with three shared prefixes, and their prompt and output tokens together.
func randomRequests(seed uint64, n int) (requests Script, prompt, output int64) {
	random := rand.New(rand.NewPCG(seed, 1))
	for i := range n {
		r := Request{
			At: time.Duration(i) * 30 * time.Millisecond, PromptTokens: 1 + random.IntN(300), OutputTokens: 1 + random.IntN(80),
			PrefixID: uint64(1 + random.IntN(3)),
		}
		r.PrefixTokens = min(r.PromptTokens, 100)
		prompt, output = prompt+int64(r.PromptTokens), output+int64(r.OutputTokens)
		requests = append(requests, r)
	}
	return requests, prompt, output
}

// Random traffic through a worker short of everything: blocks, budget, sequences.
func TestSchedulerInvariants(t *testing.T) {
	var preemptions int64
	defer func() {
		if preemptions == 0 {
			t.Error("no run preempted anything")
		}
	}()
	for seed := range uint64(6) {
		requests, prompt, output := randomRequests(seed, 150)
		cfg := small()
		cfg.Seed, cfg.Workload = seed, requests
		pool := &cfg.Pools[0]
		pool.MaxBatchedTokens, pool.MaxNumSeqs, pool.MaxModelTokens, pool.KVBlocks = 96, 12, 400, 27+int(seed)*8
		cfg.StepNoise = 0.02
		var f *Fleet
		cfg.OnStep = func(s StepTruth) {
			if n := s.PrefillTokens + s.DecodeSequences; n > pool.MaxBatchedTokens || n == 0 {
				t.Fatalf("%d tokens in a step, budget %d", n, pool.MaxBatchedTokens)
			}
			w := f.workers[0]
			if len(w.sched.running) > pool.MaxNumSeqs {
				t.Fatalf("%d running sequences, limit %d", len(w.sched.running), pool.MaxNumSeqs)
			}
			checkSequences(t, w)
			checkBlocks(t, w)
		}
		f = start(t, cfg)
		finish(t, f)
		truth := f.Truth()
		if truth.FinishedRequests != 150 || truth.PromptTokens != prompt || truth.OutputTokens != output {
			t.Errorf("seed %d: %d requests, %d prompt and %d output tokens; want 150, %d, %d", seed,
				truth.FinishedRequests, truth.PromptTokens, truth.OutputTokens, prompt, output)
		}
		// Every prompt token is found in the cache or computed, once plus recomputation; every recomputation also computes at most
		// one token that was sampled last.
		if d := truth.PrefillTokens - (prompt - truth.CachedTokens + truth.RecomputedTokens); d < 0 || d > truth.Preemptions {
			t.Errorf("seed %d: computed %d prompt tokens of %d with %d cached, %d again in %d preemptions", seed,
				truth.PrefillTokens, prompt, truth.CachedTokens, truth.RecomputedTokens, truth.Preemptions)
		}
		preemptions += truth.Preemptions
		// Each token but the first of a request is a decode, or the end of a recomputation.
		if d := output - 150 - truth.DecodeTokens; d < 0 || d > truth.Preemptions {
			t.Errorf("seed %d: %d decodes for %d tokens, %d preemptions", seed, truth.DecodeTokens, output, truth.Preemptions)
		}
		if truth.CachedTokens == 0 {
			t.Errorf("seed %d: shared prefixes were never found", seed)
		}
		if f.workers[0].sched.pool.free != pool.KVBlocks-1 {
			t.Errorf("seed %d: blocks still held after the last request", seed)
		}
	}
}

func TestFullHitComputesTheLastBlock(t *testing.T) {
	same := Request{PromptTokens: 64, OutputTokens: 1, PrefixID: 7, PrefixTokens: 64}
	again := same
	again.At = time.Second
	f := start(t, small(same, again))
	finish(t, f)
	truth := f.Truth()
	if truth.CachedTokens != 48 || truth.PrefillTokens != 64+16 {
		t.Errorf("cached %d, computed %d; want 48 and 80", truth.CachedTokens, truth.PrefillTokens)
	}
	p := readPage(t, f, 0)
	queries, hits := p("prefix_cache_queries_total"), p("prefix_cache_hits_total")
	if cached := p("prompt_tokens_cached_total"); queries != 128 || hits != 48 || cached != 48 {
		t.Errorf("queries %g hits %g cached %g; want 128, 48, 48", queries, hits, cached)
	}
}
