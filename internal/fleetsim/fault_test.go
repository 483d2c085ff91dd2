package fleetsim

import (
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"
)

// mustNot fails on an error.
func mustNot(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A worker that restarts loses its requests, its cache and its counters.
func TestRestartEmptiesAWorker(t *testing.T) {
	requests, _, _ := traffic(1, 100, 10*time.Millisecond)
	cfg := split(VLLM, 1, 1, requests...)
	cfg.Pools = cfg.Pools[:1]
	cfg.Pools[0].Role, cfg.Pools[0].Workers = Aggregated, 2
	f := start(t, cfg)
	advance(t, f, 500*time.Millisecond)
	before := f.WorkerTruth(0)
	inside := f.workers[0].load()
	if inside == 0 || before.CachedTokens == 0 || readPage(t, f, 0)("prompt_tokens_total") == 0 {
		t.Fatalf("nothing to lose: %d requests, %+v", inside, before)
	}
	mustNot(t, f.RestartWorker(0, 200*time.Millisecond))
	if err := f.RestartWorker(0, 0); err == nil || !strings.Contains(err.Error(), "worker: 0 is down already") {
		t.Errorf("a second restart: %v", err)
	}
	if f.Up(0) || f.workers[0].load() != 0 || !errors.Is(f.WriteMetrics(0, io.Discard), ErrDown) {
		t.Error("the worker is not down")
	}
	if got := f.WorkerTruth(0).Faults; got.Restarts != 1 || got.LostRequests != int64(inside) {
		t.Errorf("%d requests were inside: %+v", inside, got)
	}
	down := f.Now()
	advance(t, f, down+50*time.Millisecond)
	near(t, "down seconds meanwhile", f.Truth().Faults.DownSeconds, 0.05)
	near(t, "of the worker", f.WorkerTruth(0).Faults.DownSeconds, 0.05)
	advance(t, f, 700*time.Millisecond)
	if !f.Up(0) || readPage(t, f, 0)("prompt_tokens_total") != 0 {
		t.Error("the worker did not come back with counters at 0")
	}
	if want := f.cfg.StartTime.Add(700 * time.Millisecond); !f.Facts(0).Start.Equal(want) {
		t.Errorf("process start %s, want %s", f.Facts(0).Start, want)
	}
	finish(t, f)
	truth := f.Truth()
	if truth.FinishedRequests+truth.Faults.LostRequests != 100 || math.Abs(truth.Faults.DownSeconds-0.2) > 1e-9 {
		t.Errorf("%d finished, %+v", truth.FinishedRequests, truth.Faults)
	}
	if idle := truth.SimulatedSeconds*2 - truth.BusySeconds - truth.IdleSeconds - truth.InFlightSeconds - truth.AbandonedSeconds; math.Abs(idle) > 1e-9 {
		t.Errorf("time does not add up by %g s", idle)
	}
	checkAllBlocks(t, f, true)
}

// Clients that send lost requests again get all their answers, of every engine and from either side of a hand-over.
func TestLostRequestsAreSentAgain(t *testing.T) {
	for _, name := range []string{VLLM, SGLang, TensorRTLLM} {
		for victim := range 4 {
			requests, prompt, output := traffic(uint64(victim), 150, 5*time.Millisecond)
			cfg := split(name, 2, 2, requests...)
			cfg.Client = Client{Retries: 1, Backoff: 50 * time.Millisecond}
			cfg.Pools[1].KVBlocks = 150
			cfg.Router, cfg.Link.Bandwidth, cfg.Handoff.Lease = LeastLoaded, 1e9, 2*time.Second
			o := observe(&cfg)
			f := start(t, cfg)
			advance(t, f, 400*time.Millisecond)
			if f.workers[victim].load()+len(f.workers[victim].handoffs) == 0 {
				t.Fatalf("%s: worker %d has nothing to lose", name, victim)
			}
			mustNot(t, f.RestartWorker(victim, 100*time.Millisecond))
			for !f.Done() {
				advance(t, f, f.Now()+10*time.Millisecond)
				checkAllBlocks(t, f, false)
			}
			truth := f.Truth()
			if truth.FinishedRequests != 150 || len(o.requests) != 150 || truth.Faults.LostRequests != 0 || truth.Faults.ResentRequests == 0 {
				t.Errorf("%s, worker %d: %d finished, %+v", name, victim, truth.FinishedRequests, truth.Faults)
			}
			var in, out int64
			resent := int64(0)
			for _, r := range o.requests {
				in, out = in+int64(r.PromptTokens), out+int64(r.OutputTokens)
				resent += int64(r.Attempt)
			}
			if in != prompt || out != output || resent != truth.Faults.ResentRequests {
				t.Errorf("%s, worker %d: %d of %d prompt and %d of %d output tokens, %d sent again", name, victim, in, prompt, out, output, resent)
			}
			// What a dead decode worker had not fetched stays with vLLM's prefill worker until the lease ends.
			advance(t, f, f.Now()+3*time.Second)
			checkAllBlocks(t, f, true)
			if expired := f.Truth().Transfers.ExpiredLeases; (expired > 0) != (name != SGLang && victim >= 2) {
				t.Errorf("%s, worker %d: %d leases expired", name, victim, expired)
			}
		}
	}
}

// KV that nobody fetches in time is given up; the decode worker computes the prompt itself.
func TestLeasesExpire(t *testing.T) {
	for _, policy := range []FailurePolicy{Recompute, Fail} {
		requests, _, _ := traffic(3, 60, time.Millisecond)
		cfg := split(VLLM, 1, 1, requests...)
		cfg.Handoff = Handoff{Lease: 300 * time.Millisecond, OnFailure: policy}
		cfg.Pools[0].KVBlocks, cfg.Pools[1].KVBlocks = 2000, 80
		f := start(t, cfg)
		finish(t, f)
		truth, d := f.Truth(), f.PoolTruth(1)
		x := truth.Transfers
		if x.ExpiredLeases == 0 || x.Prefills != 60 || f.PoolTruth(0).Transfers.ExpiredLeases != x.ExpiredLeases || x.Fetched+x.ExpiredLeases != 60 {
			t.Errorf("%s: %+v", policy, x)
		}
		switch policy {
		case Recompute:
			if truth.FinishedRequests != 60 || x.LocalPrefills != x.ExpiredLeases || x.LeakedTokens != d.PrefillTokens-x.LastTokens || x.LeakedTokens == 0 {
				t.Errorf("%s: %d finished, %+v", policy, truth.FinishedRequests, x)
			}
		case Fail:
			if truth.Faults.FailedRequests != x.ExpiredLeases || truth.FinishedRequests != x.Fetched || x.LocalPrefills != 0 {
				t.Errorf("%s: %d finished, %+v %+v", policy, truth.FinishedRequests, x, truth.Faults)
			}
		}
		checkAllBlocks(t, f, true)
	}
}

// A lease that ends while its transfer is queued or under way ends that too.
func TestLeaseEndsTransfers(t *testing.T) {
	cfg := split(VLLM, 1, 2, Request{PromptTokens: 800, OutputTokens: 2}, Request{PromptTokens: 800, OutputTokens: 2})
	cfg.Handoff.Lease, cfg.Link.Bandwidth = 100*time.Millisecond, 1e6
	o := observe(&cfg)
	f := start(t, cfg)
	finish(t, f)
	if truth := f.Truth(); truth.FinishedRequests != 2 || truth.Transfers.ExpiredLeases != 2 || truth.Transfers.Failed != 2 {
		t.Errorf("%+v", truth.Transfers)
	}
	for _, x := range o.transfers {
		if !x.Failed || math.Abs(x.EndSeconds-x.PostedSeconds-0.1) > 1e-9 {
			t.Errorf("%+v", x)
		}
	}
	checkAllBlocks(t, f, true)
}

// Without any worker up requests wait, on either side.
func TestRequestsWaitForAWorker(t *testing.T) {
	for _, name := range []string{VLLM, SGLang} {
		for victim := range 2 {
			requests, _, _ := traffic(4, 20, 10*time.Millisecond)
			cfg := split(name, 1, 1, requests...)
			f := start(t, cfg)
			mustNot(t, f.RestartWorker(victim, time.Second))
			advance(t, f, 900*time.Millisecond)
			if got := f.Truth().FinishedRequests; got != 0 {
				t.Errorf("%s: %d requests were answered while worker %d was down", name, got, victim)
			}
			finish(t, f)
			if truth := f.Truth(); truth.FinishedRequests != 20 || truth.Faults.LostRequests != 0 {
				t.Errorf("%s, worker %d: %d finished, %+v", name, victim, truth.FinishedRequests, truth.Faults)
			}
		}
	}
}

func TestSpeedStretchesSteps(t *testing.T) {
	cfg := small(Request{PromptTokens: 10, OutputTokens: 3})
	var steps []float64
	cfg.OnStep = func(s StepTruth) { steps = append(steps, s.Seconds) }
	cfg.Pools[0].Replicas = []Replica{{Speed: 0.5}}
	f := start(t, cfg)
	finish(t, f)
	slow := steps
	steps = nil
	cfg.Pools[0].Replicas = nil
	g := start(t, cfg)
	advance(t, g, 0)
	mustNot(t, g.SetSpeed(0, 0.25)) // from the second step on
	finish(t, g)
	for i, factor := range []float64{2, 0.5, 0.5} {
		if math.Abs(slow[i]/steps[i]-factor) > 1e-6 {
			t.Errorf("step %d took %g s and %g s, want a ratio of %g", i, slow[i], steps[i], factor)
		}
	}
	for _, bad := range []float64{0, -1, math.NaN(), 1e9} {
		if err := g.SetSpeed(0, bad); err == nil || !strings.Contains(err.Error(), "speed: must be from 0.001 to 1000") {
			t.Errorf("speed %g: %v", bad, err)
		}
	}
	if err := g.SetSpeed(1, 1); err == nil || !strings.Contains(err.Error(), "worker: must be from 0 to 0, is 1") {
		t.Errorf("unknown worker: %v", err)
	}
}

func TestLoadSteps(t *testing.T) {
	arrivals := func(f *Fleet, from, to time.Duration) int64 {
		advance(t, f, from)
		before := f.Truth().ArrivedRequests
		advance(t, f, to)
		return f.Truth().ArrivedRequests - before
	}
	cfg := DefaultConfig()
	cfg.Workload = Synthetic{Shape: "azure-conversation", Load: 0.2}
	f := start(t, cfg)
	one := arrivals(f, 0, 10*time.Minute)
	mustNot(t, f.SetLoad(3))
	three := arrivals(f, 10*time.Minute, 20*time.Minute)
	mustNot(t, f.SetLoad(1))
	back := arrivals(f, 20*time.Minute, 30*time.Minute)
	if r := float64(three) / float64(one); math.Abs(r-3) > 0.4 {
		t.Errorf("%d arrivals at load 1, %d at load 3", one, three)
	}
	if r := float64(back) / float64(one); math.Abs(r-1) > 0.2 {
		t.Errorf("%d arrivals at first, %d when the load is back", one, back)
	}
	// A script: what was to come in 4 s comes in 2.
	g := start(t, small(Request{PromptTokens: 5, OutputTokens: 1}, Request{At: 4 * time.Second, PromptTokens: 5, OutputTokens: 1}))
	mustNot(t, g.SetLoad(2))
	advance(t, g, 2*time.Second-1)
	if got := g.Truth().ArrivedRequests; got != 1 {
		t.Errorf("%d arrivals before 2 s", got)
	}
	advance(t, g, 2*time.Second)
	if got := g.Truth().ArrivedRequests; got != 2 {
		t.Errorf("%d arrivals at 2 s", got)
	}
	for _, bad := range []float64{0, -1, math.Inf(1), math.NaN()} {
		if err := g.SetLoad(bad); err == nil {
			t.Errorf("a load of %g is accepted", bad)
		}
	}
	cfg.Workload = ClosedLoop{Concurrency: 1, PromptTokens: 1, OutputTokens: 1}
	if err := start(t, cfg).SetLoad(2); err == nil || !strings.Contains(err.Error(), "a closed loop has no rate") {
		t.Errorf("closed loop: %v", err)
	}
}

func TestResetCountersKeepsTheWork(t *testing.T) {
	f := start(t, busyFleet(3))
	advance(t, f, 20*time.Second)
	before := f.WorkerTruth(1)
	mustNot(t, f.ResetCounters(1))
	if got := readPage(t, f, 1)("generation_tokens_total"); got != 0 {
		t.Errorf("%g tokens after the reset", got)
	}
	advance(t, f, 40*time.Second)
	after := f.WorkerTruth(1)
	if got := readPage(t, f, 1)("generation_tokens_total"); got != float64(after.OutputTokens-before.OutputTokens) || got == 0 {
		t.Errorf("%g tokens since the reset, want %d", got, after.OutputTokens-before.OutputTokens)
	}
	g := start(t, busyFleet(3))
	advance(t, g, 40*time.Second)
	if f.Truth() != g.Truth() {
		t.Error("the reset changed what the fleet did")
	}
}

func TestLinkChangesWhileRunning(t *testing.T) {
	requests, _, _ := traffic(8, 300, 5*time.Millisecond)
	cfg := split(VLLM, 2, 2, requests...)
	o := observe(&cfg)
	f := start(t, cfg)
	at := func(when time.Duration, change func(*Link)) {
		mustNot(t, f.At(when, func() {
			l := f.Link(0)
			change(&l)
			mustNot(t, f.SetLink(l))
		}))
	}
	at(500*time.Millisecond, func(l *Link) { l.Fallback.Pairs = 1 })
	at(time.Second, func(l *Link) { l.Fallback.Pairs, l.Hiccups = 0, Hiccups{Stall: time.Millisecond, PerSecond: 50} })
	finish(t, f)
	stalls := 0
	for _, x := range o.transfers {
		if tcp := x.StartSeconds >= 0.5 && x.StartSeconds < 1; tcp != (x.Transport == TCP) {
			t.Errorf("started at %g s over %s", x.StartSeconds, x.Transport)
		}
		if x.StartSeconds < 1 && x.Stalls > 0 {
			t.Errorf("stalled at %g s", x.StartSeconds)
		}
		stalls += x.Stalls
	}
	if stalls == 0 {
		t.Error("no transfer met a blocked link")
	}
	if err := f.SetLink(Link{}); err == nil || !strings.Contains(err.Error(), "link.transport") {
		t.Errorf("an empty link: %v", err)
	}
	if err := f.At(0, func() {}); err == nil || !strings.Contains(err.Error(), "at: must be at least the time reached") {
		t.Errorf("a fault in the past: %v", err)
	}
}
