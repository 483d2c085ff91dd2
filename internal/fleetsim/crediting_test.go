package fleetsim

import (
	"math"
	"testing"
	"time"
)

// Two requests, followed step by step by hand (budget 64):
//
//	step 1: 64 of the 100 prompt tokens of the first; no output. The second arrives meanwhile.
//	step 2: its other 36, first token; 28 of the 40 of the second.
//	step 3: second token of the first; 12 of the second, first token.
//	step 4: third and last token of the first, second and last of the second.
func TestCreditingFollowedByHand(t *testing.T) {
	cfg := small(
		Request{PromptTokens: 100, OutputTokens: 3},
		Request{At: time.Nanosecond, PromptTokens: 40, OutputTokens: 2})
	var ends []time.Duration
	var f *Fleet
	cfg.OnStep = func(s StepTruth) { ends = append(ends, f.workers[0].stepEnd) }
	f = start(t, cfg)
	advance(t, f, 0)

	type books struct{ iterations, iterationTokens, prompt, generated, ttft, itl, finished, running float64 }
	read := func() books {
		p := readPage(t, f, 0)
		return books{
			p("iteration_tokens_total_count"), p("iteration_tokens_total_sum"), p("prompt_tokens_total"), p("generation_tokens_total"),
			p("time_to_first_token_seconds_count"), p("inter_token_latency_seconds_count"), p("e2e_request_latency_seconds_count"),
			p("num_requests_running"),
		}
	}
	want := []books{
		{0, 0, 0, 0, 0, 0, 0, 1},     // nothing at all is recorded for a step without output
		{1, 101, 100, 1, 1, 0, 0, 2}, // one token and the whole prompt of the first, nothing for the second
		{2, 143, 140, 3, 2, 1, 0, 2}, // 101 + two tokens and the 40 of the second
		{3, 145, 140, 5, 2, 3, 2, 0}, // 143 + two tokens
	}
	for i, w := range want {
		for len(ends) == i {
			advance(t, f, f.workers[0].stepEnd)
		}
		if got := read(); got != w {
			t.Errorf("after step %d: got %+v, want %+v", i+1, got, w)
		}
	}
	if !f.Done() {
		t.Error("not done after four steps")
	}

	checkTimes(t, f, ends)
}

// checkTimes compares sums of latencies with the ends of the four steps.
func checkTimes(t *testing.T, f *Fleet, ends []time.Duration) {
	t.Helper()
	p := readPage(t, f, 0)
	near := func(name string, got float64, want time.Duration) {
		t.Helper()
		if math.Abs(got-want.Seconds()) > 1e-9 {
			t.Errorf("%s: got %.9f, want %.9f", name, got, want.Seconds())
		}
	}
	t1, t2, t3, t4 := ends[0], ends[1], ends[2], ends[3]
	near("ttft", p("time_to_first_token_seconds_sum"), t2+t3-1)
	near("itl", p("inter_token_latency_seconds_sum"), (t3-t2)+2*(t4-t3))
	// The engine core sees the second request at the end of step 1 and schedules it at once: waiting before that is no queue time.
	near("queue", p("request_queue_time_seconds_sum"), 0)
	near("prefill", p("request_prefill_time_seconds_sum"), t2+(t3-t1))
	near("decode", p("request_decode_time_seconds_sum"), (t4-t2)+(t4-t3))
	near("inference", p("request_inference_time_seconds_sum"), t4+(t4-t1))
	near("e2e", p("e2e_request_latency_seconds_sum"), t4+t4-1)
	near("tpot", p("request_time_per_output_token_seconds_sum"), (t4-t2)/2+(t4-t3))

	truth := f.Truth()
	if truth.Steps != 4 || truth.OutputSteps != 3 || truth.PrefillOnlySteps != 2 || truth.MixedSteps != 1 || truth.DecodeOnlySteps != 1 {
		t.Errorf("steps: %+v", truth)
	}
	// What the engine counts as queue time misses the wait inside step 1; the truth has it.
	near("true queue", truth.Queue.Sum, t1-1)
	if truth.PrefillTokens != 140 || truth.DecodeTokens != 3 || truth.DecodeContextTokens != 101+102+41 {
		t.Errorf("tokens: %+v", truth)
	}
	if want := 100*101/2 + 40*41/2.0; truth.PrefillContext != want {
		t.Errorf("prefill context: got %g, want %g", truth.PrefillContext, want)
	}
}

// Eight blocks for two requests that need six each: the newer one is preempted and computed again.
func TestPreemptionRecomputesAndIsCountedLate(t *testing.T) {
	cfg := small(
		Request{PromptTokens: 48, OutputTokens: 40},
		Request{At: 1, PromptTokens: 48, OutputTokens: 40})
	cfg.Pools[0].MaxBatchedTokens, cfg.Pools[0].KVBlocks = 128, 9
	f := start(t, cfg)
	w := f.workers[0]
	late := false
	advance(t, f, 0)
	for !f.Done() {
		advance(t, f, w.stepEnd)
		if f.Truth().Preemptions > 0 && readPage(t, f, 0)("num_preemptions_total") == 0 {
			late = true
		}
		checkBlocks(t, w)
	}
	if !late {
		t.Error("the engine counted a preemption before the preempted request went on")
	}
	truth := f.Truth()
	p := readPage(t, f, 0)
	if counted := p("num_preemptions_total"); truth.Preemptions == 0 || counted != float64(truth.Preemptions) {
		t.Errorf("preemptions: true %d, counted %g", truth.Preemptions, counted)
	}
	// A recomputation also computes the last sampled token, which the next decode would have done.
	if truth.RecomputedTokens == 0 || truth.PrefillTokens != 96+truth.RecomputedTokens+truth.Preemptions {
		t.Errorf("prefill tokens %d with %d recomputed and %d preemptions", truth.PrefillTokens, truth.RecomputedTokens, truth.Preemptions)
	}
	prompt, generated := p("prompt_tokens_total"), p("generation_tokens_total")
	ttft, itl := p("time_to_first_token_seconds_count"), p("inter_token_latency_seconds_count")
	if prompt != 96 || generated != 80 || ttft != 2 || itl != 78 {
		t.Errorf("prompt %g generated %g ttft %g itl %g, want 96, 80, 2, 78", prompt, generated, ttft, itl)
	}
	if sum := p("request_num_preemptions_sum"); sum != float64(truth.Preemptions) {
		t.Errorf("request preemptions: sum %g, want %d", sum, truth.Preemptions)
	}
}
