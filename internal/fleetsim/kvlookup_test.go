package fleetsim

import (
	"testing"
	"time"
)

// One worker, then two, with prompts of four blocks of which each request shares one prefix with others.
func TestMissesHaveTheirCause(t *testing.T) {
	at := time.Duration(0)
	ask := func(prefix uint64, tokens int) Request {
		at += time.Second
		return Request{At: at, PromptTokens: tokens, OutputTokens: 1, PrefixID: prefix, PrefixTokens: tokens / 16 * 16}
	}
	type want = KVLookups
	run := func(cfg Config, reset int) KVLookups {
		cfg.KVLedger = true
		f := start(t, cfg)
		for i := 0; !f.Done(); i++ {
			if i == reset && !f.ResetPrefixCache(0) {
				t.Fatal("the cache could not be reset")
			}
			advance(t, f, time.Duration(i+1)*time.Second+900*time.Millisecond)
		}
		return f.Truth().KV.Lookups
	}

	// The second request hits three blocks: its last one must be computed, and 8 tokens fill none. The third is new.
	cfg := small(ask(1, 64), ask(1, 64), ask(2, 40))
	if got, want := run(cfg, -1), (want{Queries: 168, HitCached: 48, Partial: 16 + 8, Compulsory: 64 + 32}); got != want {
		t.Errorf("one worker: got %+v, want %+v", got, want)
	}
	// Eight blocks: two other prompts push the first out.
	at = 0
	cfg = small(ask(1, 64), ask(2, 64), ask(3, 64), ask(1, 64))
	cfg.Pools[0].KVBlocks = 9
	if got, want := run(cfg, -1), (want{Queries: 256, Compulsory: 192, Capacity: 64}); got != want {
		t.Errorf("small cache: got %+v, want %+v", got, want)
	}
	at = 0
	if got, want := run(small(ask(1, 64), ask(1, 64)), 1), (want{Queries: 128, Compulsory: 64, Reset: 64}); got != want {
		t.Errorf("after a reset: got %+v, want %+v", got, want)
	}
	// Two workers in turn: the second request finds its prefix on the other worker only.
	at = 0
	cfg = small(ask(1, 64), ask(1, 64))
	cfg.Pools[0].Workers = 2
	if got, want := run(cfg, -1), (want{Queries: 128, Compulsory: 64, Routing: 64}); got != want {
		t.Errorf("two workers: got %+v, want %+v", got, want)
	}
	// The prefix is pushed out of the first worker before the second asks for it.
	at = 0
	cfg = small(ask(1, 64), ask(9, 16), ask(2, 64), ask(9, 16), ask(3, 64), ask(1, 64))
	cfg.Pools[0].Workers, cfg.Pools[0].KVBlocks = 2, 9
	if got := run(cfg, -1); got.Elsewhere != 64 || got.Routing != 0 {
		t.Errorf("evicted elsewhere: got %+v", got)
	}
}

func TestLedgerForgetsNothingItCannotRemember(t *testing.T) {
	fleet := newResidency()
	fleet.limit = 2
	c := contents{fates: map[uint64]fate{}, fleet: fleet}
	for hash := range uint64(5) {
		c.enter(hash)
	}
	if len(fleet.copies) != 2 || len(c.fates) != 2 {
		t.Errorf("%d and %d contents remembered, limit 2", len(fleet.copies), len(c.fates))
	}
	var l KVLookups
	c.leave(1, time.Second, false)
	c.leave(4, time.Second, false)
	c.cause(1, 16, &l)
	c.cause(4, 16, &l)
	if l != (KVLookups{Capacity: 16, Unknown: 16}) {
		t.Errorf("got %+v", l)
	}
}

// The access log of a worker holds every full block of every prompt, with the hits first.
func TestAccessLog(t *testing.T) {
	first := Request{PromptTokens: 70, OutputTokens: 1, PrefixID: 5, PrefixTokens: 48}
	second := first
	second.At = time.Second
	cfg := small(first, second)
	type access struct {
		hash uint64
		hit  bool
	}
	var log []access
	cfg.OnAccess = func(_ int, hash uint64, hit bool) { log = append(log, access{hash, hit}) }
	finish(t, start(t, cfg))
	if len(log) != 8 {
		t.Fatalf("%d accesses, want 8", len(log))
	}
	for i, a := range log {
		if a.hit != (i >= 4 && i < 7) {
			t.Errorf("access %d: hit %t", i, a.hit)
		}
		if same := a.hash == log[i%4].hash; same != (i < 7) {
			t.Errorf("access %d: has the content of access %d: %t", i, i%4, same)
		}
	}
}

// Two workers with one prefix of 48 tokens and prompts of their own; then a third request computes the prefix's last block again.
func TestResidentsAreCountedOverWorkers(t *testing.T) {
	ask := func(at time.Duration, tokens int) Request {
		return Request{At: at, PromptTokens: tokens, OutputTokens: 1, PrefixID: 4, PrefixTokens: 48}
	}
	cfg := small(ask(0, 64), ask(1, 64), ask(time.Second, 48))
	cfg.Pools[0].Workers = 2
	if _, ok := start(t, cfg).KVResidents(); ok {
		t.Error("pages without identity are counted")
	}
	cfg.KVLedger = true
	f := start(t, cfg)
	finish(t, f)
	got, ok := f.KVResidents()
	if want := (KVResidents{Blocks: 9, Contents: 8, Distinct: 5}); !ok || got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	near(t, "duplicated", got.Duplicated(), 1-5.0/8)
	if (KVResidents{}).Duplicated() != 0 {
		t.Error("empty caches are duplicated")
	}
}
