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
