package fleetsim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/physics"
)

// Benchmark is the traffic of the usual load generators: so many requests as fast as a limit of concurrency allows, all of the first
// ones at once, and lengths spread evenly between a share of the nominal length and the length itself. What lies between client and
// engine, HTTP and tokeniser, takes one request after the other and delays each.
type Benchmark struct {
	Concurrency  int
	PromptTokens int // longest
	OutputTokens int // longest
	// RangeRatio is the shortest length relative to the longest, from above 0 to 1.
	RangeRatio float64
	Requests   int // in all; then the workload is exhausted
	FrontEnd   physics.FrontEnd
}

func (b Benchmark) open(_ *figures, random *rand.Rand) (source, error) {
	if b.Concurrency < 1 || b.PromptTokens < 1 || b.OutputTokens < 1 || b.Requests < 1 {
		return nil, fmt.Errorf("workload.concurrency, prompt_tokens, output_tokens and requests: must be at least 1, are %d, %d, %d and %d",
			b.Concurrency, b.PromptTokens, b.OutputTokens, b.Requests)
	}
	if !(b.RangeRatio > 0 && b.RangeRatio <= 1) {
		return nil, fmt.Errorf("workload.range_ratio: must be above 0 and at most 1, is %g", b.RangeRatio)
	}
	if fe := b.FrontEnd; !(fe.Request >= 0 && fe.Token >= 0) || math.IsInf(fe.Request+fe.Token, 0) {
		return nil, fmt.Errorf("workload.front_end.request_seconds and prompt_token_seconds: must be at least 0 and finite, are %g and %g", fe.Request, fe.Token)
	}
	// The clients send their first requests at time 0.
	return &benchmark{cfg: b, random: random, due: make([]time.Duration, min(b.Concurrency, b.Requests))}, nil
}

type benchmark struct {
	cfg      Benchmark
	random   *rand.Rand
	due      []time.Duration // when clients send the requests that have not left the front end
	sent     int
	frontEnd time.Duration // when the front end is free again
}

func (b *benchmark) next() (Request, bool, error) {
	if len(b.due) == 0 {
		return Request{}, false, nil
	}
	at := b.due[0]
	b.due = b.due[:copy(b.due, b.due[1:])]
	b.sent++
	r := Request{PromptTokens: b.length(b.cfg.PromptTokens), OutputTokens: b.length(b.cfg.OutputTokens)}
	b.frontEnd = max(b.frontEnd, at) + time.Duration(b.cfg.FrontEnd.Delay(r.PromptTokens)*float64(time.Second))
	r.At, r.FrontEnd = b.frontEnd, b.frontEnd-at
	return r, true, nil
}

func (b *benchmark) length(longest int) int {
	shortest := max(1, int(float64(longest)*b.cfg.RangeRatio))
	return shortest + b.random.IntN(longest-shortest+1)
}

func (b *benchmark) completed(at time.Duration, n int) bool {
	for range min(n, b.cfg.Requests-b.sent-len(b.due)) {
		b.due = append(b.due, at)
	}
	return len(b.due) > 0
}

func (b *benchmark) close() error { return nil }
