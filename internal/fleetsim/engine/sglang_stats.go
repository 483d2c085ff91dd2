package engine

import (
	"slices"
	"time"
)

// Stages of a request in per_stage_req_latency_seconds.
const (
	stageProcess = iota
	stageForward
	stageChunked
	stageBootstrap
	stageTransfer
	stageDecodePrepare
	stageDecodeBootstrap
	stageWaiting
	stageTransferred
	stageCount
)

// stageNames are SGLang's words for them.
func stageNames() [stageCount]string {
	return [stageCount]string{
		"request_process", "prefill_forward", "chunked_prefill", "prefill_bootstrap", "prefill_transfer_kv_cache",
		"decode_prepare", "decode_bootstrap", "decode_waiting", "decode_transferred",
	}
}

// sglangStats are the statistics of one scheduler of SGLang.
type sglangStats struct {
	logged bool // the gauges have been set
	// As of the last log.
	running, queued, sumLengths, throughput, hitRate   float64
	usage, used, available, evictable                  float64
	bootstrapQueue, inflightQueue, prealloc, transfers float64
	utilization, graph, slots, slotUse                 float64
	acceptLength, acceptRate, retracted                float64

	// Gathered since then.
	lookedUp, found, pendingPrefill, pendingDecode, sinceLog float64
	pendingInput, pendingDeviceHit                           float64
	drafts, drafted, accepted                                float64
	decodeSteps                                              int
	lastDecodeLog                                            time.Duration

	retractions, evicted, failedTransfers            float64
	realCompute, realCache, realDecode               float64
	input, deviceHit                                 float64
	extend, decode, mixed                            float64 // seconds of the GPU
	decodeGraph, prefillPlain                        float64
	flops, readBytes, writtenBytes                   float64
	lastSpeed, lastLatency, lastBootstrap, lastAlloc float64 // of the releases that had gauges for them
	lastSize                                         float64

	speed, latency, bootstrap, alloc, size histogram
	queue                                  histogram
	stages                                 [stageCount]histogram
}

// sglangTokenizer are the statistics of a server's tokenizer process, which knows no ranks.
type sglangTokenizer struct {
	requests, aborted, prompts, generated, cached float64

	ttft, itl, e2e, function                   histogram
	promptLength, uncachedLength, outputLength histogram
}

// newSGLangStats makes the statistics of a scheduler that has just started; bounds of sglang's metrics_collector.py.
func newSGLangStats() sglangStats {
	milliseconds := []float64{1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000}
	waits := slices.Clone(milliseconds[:11])
	queue := []float64{0, 0.001, 0.005, 0.01, 0.05, 0.1, 0.2, 0.5, 1, 2, 3, 4, 5, 10, 15, 20, 30, 40, 50, 60, 70, 80, 90, 100,
		200, 300, 400, 500, 600, 700, 800, 900, 1000, 1200, 1400, 1600, 1800, 2000, 2500, 3000}
	s := sglangStats{
		speed:   newHistogram([]float64{0.1, 0.5, 1, 5, 10, 25, 50, 100, 200, 400}),
		latency: newHistogram(milliseconds), bootstrap: newHistogram(waits), alloc: newHistogram(waits),
		size:  newHistogram([]float64{1, 5, 10, 50, 100, 500, 1000, 5000, 10000}),
		queue: newHistogram(queue),
	}
	stages := exponential(0.001, 1.62, 30)
	for i := range s.stages {
		s.stages[i] = newHistogram(stages)
	}
	return s
}

// newSGLangTokenizer makes the statistics of a tokenizer process that has just started.
func newSGLangTokenizer() *sglangTokenizer {
	first := []float64{0.1, 0.2, 0.4, 0.6, 0.8, 1, 2, 4, 6, 8, 10, 20, 40, 60, 80, 100, 200, 400}
	lengths := []float64{100, 300, 500, 700, 1000, 1500, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10000, 12500, 15000, 17500,
		20000, 22500, 25000, 27500, 30000, 35000, 40000, 60000, 80000, 1e5, 2e5, 3e5, 4e5, 6e5, 8e5, 1e6, 1.1e6}
	return &sglangTokenizer{
		ttft: newHistogram(first),
		itl: newHistogram([]float64{0.002, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.025, 0.03, 0.035, 0.04, 0.06, 0.08, 0.1, 0.2, 0.4,
			0.6, 0.8, 1, 2, 4, 6, 8}),
		e2e:          newHistogram(slices.Concat(first, []float64{600, 1200, 1800, 2400})),
		function:     newHistogram(exponential(0.05, 1.5, 18)),
		promptLength: newHistogram(lengths), uncachedLength: newHistogram(lengths), outputLength: newHistogram(lengths),
	}
}

// executed books what a step took, by SGLang's forward modes.
func (s *sglangStats) executed(t *Step) {
	switch {
	case t.PrefillTokens > 0 && t.DecodeSequences > 0:
		s.mixed += t.Seconds
	case t.PrefillTokens > 0:
		s.extend += t.Seconds
	case t.DecodeSequences > 0:
		s.decode += t.Seconds
	}
	if t.PrefillTokens > 0 {
		s.prefillPlain++
	} else if t.DecodeSequences > 0 {
		s.decodeGraph++
	}
}

func (s *sglangStats) estimate(t *Step, e Effort) {
	flops, read, written := e.of(t)
	s.flops += flops
	s.readBytes += read
	s.writtenBytes += written
}

// logPrefill renews what the log of a prefill batch renews.
func (s *sglangStats) logPrefill() {
	if s.lookedUp > 0 {
		s.hitRate = s.found / s.lookedUp
	}
	s.realCompute += s.pendingPrefill
	s.realCache += s.found
	s.input += s.pendingInput
	s.deviceHit += s.pendingDeviceHit
	s.lookedUp, s.found, s.pendingPrefill, s.pendingInput, s.pendingDeviceHit = 0, 0, 0, 0, 0
}

// logDecode renews what the log of decode batches renews.
func (s *sglangStats) logDecode(now time.Duration) {
	if elapsed := (now - s.lastDecodeLog).Seconds(); elapsed > 0 {
		s.throughput = s.sinceLog / elapsed
	}
	s.realDecode += s.pendingDecode
	s.input += s.pendingInput
	s.deviceHit += s.pendingDeviceHit
	s.pendingDecode, s.sinceLog, s.pendingInput, s.pendingDeviceHit = 0, 0, 0, 0
	s.decodeSteps, s.lastDecodeLog = 0, now
	if s.drafts > 0 && s.drafted > 0 {
		s.acceptRate = s.accepted / s.drafted
		s.acceptLength = 1 + s.accepted/s.drafts // and a token of the model itself
	}
	s.drafts, s.drafted, s.accepted = 0, 0, 0
}

// schedule takes over the scheduler's state; pool is the KV pool's size in tokens.
func (s *sglangStats) schedule(t *Step, f *Facts, pool float64) {
	s.logged = true
	page := float64(f.BlockSize)
	s.running, s.queued = float64(t.Running), float64(t.Waiting)
	s.sumLengths = t.DecodeContext
	s.retracted = float64(t.Preemptions)
	s.used, s.evictable = float64(t.UsedBlocks)*page, float64(t.CachedBlocks)*page
	s.available = float64(max(t.FreeBlocks-t.CachedBlocks, 0)) * page
	s.usage = s.used / pool
	s.inflightQueue = float64(t.PrefillPinned)
	s.prealloc, s.transfers = float64(t.AwaitingBlocks), float64(t.AwaitingKV)
	if f.Role == rolePrefill {
		s.bootstrapQueue = float64(t.Deferred)
	}
	s.utilization = 0
	if f.MaxNumSeqs > 0 {
		s.utilization = float64(t.Running) / float64(f.MaxNumSeqs)
	}
	s.graph = 0
	if t.PrefillTokens == 0 {
		s.graph = 1
	}
	s.slots = float64(len(t.RunningAdapters))
	s.slotUse = s.slots / float64(max(f.MaxAdapters, 1))
}

// send books a transfer at the engine that computed the KV. Speeds are in 10^9 and sizes in 10^6 bytes.
func (s *sglangStats) send(x *Transfer) {
	s.lastLatency, s.lastSize = x.Seconds*1e3, x.Bytes/1e6
	s.lastBootstrap, s.lastAlloc = x.BootstrapSeconds*1e3, x.AllocSeconds*1e3
	if x.Seconds > 0 {
		s.lastSpeed = x.Bytes / x.Seconds / 1e9
		s.speed.observe(s.lastSpeed)
	}
	s.latency.observe(s.lastLatency)
	s.size.observe(s.lastSize)
	s.bootstrap.observe(s.lastBootstrap)
	s.alloc.observe(s.lastAlloc)
}
