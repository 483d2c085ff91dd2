package fleetsim

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// busyLinks is a fleet whose transfers queue up, and what its hooks see.
func busyLinks(t *testing.T, seed uint64, change func(*Config)) (*Fleet, *observed) {
	t.Helper()
	requests, _, _ := traffic(seed, 400, time.Millisecond)
	cfg := split(VLLM, 2, 3)
	cfg.Workload, cfg.Seed = requests, seed
	cfg.Pools[0].KVBlocks, cfg.Pools[1].KVBlocks = 4000, 4000
	cfg.Link.Bandwidth = 2e9
	if change != nil {
		change(&cfg)
	}
	o := observe(&cfg)
	f := start(t, cfg)
	finish(t, f)
	return f, o
}

// Transfers leave in the order in which they were posted, one at a time, on either side of every link.
func TestLinksAreFirstInFirstOut(t *testing.T) {
	_, o := busyLinks(t, 1, func(c *Config) { c.Link.Noise = 0.15 })
	for side, of := range map[string]func(TransferTruth) int{
		"egress": func(x TransferTruth) int { return x.Source }, "ingress": func(x TransferTruth) int { return x.Destination },
	} {
		last := map[int]TransferTruth{}
		waited := 0
		posted := slices.Clone(o.transfers)
		slices.SortStableFunc(posted, func(a, b TransferTruth) int { return int(math.Copysign(1, a.StartSeconds-b.StartSeconds)) })
		for _, x := range posted {
			before, ok := last[of(x)]
			if ok && (x.StartSeconds < before.EndSeconds-1e-9 || x.PostedSeconds < before.PostedSeconds) {
				t.Fatalf("%s: %+v overtakes or overlaps %+v", side, x, before)
			}
			if x.StartSeconds > x.PostedSeconds {
				waited++
			}
			last[of(x)] = x
		}
		if waited < 50 {
			t.Errorf("%s: only %d of %d transfers had to wait", side, waited, len(o.transfers))
		}
	}
}

// Latency and bandwidth can be found again from what transfers took.
func TestLatencyAndBandwidthAreRecoverable(t *testing.T) {
	_, o := busyLinks(t, 2, func(c *Config) { c.Link.PerDescriptor = 0 })
	var n, sx, sy, sxx, sxy float64
	for _, x := range o.transfers {
		bytes, seconds := x.Bytes, x.EndSeconds-x.StartSeconds
		n, sx, sy, sxx, sxy = n+1, sx+bytes, sy+seconds, sxx+bytes*bytes, sxy+bytes*seconds
	}
	beta := (n*sxy - sx*sy) / (n*sxx - sx*sx)
	alpha := (sy - beta*sx) / n
	if math.Abs(alpha/1.5e-3-1) > 1e-3 || math.Abs(1/beta/(2*2e9)-1) > 1e-3 { // two ranks
		t.Errorf("latency %g s, bandwidth %g B/s; want 0.0015 and 4e9", alpha, 1/beta)
	}
}

// Noise keeps the mean of a rank's time; the slowest of two ranks is later than that.
func TestNoiseAndFanOut(t *testing.T) {
	length := func(o *observed) (sum float64) {
		for _, x := range o.transfers {
			sum += x.EndSeconds - x.StartSeconds
		}
		return sum / float64(len(o.transfers))
	}
	_, clean := busyLinks(t, 3, nil)
	_, noisy := busyLinks(t, 3, func(c *Config) { c.Link.Noise = 0.15 })
	// The maximum of two normal values lies 1/sqrt(pi) deviations above the mean.
	want := 1 + 0.15/math.Sqrt(math.Pi)
	if got := length(noisy) / length(clean); math.Abs(got-want) > 0.02 {
		t.Errorf("two ranks with 15 %% noise take %.3f of the time, want %.3f", got, want)
	}
}

// Every kind of stall adds what it should on average.
func TestHiccups(t *testing.T) {
	const stall = 10 * time.Millisecond
	for name, c := range map[string]struct {
		change func(*Config)
		want   float64 // stalls per transfer
	}{
		"chance": {func(c *Config) { c.Link.Hiccups = Hiccups{Stall: stall, Chance: 0.1} }, 2 * 0.1},
		"pieces": {func(c *Config) { c.Link.Hiccups = Hiccups{Stall: stall, Chance: 0.1}; c.Link.Pieces = 8 }, 2 * 0.1 * 8},
	} {
		_, o := busyLinks(t, 4, c.change)
		stalls, n := 0, len(o.transfers)
		for _, x := range o.transfers {
			stalls += x.Stalls
			if math.Abs(x.StallSeconds-float64(x.Stalls)*stall.Seconds()) > 1e-9 {
				t.Errorf("%s: %d stalls of %g s in all", name, x.Stalls, x.StallSeconds)
			}
		}
		if got := float64(stalls) / float64(n); math.Abs(got/c.want-1) > 0.2 {
			t.Errorf("%s: %.3f stalls per transfer, want %.3f", name, got, c.want)
		}
	}
}

// A blocked link stands still for its share of the time.
func TestBlockedLinks(t *testing.T) {
	var s side
	s.nics = newBlockages(Hiccups{Stall: 10 * time.Millisecond, PerSecond: 5}, 1, 0, 7)
	const work = 100 * time.Second
	done, stalls, stalled := carry(0, 0, work, idle, &s, &side{})
	if done != work+stalled || stalled != time.Duration(stalls)*10*time.Millisecond {
		t.Errorf("done at %s with %d stalls of %s", done, stalls, stalled)
	}
	if rate := float64(stalls) / done.Seconds(); math.Abs(rate/5-1) > 0.1 {
		t.Errorf("%g stalls a second, want 5", rate)
	}
	// Short transfers in between meet the same blockages.
	cut := side{nics: newBlockages(Hiccups{Stall: 10 * time.Millisecond, PerSecond: 5}, 1, 0, 7)}
	at, sum := time.Duration(0), 0
	for range 10_000 {
		var n int
		at, n, _ = carry(0, at, work/10_000, idle, &cut)
		sum += n
	}
	if at != done || sum < stalls {
		t.Errorf("in pieces: done at %s with %d stalls, in one go %s with %d", at, sum, done, stalls)
	}
}

func TestTimeoutsRetriesAndFailures(t *testing.T) {
	f, o := busyLinks(t, 5, func(c *Config) {
		c.Link.Hiccups = Hiccups{Stall: 500 * time.Millisecond, Chance: 0.05}
		c.Link.Timeout, c.Link.Retries, c.Link.Backoff = 250*time.Millisecond, 1, 20*time.Millisecond
	})
	retried, failed := 0, 0
	for _, x := range o.transfers {
		length := x.EndSeconds - x.StartSeconds
		switch {
		case x.Failed:
			failed++
			same(t, "failed", length, 0.25+0.02+0.25)
		case x.Retries == 1:
			retried++
			if length < 0.27 || length > 0.52 {
				t.Errorf("retried once: took %g s", length)
			}
		case length > 0.25:
			t.Errorf("no retry after %g s", length)
		}
	}
	truth := f.Truth()
	if retried < 10 || failed < 1 || truth.Transfers.Failed != int64(failed) || truth.Transfers.LocalPrefills != int64(failed) {
		t.Errorf("%d retried, %d failed, %+v", retried, failed, truth.Transfers)
	}
	if truth.FinishedRequests != 400 || truth.Transfers.LeakedTokens == 0 {
		t.Errorf("after failed transfers: %+v", truth)
	}
}

func TestFailedTransfersCanFailTheRequest(t *testing.T) {
	f, o := busyLinks(t, 6, func(c *Config) { c.Link.FailureChance, c.Handoff.OnFailure = 0.1, Fail })
	truth := f.Truth()
	if truth.Transfers.Failed < 20 || truth.Faults.FailedRequests != truth.Transfers.Failed ||
		truth.FinishedRequests+truth.Faults.FailedRequests != 400 || int(truth.FinishedRequests) != len(o.requests) {
		t.Errorf("%+v %+v", truth.Transfers, truth.Faults)
	}
	if truth.Transfers.LeakedTokens != 0 {
		t.Errorf("%d prompt tokens were computed on decode workers", truth.Transfers.LeakedTokens)
	}
	// vLLM's prefill worker keeps what was not fetched until the lease ends.
	if f.workers[0].pinned+f.workers[1].pinned != int(truth.Transfers.Failed) {
		t.Errorf("%d and %d prompts are pinned", f.workers[0].pinned, f.workers[1].pinned)
	}
	advance(t, f, f.Now()+481*time.Second)
	checkAllBlocks(t, f, true)
	if got := f.Truth().Transfers.ExpiredLeases; got != truth.Transfers.Failed {
		t.Errorf("%d leases expired, want %d", got, truth.Transfers.Failed)
	}
}

// TCP takes the share of pairs or transfers it is given, the same pairs always.
func TestFallbackToTCP(t *testing.T) {
	_, o := busyLinks(t, 7, func(c *Config) { c.Link.Fallback.Pairs, c.Link.Fallback.Bandwidth = 0.5, 1e9 })
	pairs := map[[2]int]Transport{}
	count := map[Transport]int{}
	for _, x := range o.transfers {
		p := [2]int{x.Source, x.Destination}
		if was, ok := pairs[p]; ok && was != x.Transport {
			t.Fatalf("pair %v changed from %s to %s", p, was, x.Transport)
		}
		pairs[p] = x.Transport
		count[x.Transport]++
		bandwidth, latency := 2e9, 1.5e-3
		if x.Transport == TCP {
			bandwidth, latency = 1e9, 3e-3
		}
		same(t, string(x.Transport), x.EndSeconds-x.StartSeconds, latency+x.Bytes/(2*bandwidth))
	}
	if len(pairs) != 6 || count[TCP] == 0 || count[RDMA] == 0 {
		t.Errorf("pairs: %v", pairs)
	}
	f, o := busyLinks(t, 7, func(c *Config) { c.Link.Fallback.Transfers = 0.05 })
	n := 0
	for _, x := range o.transfers {
		if x.Transport == TCP {
			n++
		}
	}
	if n < 8 || n > 36 || f.Truth().Transfers.TCP.Transfers != int64(n) || f.Truth().Transfers.RDMA.Transfers != int64(400-n) {
		t.Errorf("%d of 400 transfers took TCP, want about 20: %+v", n, f.Truth().Transfers)
	}
}

// Layer-wise pushing hides all but the last piece behind the computation.
func TestLayerWiseOverlap(t *testing.T) {
	run := func(overlap bool) TransferTruth {
		cfg := split(SGLang, 1, 1, Request{PromptTokens: 800, OutputTokens: 2})
		cfg.Link.Pieces, cfg.Link.Overlap, cfg.Link.Latency, cfg.Link.Post = 32, overlap, 100*time.Microsecond, 0
		cfg.Link.Bandwidth = 5e9
		o := observe(&cfg)
		f := start(t, cfg)
		finish(t, f)
		return o.transfers[0]
	}
	apart, over := run(false), run(true)
	length := apart.EndSeconds - apart.StartSeconds
	same(t, "length", over.EndSeconds-over.StartSeconds, length)
	same(t, "exposed without overlap", apart.ExposedSeconds, length)
	if math.Abs(over.ExposedSeconds-length/32) > 1e-6 || over.StartSeconds >= over.PostedSeconds {
		t.Errorf("exposed %g s of %g s: %+v", over.ExposedSeconds, length, over)
	}
}

// Pulling or pushing waits for the slower of the two ends.
func TestWorseLinkHolds(t *testing.T) {
	cfg := split(VLLM, 1, 2, Request{PromptTokens: 160, OutputTokens: 1}, Request{PromptTokens: 160, OutputTokens: 1})
	o := observe(&cfg)
	f := start(t, cfg)
	slow := f.Link(2)
	slow.Transport, slow.Bandwidth, slow.Latency = Local, 1e9, 5*time.Millisecond
	if err := f.SetLink(slow, 2); err != nil {
		t.Fatal(err)
	}
	finish(t, f)
	bytes := 160 * f.model.KVBytesPerToken("")
	for _, x := range o.transfers {
		want, transport := 1.5e-3+bytes/2/45e9, RDMA
		if x.Destination == 2 {
			want, transport = 5e-3+bytes/2/1e9, Local
		}
		same(t, string(transport), x.EndSeconds-x.StartSeconds, want)
		if x.Transport != transport {
			t.Errorf("%s to %d, want %s", x.Transport, x.Destination, transport)
		}
	}
}

func TestLinkErrorsNameKeyBoundAndValue(t *testing.T) {
	for want, change := range map[string]func(*Link){
		`link.transport: must be rdma, tcp, nvlink or local, is "x"`:                       func(l *Link) { l.Transport = "x" },
		"link.latency: must be at least 0s, is -1s":                                        func(l *Link) { l.Latency, l.Post = -time.Second, -time.Second },
		"link.post: must be at most the latency 1.5ms, is 2ms":                             func(l *Link) { l.Post = 2 * time.Millisecond },
		"link.bandwidth: must be at least 1 byte/s, is 0":                                  func(l *Link) { l.Bandwidth = 0 },
		"link.pieces: must be at least 0, is -1":                                           func(l *Link) { l.Pieces = -1 },
		"link.failure_chance: must be from 0 to 1, is 2":                                   func(l *Link) { l.FailureChance = 2 },
		"link.hiccups.per_second: must be at least 0 and with stall 100ms below 10, is 10": func(l *Link) { l.Hiccups = Hiccups{Stall: 100 * time.Millisecond, PerSecond: 10} },
		"link.fallback.bandwidth: must be at least 1 byte/s, is 0":                         func(l *Link) { l.Fallback = Fallback{Pairs: 1} },
	} {
		cfg := split(VLLM, 1, 1)
		change(&cfg.Link)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}
