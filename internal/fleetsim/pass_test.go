package fleetsim

import (
	"math"
	"testing"
	"time"
)

// The run of TestCreditingFollowedByHand as its publisher sends it, then silence.
func TestPassesFollowedByHand(t *testing.T) {
	cfg := small(
		Request{PromptTokens: 100, OutputTokens: 3},
		Request{At: time.Nanosecond, PromptTokens: 40, OutputTokens: 2})
	var got []Pass
	cfg.OnPass = func(p Pass) { got = append(got, p) }
	f := start(t, cfg)
	advance(t, f, 3500*time.Millisecond)
	want := []PassScheduled{
		{PrefillRequests: 1, PrefillTokens: 64},
		{PrefillRequests: 2, PrefillTokens: 36 + 28, PrefillLengthVariance: 900, PrefillKVTokens: 64},
		{PrefillRequests: 1, PrefillTokens: 12, PrefillKVTokens: 28, DecodeRequests: 1, DecodeKVTokens: 100},
		{DecodeRequests: 2, DecodeKVTokens: 101 + 40, DecodeKVVariance: 61 * 61 / 4.0},
	}
	if len(got) != len(want)+3 {
		t.Fatalf("%d records, want %d steps and 3 heartbeats", len(got), len(want))
	}
	var busy float64
	for i, p := range got {
		if p.Counter != uint64(i) {
			t.Errorf("record %d has counter %d", i, p.Counter)
		}
		if i >= len(want) {
			if p.Seconds != 0 || p.Scheduled != (PassScheduled{}) || p.At != got[3].At+time.Duration(i-3)*time.Second {
				t.Errorf("heartbeat %d: %+v", i, p)
			}
			continue
		}
		busy += p.Seconds
		if p.Scheduled != want[i] {
			t.Errorf("step %d: got %+v, want %+v", i, p.Scheduled, want[i])
		}
	}
	if math.Abs(busy-f.Truth().BusySeconds) > 1e-12 {
		t.Errorf("wall times %g, busy %g s", busy, f.Truth().BusySeconds)
	}
}

// Sums over passes are the sums of the truth, and the records do not depend on how the run is cut.
func TestPassesAddUp(t *testing.T) {
	run := func(stops ...time.Duration) ([]Pass, Truth) {
		cfg := busyFleet(3)
		var out []Pass
		cfg.OnPass = func(p Pass) { out = append(out, p) }
		f := start(t, cfg)
		for _, s := range stops {
			advance(t, f, s)
		}
		return out, f.Truth()
	}
	passes, truth := run(2 * time.Minute)
	var seconds float64
	var steps, queued int64
	tokens := int64(0)
	for _, p := range passes {
		seconds += p.Seconds
		tokens += int64(p.Scheduled.PrefillTokens)
		queued += int64(p.Queued.PrefillRequests + p.Queued.DecodeRequests)
		if p.Seconds > 0 {
			steps++
		}
	}
	if steps != truth.Steps || math.Abs(seconds-truth.BusySeconds) > 1e-6 || queued == 0 {
		t.Errorf("%d steps and %g s in passes, %d and %g in truth; %d queued", steps, seconds, truth.Steps, truth.BusySeconds, queued)
	}
	// What is computed again after a preemption with output counts as decode.
	if d := truth.PrefillTokens - tokens; d < 0 || d > truth.RecomputedTokens+truth.Preemptions {
		t.Errorf("%d prefill tokens in passes, %d in truth, of these %d recomputed", tokens, truth.PrefillTokens, truth.RecomputedTokens)
	}
	cut, _ := run(time.Second, 1500*time.Millisecond, 77*time.Second, 2*time.Minute)
	if len(cut) != len(passes) {
		t.Fatalf("%d records when cut, %d otherwise", len(cut), len(passes))
	}
	for i := range cut {
		if cut[i] != passes[i] {
			t.Fatalf("record %d differs when cut: %+v, %+v", i, cut[i], passes[i])
		}
	}
}

// A worker that looks for work in vain goes on with its heartbeats.
func TestHeartbeatsAreNotPutOff(t *testing.T) {
	var a agenda
	var sent []time.Duration
	p := &passRecorder{agenda: &a, emit: func(r Pass) { sent = append(sent, r.At) }}
	for now := time.Duration(0); now < 3*time.Second; now += 300 * time.Millisecond {
		for a.nextTimer() <= now {
			a.fire()
		}
		p.rest(now)
	}
	if len(sent) != 2 || sent[0] != time.Second || sent[1] != 2*time.Second {
		t.Errorf("heartbeats at %v, want 1s and 2s", sent)
	}
	p.stop()
	if a.nextTimer() != idle {
		t.Error("a heartbeat is left after the end")
	}
}
