package engine

import "strconv"

// trtllmStats are the statistics of one trtllm-serve.
type trtllmStats struct {
	begun bool          // an iteration has been
	count int           // of iterations
	next  kvWindowStats // lookups since the last iteration

	stopped, lengthLimited, completed     float64 // completed since the last iteration
	prompts, generated, cached            float64
	e2e, ttft, tpot, queue                histogram
	prefill, decode, inference            histogram
	cachedPerRequest, contextTokensOfStep histogram

	// As of the last iteration.
	running, waiting, latency                                      float64
	used, free, usage, hitRate, iterReuse                          float64
	context, generation, paused, scheduled, contextTokens, decoded float64
	occupancy, acceptanceLength                                    float64
	reused, missed, fullReused, partialReused, allCompleted        float64 // since the start
	drafted, accepted                                              float64
}

// newTensorRTStats makes the statistics of a process that has just started; bounds of tensorrt_llm/metrics/collector.py at 050f80d.
func newTensorRTStats() trtllmStats {
	request := requestBounds()
	return trtllmStats{
		e2e: newHistogram(request), queue: newHistogram(request), decode: newHistogram(request), inference: newHistogram(request),
		ttft: newHistogram(firstTokenBounds()), tpot: newHistogram(intervalBounds()),
		prefill:             newHistogram([]float64{0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 640, 2560}),
		cachedPerRequest:    newHistogram([]float64{0, 64, 128, 256, 512, 1024, 2048, 4096, 8192}),
		contextTokensOfStep: newHistogram(exponential(64, 2, 10)),
	}
}

// iterate books an iteration and gives its record.
func (s *trtllmStats) iterate(t *Step, f *Facts) iteration {
	s.begun = true
	s.count++
	s.next.Reused = s.next.FullReused + s.next.PartialReused
	s.blocks(t, f)
	s.batch(t, f)
	it := iteration{
		Iter: s.count, Timestamp: moment(f.Start.Add(t.End)), IterLatencyMS: t.Seconds * 1e3,
		ActiveRequests: t.Running, QueuedRequests: t.Waiting + t.Deferred, CompletedRequests: int(s.completed),
		MaxActiveRequests: f.MaxNumSeqs, MaxBatchStatic: f.MaxNumSeqs, MaxBatchRuntime: f.MaxNumSeqs, MaxTokensRuntime: f.MaxBatchedTokens,
		GPUMemory: f.MemoryBytes * f.MemoryShare,
		KVCache: kvCacheStats{
			HitRate: s.hitRate, Reused: int(s.reused), Missed: int(s.missed), Used: t.UsedBlocks, Free: t.FreeBlocks,
			Max: max(f.Blocks-1, 0), TokensPerBlock: f.BlockSize,
		},
		InFlight: inFlightStats{
			Context: int(s.context), Generation: t.DecodeSequences, Paused: t.Preemptions, Scheduled: int(s.scheduled),
			ContextTokens: t.PrefillTokens, Decoded: s.decoded,
		},
	}
	if s.next != (kvWindowStats{}) {
		it.KVWindows = map[string]kvWindowStats{strconv.Itoa(f.MaxModelTokens): s.next}
	}
	if f.SpeculativeTokens > 0 {
		it.SpecDecode = specDecodeStats{Draft: t.Drafted, Accepted: t.Accepted, AcceptanceLength: s.acceptanceLength}
	}
	s.completed, s.next = 0, kvWindowStats{}
	return it
}

// blocks renews the figures of the KV cache.
func (s *trtllmStats) blocks(t *Step, f *Facts) {
	s.used, s.free = float64(t.UsedBlocks), float64(t.FreeBlocks)
	s.usage = s.used / float64(max(f.Blocks-1, 1))
	s.reused += float64(s.next.Reused)
	s.missed += float64(s.next.Missed)
	s.fullReused += float64(s.next.FullReused)
	s.partialReused += float64(s.next.PartialReused)
	if all := s.reused + s.missed; all > 0 {
		s.hitRate = s.reused / all
	}
	if all := s.next.Reused + s.next.Missed; all > 0 {
		s.iterReuse = float64(s.next.Reused) / float64(all)
	}
}

// batch renews the figures of the batch.
func (s *trtllmStats) batch(t *Step, f *Facts) {
	s.running, s.waiting, s.latency = float64(t.Running), float64(t.Waiting+t.Deferred), t.Seconds
	s.allCompleted += s.completed
	s.context = float64(max(t.PrefillSequences, min(t.PrefillTokens, 1)))
	s.generation, s.paused = float64(t.DecodeSequences), float64(t.Preemptions)
	s.scheduled, s.contextTokens = s.context+s.generation, float64(t.PrefillTokens)
	if t.PrefillTokens > 0 {
		s.contextTokensOfStep.observe(s.contextTokens)
	}
	s.occupancy = s.context / float64(max(f.MaxNumSeqs, 1))
	s.drafted += float64(t.Drafted)
	s.accepted += float64(t.Accepted)
	s.acceptanceLength, s.decoded = 0, float64(min(t.DecodeSequences, 1))
	if t.Drafts > 0 {
		s.acceptanceLength = 1 + float64(t.Accepted)/float64(t.Drafts)
		s.decoded = s.acceptanceLength
	}
}
