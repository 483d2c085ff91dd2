package fleetsim

import (
	"math"
	"strings"
	"testing"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/physics"
)

func TestBenchmarkSendsWhatALoadGeneratorSends(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Workload = Benchmark{
		Concurrency: 3, PromptTokens: 100, OutputTokens: 20, RangeRatio: 0.8, Requests: 12,
		FrontEnd: physics.FrontEnd{Request: 0.010, Token: 1e-5},
	}
	var requests []RequestTruth
	cfg.OnRequest = func(r RequestTruth) { requests = append(requests, r) }
	f := start(t, cfg)
	finish(t, f)
	if len(requests) != 12 {
		t.Fatalf("%d of 12 requests answered", len(requests))
	}
	open := func(at float64) (n int) {
		for _, r := range requests {
			if r.ArrivalSeconds-r.FrontEndSeconds <= at && at < r.LastTokenSeconds {
				n++
			}
		}
		return n
	}
	atOnce := 0
	for _, r := range requests {
		if r.PromptTokens < 80 || r.PromptTokens > 100 || r.OutputTokens < 16 || r.OutputTokens > 20 {
			t.Errorf("lengths %d and %d are not from 0.8 to 1 of 100 and 20", r.PromptTokens, r.OutputTokens)
		}
		sent := r.ArrivalSeconds - r.FrontEndSeconds
		if n := open(sent + 1e-6); n > 3 {
			t.Errorf("%d requests are open at %g s, at most 3 may be", n, sent)
		}
		if sent < 1e-9 {
			atOnce++
			// The front end takes them one after the other, each for about 11 ms.
			if place := math.Round(r.FrontEndSeconds / 0.011); place < 1 || place > 3 {
				t.Errorf("one of the first three waits %g s in the front end", r.FrontEndSeconds)
			}
		}
	}
	if atOnce != 3 {
		t.Errorf("%d requests are sent at once, want 3", atOnce)
	}
}

func TestBenchmarkErrorsNameKeyBoundAndValue(t *testing.T) {
	for want, b := range map[string]Benchmark{
		"requests: must be at least 1, are 1, 1, 1 and 0":             {Concurrency: 1, PromptTokens: 1, OutputTokens: 1, RangeRatio: 1},
		"workload.range_ratio: must be above 0 and at most 1, is 1.5": {Concurrency: 1, PromptTokens: 1, OutputTokens: 1, Requests: 1, RangeRatio: 1.5},
		"must be at least 0 and finite, are -1 and 0":                 {Concurrency: 1, PromptTokens: 1, OutputTokens: 1, Requests: 1, RangeRatio: 1, FrontEnd: physics.FrontEnd{Request: -1}},
	} {
		cfg := DefaultConfig()
		cfg.Workload = b
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %q", b, err, want)
		}
	}
}
