package fleetsim

import "math"

// engineStats is what the engine says about itself: the state behind vLLM's /metrics. Scheduler figures change with every step,
// request figures only with steps that produce output.
type engineStats struct {
	running, waiting int
	kvUsage          float64

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

// newEngineStats sets up the histograms with vLLM's bounds; those of token counts reach up to the longest context.
func newEngineStats(maxModelTokens int) engineStats {
	lengths := oneTwoFive(maxModelTokens)
	ttft := []float64{0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560}
	itl := []float64{0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80}
	request := []float64{0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680}
	return engineStats{
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

// iteration books a step as vLLM's front end counts it: with output, the tokens produced plus the whole computed prompt of every
// request that got its first token; without output nothing at all, not even an observation of 0.
func (s *engineStats) iteration(outputs, creditedPrompt int) {
	if outputs == 0 {
		return
	}
	s.generationTokens += int64(outputs)
	s.iterationTokens.observe(float64(outputs + creditedPrompt))
}

// firstToken books the first token of a request.
func (s *engineStats) firstToken(r *request) {
	s.promptTokens += int64(r.PromptTokens)
	s.cachedTokens += int64(r.cachedTokens)
	s.computedTokens += int64(r.PromptTokens - r.cachedTokens)
	s.ttft.observe((r.firstToken - r.At).Seconds())
}

// finished books a request that is done.
func (s *engineStats) finished(r *request, maxModelTokens int) {
	if r.generated < r.OutputTokens {
		s.lengthLimited++
	} else {
		s.stopped++
	}
	decode := (r.lastToken - r.firstToken).Seconds()
	s.e2e.observe((r.lastToken - r.At).Seconds())
	s.queue.observe((r.firstScheduled - r.queued).Seconds())
	s.prefill.observe((r.firstToken - r.firstScheduled).Seconds())
	s.inference.observe((r.lastToken - r.firstScheduled).Seconds())
	s.decode.observe(decode)
	s.requestPreemptions.observe(float64(r.preemptions))
	s.kvComputed.observe(float64(r.PromptTokens - r.cachedTokens))
	s.promptLength.observe(float64(r.PromptTokens))
	s.outputLength.observe(float64(r.generated))
	s.maxOutputLength.observe(float64(r.generated))
	s.tpot.observe(decode / math.Max(float64(r.generated-1), 1))
	s.paramN.observe(1)
	// A client that sets no max_tokens gets what the context leaves.
	s.maxTokensParam.observe(float64(maxModelTokens - r.PromptTokens))
}
