package fleetsim

import (
	"testing"
	"time"
)

// windowed is a worker with blocks of 16 tokens, half of whose layers attend to 32 tokens.
func windowed(requests ...Request) Config {
	cfg := small(requests...)
	cfg.KVLedger = true
	cfg.Pools[0].SlidingWindow = 32
	return cfg
}

// A prompt of 128 tokens takes 8 pages in the one group and, once it is computed, no more than its window in the other.
func TestAWindowHoldsItsEnd(t *testing.T) {
	cfg := windowed(Request{PromptTokens: 100, OutputTokens: 20})
	f := start(t, cfg)
	w := f.workers[0]
	most := 0
	for !f.Done() {
		advance(t, f, f.Now()+time.Millisecond)
		checkRequests(t, f)
		most = max(most, w.sched.pool.windowed.held)
		if len(w.sched.running) > 0 && w.sched.running[0].end != 0 {
			if n := len(w.sched.running[0].req.inWindow.blocks); n > 3 {
				t.Fatalf("%d pages of 16 tokens for a window of 32", n)
			}
		}
	}
	// A step of 64 tokens and the window before it.
	if most == 0 || most > 6 {
		t.Errorf("at most %d pages of the window", most)
	}
}

// A prefix of which the pages of the window are gone is computed again, however much of it the other group has.
func TestAHitNeedsBothGroups(t *testing.T) {
	at := time.Duration(0)
	ask := func(prefix uint64, tokens, shared int) Request {
		at += time.Second
		return Request{At: at, PromptTokens: tokens, OutputTokens: 1, PrefixID: prefix, PrefixTokens: shared}
	}
	// The second prompt shares 64 of 112 tokens with the first. The window that ends there is still cached.
	f := start(t, windowed(ask(1, 112, 112), ask(1, 80, 64)))
	finish(t, f)
	if l := f.Truth().KV.Lookups; l.HitCached != 64 || l.Hits()+l.Misses() != l.Queries {
		t.Errorf("got %+v", l)
	}
	// Pages that left the window are evicted first: after another prompt the first two are gone, and the other group has all of the prefix.
	at = 0
	cfg := windowed(ask(1, 112, 112), ask(2, 32, 32), ask(1, 60, 48))
	cfg.Pools[0].KVBlocks = 16
	f = start(t, cfg)
	w := f.workers[0]
	advance(t, f, 2900*time.Millisecond)
	r := &request{Request: Request{PromptTokens: 60, PrefixID: 1, PrefixTokens: 48}}
	for i := range 3 {
		if w.sched.pool.lookup(r.blockHash(i, 16)) == none {
			t.Fatalf("page %d of the group without a window is gone", i)
		}
	}
	finish(t, f)
	k := f.Truth().KV
	if l := k.Lookups; l.Hits() != 0 || l.Capacity != 48 || l.Hits()+l.Misses() != l.Queries {
		t.Errorf("got %+v", l)
	}
	if k.Regret != 48 {
		t.Errorf("%d tokens computed again", k.Regret)
	}
}

func TestAWindowNeedsVLLM(t *testing.T) {
	cfg := windowed()
	cfg.Pools[0].Engine = SGLang
	if err := cfg.Validate(); err == nil {
		t.Error("SGLang has pools of their own for windows")
	}
}
