package engine

// vllmStats are the statistics of one engine core of vLLM. Counts are floats because a page has nothing else; they stay exact up
// to 2^53.
type vllmStats struct {
	rank string

	stepped                                     bool // the gauges of the scheduler have been set
	running, waiting, capacity, deferred, usage float64

	prefixQueries, prefixHits, remoteQueries, remoteHits float64
	hitRate                                              float64 // V0: -1 without prefix caching
	preemptions                                          float64
	promptTokens, computed, localCached, fetched, cached float64
	generationTokens                                     float64
	stopped, lengthLimited                               float64

	drafts, drafted, accepted float64
	acceptedAt                []float64 // by position in the draft
	acceptanceRate            float64   // V0
	efficiency                float64   // V0: emitted of the most tokens that drafts could have given
	emitted                   float64   // V0

	flops, readBytes, writtenBytes float64

	failedTransfers, failedNotifications, expired float64
	transfer, post, transferred, descriptors      histogram

	sampled                  float64 // share of a block that the sample of residencies is owed
	lifetime, idle, reuseGap histogram

	promptLength, outputLength, longestOutput, maxTokens, kvComputed histogram
	iterationTokens, choices, requestPreemptions                     histogram
	ttft, itl, tpot                                                  histogram
	e2e, queue, inference, prefill, decode                           histogram
}

// newVLLMStats makes the statistics of a process that has just started. The bounds of token counts reach up to the longest
// context.
func newVLLMStats(f Facts, v version) vllmStats {
	lengths := oneTwoFive(f.MaxModelTokens)
	if f.FrontEnd == frontEndRust {
		lengths = rustLengths(f.MaxModelTokens)
	}
	ttft, itl, request := firstTokenBounds(), intervalBounds(), requestBounds()
	if !v.from(0, 8) { // the long bounds came with 0.8
		ttft, itl, request = ttft[:16], itl[:13], request[:15]
	}
	t := vllmStats{
		rank:         rankOf(f),
		promptLength: newHistogram(lengths), outputLength: newHistogram(lengths), longestOutput: newHistogram(lengths),
		maxTokens: newHistogram(lengths), kvComputed: newHistogram(lengths),
		iterationTokens:    newHistogram([]float64{1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384}),
		choices:            newHistogram([]float64{1, 2, 5, 10, 20}),
		requestPreemptions: newHistogram([]float64{1, 2, 3, 4, 5, 10, 20}),
		ttft:               newHistogram(ttft), itl: newHistogram(itl), tpot: newHistogram(itl),
		e2e: newHistogram(request), queue: newHistogram(request), inference: newHistogram(request),
		prefill: newHistogram(request), decode: newHistogram(request),
		acceptedAt: make([]float64, f.SpeculativeTokens),
	}
	t.lookUp(f.PrefixCaching)
	t.newTransfers()
	residency := []float64{0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800}
	t.lifetime, t.idle, t.reuseGap = newHistogram(residency), newHistogram(residency), newHistogram(residency)
	return t
}

// newTransfers makes the histograms of the NIXL connector; bounds of vLLM's nixl/stats.py.
func (t *vllmStats) newTransfers() {
	seconds := []float64{0.001, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 5}
	t.transfer, t.post = newHistogram(seconds[1:]), newHistogram(seconds)
	t.transferred = newHistogram(exponential(2048, 4, 12))
	t.descriptors = newHistogram([]float64{10, 20, 30, 50, 75, 100, 200, 400, 1000, 2000, 4000, 10000, 20000, 50000})
}

// schedule takes over the scheduler's state. Blocks that are cached and that nobody holds count as free.
func (t *vllmStats) schedule(s *Step, f Facts) {
	t.stepped = true
	t.running = float64(s.Running)
	t.capacity, t.deferred = float64(s.Waiting), float64(s.Deferred)
	t.waiting = t.capacity + t.deferred
	t.usage = float64(s.UsedBlocks) / float64(max(f.Blocks-1, 1))
}

// lookUp renews the hit rate of V0, which is -1 without prefix caching.
func (t *vllmStats) lookUp(caching bool) {
	switch {
	case !caching:
		t.hitRate = -1
	case t.prefixQueries > 0:
		t.hitRate = t.prefixHits / t.prefixQueries
	}
}

// estimate adds what the engine thinks a step cost.
func (t *vllmStats) estimate(s *Step, e Effort) {
	flops, read, written := e.of(s)
	t.flops += flops
	t.readBytes += read
	t.writtenBytes += written
}

// iteration observes the tokens of a step. Each API server observes those of its own requests; which these are is not known
// here, so the outputs are shared out evenly and the prompts go with the first share.
func (t *vllmStats) iteration(s *Step, servers int) {
	prompt := s.CreditedPrompt
	for i := range servers {
		share := s.Outputs / servers
		if i < s.Outputs%servers {
			share++
		}
		if share > 0 {
			t.iterationTokens.observe(float64(share + prompt))
			prompt = 0
		}
	}
}

// stepV0 books a step as V0 did: prompt tokens in the step that computes them, and every step that has tokens.
func (t *vllmStats) stepV0(s *Step) {
	t.promptTokens += float64(s.PrefillTokens)
	t.generationTokens += float64(s.Outputs)
	if n := s.PrefillTokens + s.Outputs; n > 0 {
		t.iterationTokens.observe(float64(n))
	}
	t.draft(s)
}

// draft books speculative decoding.
func (t *vllmStats) draft(s *Step) {
	if s.Drafted == 0 || len(t.acceptedAt) == 0 {
		return
	}
	t.drafts += float64(s.Drafts)
	t.drafted += float64(s.Drafted)
	t.accepted += float64(s.Accepted)
	t.acceptanceRate = t.accepted / t.drafted
	t.emitted = t.accepted + t.drafts // and one token of the model itself
	t.efficiency = t.emitted / (t.drafted + t.drafts)
	if s.AcceptedAt != nil {
		for i, n := range s.AcceptedAt[:min(len(s.AcceptedAt), len(t.acceptedAt))] {
			t.acceptedAt[i] += float64(n)
		}
		return
	}
	// A token is kept only if those before it were: the first positions come first.
	for i, left := 0, s.Accepted; i < len(t.acceptedAt) && left > 0; i++ {
		n := min(left, s.Drafts)
		t.acceptedAt[i] += float64(n)
		left -= n
	}
}
