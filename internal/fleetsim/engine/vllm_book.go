package engine

import (
	"math"
	"time"
)

// VLLM is the book of vLLM V1 with its Python front end. Scheduler figures change with every step, request figures only with
// steps that produce output.
type VLLM struct {
	facts Facts
	head  vllmHead
	state State

	prefixQueries, prefixHits  int64
	preemptions                int64
	promptTokens, cachedTokens int64
	computedTokens             int64
	generationTokens           int64
	stopped, lengthLimited     int64

	promptLength, outputLength, maxOutputLength, maxTokensParam, kvComputed histogram
	iterationTokens, paramN, requestPreemptions                             histogram
	ttft, itl, tpot                                                         histogram
	e2e, queue, inference, prefill, decode                                  histogram
}

var _ Book = (*VLLM)(nil)

// NewVLLM opens the book of a process that has just started. The bounds are vLLM's; those of token counts reach up to the longest
// context.
func NewVLLM(f Facts) *VLLM {
	lengths := oneTwoFive(f.MaxModelTokens)
	ttft := []float64{0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560}
	itl := []float64{0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80}
	request := []float64{0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680}
	return &VLLM{
		facts: f, head: newVLLMHead(f),
		promptLength: newHistogram(lengths), outputLength: newHistogram(lengths), maxOutputLength: newHistogram(lengths),
		maxTokensParam: newHistogram(lengths), kvComputed: newHistogram(lengths),
		iterationTokens:    newHistogram([]float64{1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384}),
		paramN:             newHistogram([]float64{1, 2, 5, 10, 20}),
		requestPreemptions: newHistogram([]float64{1, 2, 3, 4, 5, 10, 20}),
		ttft:               newHistogram(ttft), itl: newHistogram(itl), tpot: newHistogram(itl),
		e2e: newHistogram(request), queue: newHistogram(request), inference: newHistogram(request),
		prefill: newHistogram(request), decode: newHistogram(request),
	}
}

// Planned counts the lookups of first admissions.
func (s *VLLM) Planned(l Lookup) {
	s.prefixQueries += int64(l.Queries)
	s.prefixHits += int64(l.Hits)
}

// Step books a step as vLLM's front end counts it: with output, the tokens produced plus the whole computed prompt of every
// request that got its first token; without output nothing at all, not even an observation of 0.
func (s *VLLM) Step(t *Step) {
	s.state = t.State
	s.preemptions += int64(t.Preemptions)
	if t.Outputs == 0 {
		return
	}
	s.generationTokens += int64(t.Outputs)
	s.iterationTokens.observe(float64(t.Outputs + t.CreditedPrompt))
}

// FirstToken books the prompt of a request.
func (s *VLLM) FirstToken(r *Request) {
	s.promptTokens += int64(r.PromptTokens)
	s.cachedTokens += int64(r.CachedTokens)
	s.computedTokens += int64(r.PromptTokens - r.CachedTokens)
	s.ttft.observe((r.FirstToken - r.Arrival).Seconds())
}

// Intervals books inter-token latencies.
func (s *VLLM) Intervals(d time.Duration, n int) { s.itl.observeN(d.Seconds(), n) }

// Finished books a request that is done.
func (s *VLLM) Finished(r *Request) {
	if r.GeneratedTokens < r.NaturalTokens {
		s.lengthLimited++
	} else {
		s.stopped++
	}
	decode := (r.LastToken - r.FirstToken).Seconds()
	s.e2e.observe((r.LastToken - r.Arrival).Seconds())
	s.queue.observe((r.FirstScheduled - r.Queued).Seconds())
	s.prefill.observe((r.FirstToken - r.FirstScheduled).Seconds())
	s.inference.observe((r.LastToken - r.FirstScheduled).Seconds())
	s.decode.observe(decode)
	s.requestPreemptions.observe(float64(r.Preemptions))
	s.kvComputed.observe(float64(r.PromptTokens - r.CachedTokens))
	s.promptLength.observe(float64(r.PromptTokens))
	s.outputLength.observe(float64(r.GeneratedTokens))
	s.maxOutputLength.observe(float64(r.GeneratedTokens))
	s.tpot.observe(decode / math.Max(float64(r.GeneratedTokens-1), 1))
	s.paramN.observe(1)
	// A client that sets no max_tokens gets what the context leaves.
	s.maxTokensParam.observe(float64(s.facts.MaxModelTokens - r.PromptTokens))
}

// Transferred is told of a fetch of KV.
func (s *VLLM) Transferred(*Transfer) {}

// Expired is told of KV given up.
func (s *VLLM) Expired(int) {}

// Sent is told of KV fetched by another engine, of which vLLM's page says nothing.
func (s *VLLM) Sent(*Transfer) {}

// Evicted is told of a block taken for other content.
func (s *VLLM) Evicted(*Eviction) {}

// Endpoints are the paths of vLLM's server.
func (s *VLLM) Endpoints() []Endpoint {
	return []Endpoint{{Path: "/metrics", ContentType: s.ContentType(), Write: s.WritePage}, healthy("/health")}
}

// ContentType is the media type of the page.
func (s *VLLM) ContentType() string { return VLLMContentType }

// oneTwoFive lists 1, 2, 5, 10, 20, 50 ... up to and including limit.
func oneTwoFive(limit int) []float64 {
	var out []float64
	for scale := 1; ; scale *= 10 {
		for _, m := range []int{1, 2, 5} {
			if m*scale > limit {
				return out
			}
			out = append(out, float64(m*scale))
		}
	}
}
