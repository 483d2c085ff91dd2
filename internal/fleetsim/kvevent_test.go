package fleetsim

import (
	"maps"
	"slices"
	"testing"
	"time"
)

// replica is what a subscriber makes of the events of one worker.
type replica struct {
	counts map[uint64]int
	tokens map[uint64][]uint32 // content of every hash ever seen
	stored int
	gone   int
}

func newReplica() *replica { return &replica{counts: map[uint64]int{}, tokens: map[uint64][]uint32{}} }

// apply replays a batch and checks that it makes sense.
func (r *replica) apply(t *testing.T, b KVBatch) {
	t.Helper()
	for _, e := range b.Events {
		switch e.Kind {
		case BlockStored:
			if len(e.Tokens) != len(e.Hashes)*e.BlockSize || e.Tier != gpuTier {
				t.Fatalf("%d tokens for %d blocks of %d in %q", len(e.Tokens), len(e.Hashes), e.BlockSize, e.Tier)
			}
			if e.HasParent && r.counts[e.Parent] == 0 {
				t.Fatalf("parent %x is not in the cache", e.Parent)
			}
			for i, h := range e.Hashes {
				content := e.Tokens[i*e.BlockSize : (i+1)*e.BlockSize]
				if known, ok := r.tokens[h]; ok && !slices.Equal(known, content) {
					t.Fatalf("hash %x has two contents", h)
				}
				r.tokens[h] = content
				r.counts[h]++
				r.stored++
			}
		case BlockRemoved:
			for _, h := range e.Hashes {
				if r.counts[h] == 0 {
					t.Fatalf("%x is removed but not in the cache", h)
				}
				if r.counts[h]--; r.counts[h] == 0 {
					delete(r.counts, h)
				}
				r.gone++
			}
		case AllBlocksCleared:
			clear(r.counts)
		}
	}
}

// cachedHashes is the multiset of what a worker's pool really caches, under its published hashes.
func cachedHashes(w *worker) map[uint64]int {
	out := map[uint64]int{}
	for i := range w.sched.pool.blocks {
		if b := &w.sched.pool.blocks[i]; b.cached {
			out[publishedHash(w.sched.pool.events.seed, b.hash)]++
		}
	}
	return out
}

func TestEventsReplayToTheCacheAtEveryStep(t *testing.T) {
	for seed := range uint64(4) {
		requests, _, _ := randomRequests(seed, 120)
		cfg := small()
		cfg.Seed, cfg.Workload = seed, requests
		cfg.Pools[0].MaxBatchedTokens, cfg.Pools[0].MaxNumSeqs, cfg.Pools[0].MaxModelTokens, cfg.Pools[0].KVBlocks = 96, 12, 400, 27+int(seed)*12
		subscriber := newReplica()
		var f *Fleet
		last := time.Duration(-1)
		cfg.OnKV = func(b KVBatch) {
			if b.At < last || len(b.Events) == 0 {
				t.Fatalf("batch of %d events at %s after %s", len(b.Events), b.At, last)
			}
			last = b.At
			subscriber.apply(t, b)
			if want := cachedHashes(f.workers[0]); !maps.Equal(subscriber.counts, want) {
				t.Fatalf("at %s: %d hashes replayed, %d in the cache", b.At, len(subscriber.counts), len(want))
			}
		}
		f = start(t, cfg)
		finish(t, f)
		if subscriber.gone == 0 || subscriber.stored <= subscriber.gone {
			t.Errorf("seed %d: %d stored, %d removed", seed, subscriber.stored, subscriber.gone)
		}
	}
}

// Equal prefixes have equal tokens and hashes, different ones do not.
func TestPublishedContentFollowsThePrefix(t *testing.T) {
	shared := Request{PromptTokens: 40, OutputTokens: 1, PrefixID: 7, PrefixTokens: 32}
	other := Request{At: time.Second, PromptTokens: 40, OutputTokens: 1, PrefixID: 8, PrefixTokens: 32}
	again := shared
	again.At = 2 * time.Second
	cfg := small(shared, other, again)
	var stored []KVEvent
	cfg.OnKV = func(b KVBatch) { stored = append(stored, b.Events...) }
	finish(t, start(t, cfg))
	// The third request hits both its full blocks: nothing is stored.
	if len(stored) != 2 || len(stored[0].Hashes) != 2 || stored[0].HasParent {
		t.Fatalf("got %+v", stored)
	}
	if slices.Equal(stored[0].Hashes, stored[1].Hashes) || slices.Equal(stored[0].Tokens, stored[1].Tokens) {
		t.Error("different prefixes have the same content")
	}
}

// A restart begins a new process with an empty cache, a reset clears the cache of the running one.
func TestEventsOverRestartsAndResets(t *testing.T) {
	ask := func(at time.Duration) Request {
		return Request{At: at, PromptTokens: 64, OutputTokens: 2, PrefixID: 1, PrefixTokens: 64}
	}
	cfg := small(ask(0), ask(time.Second), ask(2*time.Second), ask(3*time.Second))
	var batches []KVBatch
	cfg.OnKV = func(b KVBatch) { batches = append(batches, b) }
	f := start(t, cfg)
	advance(t, f, 900*time.Millisecond)
	if !f.ResetPrefixCache(0) {
		t.Fatal("an idle worker refuses")
	}
	advance(t, f, time.Second)
	if f.ResetPrefixCache(0) {
		t.Error("the cache is reset under a request")
	}
	advance(t, f, 2900*time.Millisecond)
	if err := f.RestartWorker(0, 0); err != nil {
		t.Fatal(err)
	}
	finish(t, f)
	var kinds []KVEventKind
	var processes []int
	for _, b := range batches {
		for _, e := range b.Events {
			kinds = append(kinds, e.Kind)
			processes = append(processes, b.Process)
		}
	}
	// The prompt; after the reset again; its last block, computed again, beside the cached one; in the new process from the start.
	if want := []KVEventKind{BlockStored, AllBlocksCleared, BlockStored, BlockStored, BlockStored}; !slices.Equal(kinds, want) {
		t.Errorf("got %v, want %v", kinds, want)
	}
	if want := []int{0, 0, 0, 0, 1}; !slices.Equal(processes, want) {
		t.Errorf("processes %v, want %v", processes, want)
	}
	if last := batches[len(batches)-1].Events[0]; len(last.Hashes) != 4 || !slices.Equal(last.Hashes, batches[0].Events[0].Hashes) {
		t.Errorf("the new process stores %+v", last)
	}
}

// The worker's seed changes every hash and nothing else.
func TestHashSeedChangesHashesOnly(t *testing.T) {
	run := func(seed uint64) []KVEvent {
		cfg := small(Request{PromptTokens: 64, OutputTokens: 20})
		cfg.Pools[0].Replicas = []Replica{{HashSeed: seed}}
		var events []KVEvent
		cfg.OnKV = func(b KVBatch) { events = append(events, b.Events...) }
		finish(t, start(t, cfg))
		return events
	}
	plain, seeded := run(0), run(7)
	if len(plain) != len(seeded) || len(plain) != 2 {
		t.Fatalf("%d and %d events, want 2", len(plain), len(seeded))
	}
	for i := range plain {
		if !slices.Equal(plain[i].Tokens, seeded[i].Tokens) {
			t.Errorf("event %d: other tokens", i)
		}
		for n, h := range plain[i].Hashes {
			if h == seeded[i].Hashes[n] {
				t.Errorf("event %d: hash %d is the same", i, n)
			}
		}
	}
	if !seeded[1].HasParent || seeded[1].Parent != seeded[0].Hashes[3] {
		t.Errorf("parent %x, want %x", seeded[1].Parent, seeded[0].Hashes[3])
	}
}
