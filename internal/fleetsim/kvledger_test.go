package fleetsim

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"testing"
	"time"
)

// sight is what a test sees of one block at a moment.
type sight struct {
	hash         uint64
	cached, held bool
	born         time.Duration // handed out
}

// watcher classifies the time of cached blocks by brute force: it notes every block after every step and looks, when a block stops
// being cached and unheld, whether it was hit or evicted.
type watcher struct {
	last         []sight
	since        time.Duration
	open         []float64 // block-seconds of the present unheld interval of each block
	useful, dead float64
	free, busy   float64 // block-seconds without content, and held
}

// until counts the time since the last look, which was at the last change.
func (x *watcher) until(now time.Duration) {
	seconds := (now - x.since).Seconds()
	for id, s := range x.last {
		switch {
		case s.held:
			x.busy += seconds
		case s.cached:
			x.open[id] += seconds
		default:
			x.free += seconds
		}
	}
	x.since = now
}

// look notes how the pool is now.
func (x *watcher) look(p *blockPool, born []pageRecord) {
	for id := range p.blocks {
		b := &p.blocks[id]
		now, before := sight{b.hash, b.cached, b.refs > 0, born[id].born}, x.last[id]
		if before.cached && !before.held && (now.held || !now.cached || now.hash != before.hash || now.born != before.born) {
			if now.cached && now.hash == before.hash && now.born == before.born {
				x.useful += x.open[id]
			} else {
				x.dead += x.open[id]
			}
			x.open[id] = 0
		}
		x.last[id] = now
	}
}

// The ledger against brute force, on a worker short of blocks, at every step.
func TestKVLedgerAgainstBruteForce(t *testing.T) {
	for run := range uint64(8) {
		seed, window := run%4, 0
		if run >= 4 {
			window = 40
		}
		requests, _, _ := randomRequests(seed, 150)
		cfg := small()
		cfg.Seed, cfg.Workload, cfg.KVLedger, cfg.StepNoise = seed, requests, true, 0.05
		p := &cfg.Pools[0]
		p.MaxBatchedTokens, p.MaxNumSeqs, p.MaxModelTokens, p.KVBlocks = 96, 12, 400, 27+int(seed)*16
		if p.SlidingWindow = window; window > 0 {
			p.KVBlocks += 12
		}
		size := p.KVBlocks - 1
		x := watcher{last: make([]sight, size), open: make([]float64, size)}
		f := start(t, cfg)
		w := f.workers[0]
		for !f.Done() {
			next := w.stepEnd
			if f.next != nil {
				next = min(next, f.next.At)
			}
			x.until(next)
			advance(t, f, next)
			x.look(w.sched.pool, w.kv.pages)
			compareKV(t, f.WorkerTruth(0), &x, w)
		}
		k := f.Truth().KV
		var sum float64
		for i, v := range k.UsefulSlices.Seconds {
			if sum += v; v < 0 || v > float64(size)*KVSlice.Seconds() {
				t.Errorf("seed %d: %g useful block-seconds in slice %d of %d blocks", seed, v, i, size)
			}
		}
		near(t, "useful slices", sum, k.Seconds.CachedUseful)
		if k.Evictions == 0 || k.Regret == 0 || k.Lookups.HitHeld == 0 || k.Lookups.HitCached == 0 || k.Seconds.CachedUseful == 0 {
			t.Errorf("seed %d: the run did not exercise everything: %+v", seed, k)
		}
		if settled := k.Seconds.Settle(); settled.CachedOpen != 0 || math.Abs(settled.Total()-k.Seconds.Total()) > 1e-9 {
			t.Errorf("settled: %+v of %+v", settled, k.Seconds)
		}
	}
}

func compareKV(t *testing.T, truth Truth, x *watcher, w *worker) {
	t.Helper()
	k, size := truth.KV, float64(w.sched.pool.size)
	near(t, "blocks", k.Now.Total(), size)
	near(t, "block-seconds", k.Seconds.Total(), size*truth.SimulatedSeconds)
	near(t, "useful", k.Seconds.CachedUseful, x.useful)
	near(t, "dead", k.Seconds.CachedDead, x.dead)
	near(t, "free", k.Seconds.Free, x.free)
	near(t, "held", k.Seconds.Live+k.Seconds.TailWaste, x.busy)
	// Tokens of each held block: full ones count once, the last one of each request up to its scheduled tokens.
	live, seen := 0, map[int32]bool{}
	for i := range w.sched.running {
		q := &w.sched.running[i]
		tokens := q.req.computed + q.tokens
		if q.end != 0 {
			tokens = w.sched.clock + q.ahead + 1
		}
		for n, id := range q.req.blocks {
			if !seen[id] {
				live += min(w.sched.blockSize, tokens-n*w.sched.blockSize)
			}
			seen[id] = true
		}
	}
	group := w.sched.pool.windowed
	inWindow, full := 0, live
	for i := range w.sched.running {
		q := &w.sched.running[i]
		tokens := q.req.computed + q.tokens
		if q.end != 0 {
			tokens = w.sched.clock + q.ahead + 1
		}
		for n, id := range q.req.inWindow.blocks {
			if !seen[id] {
				live += min(w.sched.blockSize, tokens-(q.req.inWindow.first+n)*w.sched.blockSize)
				inWindow++
			}
			seen[id] = true
		}
	}
	if w.sched.window > 0 {
		now := w.measureWindow()
		near(t, "live in the window", now.Live*float64(w.sched.blockSize), float64(live-full))
		near(t, "held in the window", now.Live+now.TailWaste, float64(inWindow))
		cached := 0
		for i := range w.sched.pool.blocks {
			if b := &w.sched.pool.blocks[i]; b.window && b.cached && b.refs == 0 {
				cached++
			}
		}
		near(t, "cached in the window", now.CachedOpen, float64(cached))
		near(t, "counted as held in the window", float64(group.held), float64(inWindow))
	}
	near(t, "live", k.Now.Live*float64(w.sched.blockSize), float64(live))
	l := k.Lookups
	if l.Hits()+l.Misses() != l.Queries {
		t.Fatalf("hits and misses do not add up: %+v", l)
	}
	if t.Failed() {
		t.FailNow()
	}
}

// The audit depends neither on the cuts of the run nor changes it, and a fleet is the sum of its workers.
func TestKVLedgerOfAFleet(t *testing.T) {
	run := func(audit bool, stops ...time.Duration) *Fleet {
		cfg := busyFleet(4)
		cfg.KVLedger = audit
		f := start(t, cfg)
		for _, s := range stops {
			advance(t, f, s)
		}
		return f
	}
	text := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	f := run(true, time.Minute)
	truth := f.Truth()
	if got := text(run(true, time.Second, 1777*time.Millisecond, 33*time.Second, time.Minute).Truth()); got != text(truth) {
		t.Error("the audit depends on how the run is cut")
	}
	k := truth.KV
	truth.KV = nil
	if text(run(false, time.Minute).Truth()) != text(truth) {
		t.Error("the audit changes the run")
	}
	var evictions, queries int64
	for i := range f.Workers() {
		w := f.WorkerTruth(i).KV
		evictions += w.Evictions
		queries += w.Lookups.Queries
	}
	if evictions != k.Evictions || queries != k.Lookups.Queries || k.Lookups.Routing == 0 {
		t.Errorf("workers have %d evictions and %d queries, the fleet %+v", evictions, queries, k)
	}
}

// Blocks that wait for KV, or to be fetched, or hold drafts only, are in classes of their own; the parts still add up.
func TestReservedAndPinnedBlocks(t *testing.T) {
	var requests Script
	for i := range 40 {
		requests = append(requests, Request{
			At: time.Duration(i) * 2 * time.Millisecond, PromptTokens: 200 + 17*i, OutputTokens: 30, PrefixID: uint64(i % 3), PrefixTokens: 150,
		})
	}
	handed := split(VLLM, 1, 1, requests...)
	handed.Link.Bandwidth /= 50
	drafted := drained(7)
	drafted.Pools[0].Speculative = Speculative{Tokens: 20, Acceptance: []float64{0.9}}
	for name, cfg := range map[string]Config{"hand-over": handed, "drafts": drafted} {
		cfg.KVLedger = true
		var f *Fleet
		var pinned, reserved float64
		cfg.OnStep = func(StepTruth) {
			for i := range f.Workers() {
				k := f.WorkerTruth(i).KV
				near(t, name+": blocks", k.Now.Total(), float64(f.workers[i].sched.pool.size))
				near(t, name+": block-seconds", k.Seconds.Total(), float64(f.workers[i].sched.pool.size)*f.Now().Seconds())
				if k.Now.Live < 0 || k.Now.TailWaste < 0 || k.Now.Reserved < 0 || k.Now.Pinned < 0 || k.Now.Free < 0 {
					t.Fatalf("%s: %+v", name, k.Now)
				}
				pinned, reserved = max(pinned, k.Now.Pinned), max(reserved, k.Now.Reserved)
			}
			if t.Failed() {
				t.FailNow()
			}
		}
		f = start(t, cfg)
		finish(t, f)
		if reserved == 0 || (pinned == 0) != (name == "drafts") {
			t.Errorf("%s: at most %g reserved and %g pinned blocks", name, reserved, pinned)
		}
	}
}

// Pages that show evictions hear of all of them, audited or not.
func TestEvictionsReachThePages(t *testing.T) {
	requests, _, _ := randomRequests(2, 100)
	cfg := small()
	cfg.Workload = requests
	p := &cfg.Pools[0]
	p.MaxBatchedTokens, p.MaxNumSeqs, p.MaxModelTokens, p.KVBlocks, p.ResidencySample = 96, 12, 400, 50, 1
	f := start(t, cfg)
	finish(t, f)
	k := f.Truth().KV
	page := readPage(t, f, 0)
	if n := page("kv_block_lifetime_seconds_count"); k.Evictions == 0 || n != float64(k.Evictions) {
		t.Errorf("%g lifetimes on the page, %d evictions", n, k.Evictions)
	}
	near(t, "lifetimes", page("kv_block_lifetime_seconds_sum"), k.Lifetime.Sum)
	near(t, "idle", page("kv_block_idle_before_evict_seconds_sum"), k.Idle.Sum)

	p.Engine, p.ResidencySample = SGLang, 0
	evicted := func(audit bool) string {
		cfg.KVLedger = audit
		f := start(t, cfg)
		finish(t, f)
		line := regexp.MustCompile(`(?m)^sglang:evicted_tokens_total\{.*\} (\S+)$`).FindSubmatch(pageOf(t, f, 0))
		if line == nil {
			t.Fatal("the page lacks evicted tokens")
		}
		return string(line[1])
	}
	if plain, audited := evicted(false), evicted(true); plain != audited || plain == "0.0" {
		t.Errorf("evicted tokens: %s, audited %s", plain, audited)
	}
}

func TestIntervalsAreSpreadOverSlices(t *testing.T) {
	var got UsefulSlices
	got.spread(4*time.Second, 27*time.Second)
	got.spread(9*time.Second, 10*time.Second)
	if want := []float64{7, 10, 7}; !slices.Equal(got.Seconds, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
