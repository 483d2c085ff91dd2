package fleetsim

import (
	"fmt"
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
	return &benchmark{cfg: b, random: random, due: min(b.Concurrency, b.Requests)}, nil
}

type benchmark struct {
	cfg      Benchmark
	random   *rand.Rand
	sent     int
	at       time.Duration // when the client sends the requests that are due
	due      int
	frontEnd time.Duration // when the front end is free again
}

func (b *benchmark) next() (Request, bool, error) {
	if b.due == 0 {
		return Request{}, false, nil
	}
	b.due--
	b.sent++
	r := Request{PromptTokens: b.length(b.cfg.PromptTokens), OutputTokens: b.length(b.cfg.OutputTokens)}
	b.frontEnd = max(b.frontEnd, b.at) + time.Duration(b.cfg.FrontEnd.Delay(r.PromptTokens)*float64(time.Second))
	r.At, r.FrontEnd = b.frontEnd, b.frontEnd-b.at
	return r, true, nil
}

func (b *benchmark) length(longest int) int {
	shortest := max(1, int(float64(longest)*b.cfg.RangeRatio))
	return shortest + b.random.IntN(longest-shortest+1)
}

func (b *benchmark) completed(at time.Duration, n int) bool {
	b.at = at
	b.due += min(n, b.cfg.Requests-b.sent-b.due)
	return b.due > 0
}

func (b *benchmark) close() error { return nil }
