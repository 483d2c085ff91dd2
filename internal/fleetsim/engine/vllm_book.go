package engine

import (
	"io"
	"math"
	"time"
)

// VLLM is the book of vLLM: V1 with its Python or Rust front end, and V0. Scheduler figures change with every step, request
// figures only with steps that produce output.
type VLLM struct {
	facts   Facts
	version version
	stats   vllmStats
	page    *vllmPage
}

var _ Book = (*VLLM)(nil)

func newVLLM(f Facts) (*VLLM, error) {
	v, err := spoken(f.Version, VLLMVersion, version{0, 6}, version{0, 33})
	if err != nil {
		return nil, err
	}
	if err := checkFrontEnd(f, v); err != nil {
		return nil, err
	}
	if f.Version == "" {
		f.Version = VLLMVersion
	}
	s := &VLLM{facts: f, version: v, stats: newVLLMStats(f, v)}
	s.page = newVLLMPage([]*VLLM{s})
	return s, nil
}

// v0 reports whether the release counts as V0 did. V1 is the default from 0.9 on; 0.8 had both, and is taken for V0 here.
func (s *VLLM) v0() bool { return !s.version.from(0, 9) }

// Planned counts the lookups of first admissions.
func (s *VLLM) Planned(l Lookup) {
	t := &s.stats
	t.prefixQueries += float64(l.Queries)
	t.prefixHits += float64(l.Hits)
	t.remoteQueries += float64(l.RemoteQueries)
	t.remoteHits += float64(l.RemoteHits)
	t.lookUp(s.facts.PrefixCaching)
}

// Step books a step as vLLM's front end counts it: with output, the tokens produced plus the whole computed prompt of every
// request that got its first token; without output nothing at all, not even an observation of 0.
func (s *VLLM) Step(t *Step) {
	s.stats.schedule(t, s.facts)
	s.stats.preemptions += float64(t.Preemptions)
	s.stats.estimate(t, s.facts.Effort)
	if s.v0() {
		s.stats.stepV0(t)
		s.page.adapters(t)
		return
	}
	if t.Outputs == 0 {
		return
	}
	s.stats.generationTokens += float64(t.Outputs)
	s.stats.iteration(t, max(s.facts.APIServers, 1))
	s.stats.draft(t)
	s.page.adapters(t)
}

// FirstToken books the prompt of a request.
func (s *VLLM) FirstToken(r *Request) {
	t := &s.stats
	if !s.v0() {
		t.promptTokens += float64(r.PromptTokens)
	}
	t.localCached += float64(r.CachedTokens)
	t.fetched += float64(r.RemoteTokens)
	t.cached = t.localCached + t.fetched
	t.computed += float64(r.computed())
	t.ttft.observe((r.FirstToken - r.Arrival).Seconds())
}

// Intervals books inter-token latencies.
func (s *VLLM) Intervals(d time.Duration, n int) { s.stats.itl.observeN(d.Seconds(), n) }

// Finished books a request that is done. One whose client went away is not counted: the recorded pages have no abort even so.
func (s *VLLM) Finished(r *Request) {
	if r.Aborted {
		return
	}
	t := &s.stats
	if r.GeneratedTokens < r.NaturalTokens {
		t.lengthLimited++
	} else {
		t.stopped++
	}
	decode := (r.LastToken - r.FirstToken).Seconds()
	t.e2e.observe((r.LastToken - r.Arrival).Seconds())
	t.queue.observe((r.FirstScheduled - r.Queued).Seconds())
	t.prefill.observe((r.FirstToken - r.FirstScheduled).Seconds())
	t.inference.observe((r.LastToken - r.FirstScheduled).Seconds())
	t.decode.observe(decode)
	t.requestPreemptions.observe(float64(r.Preemptions))
	t.kvComputed.observe(float64(r.computed()))
	t.promptLength.observe(float64(r.PromptTokens))
	t.outputLength.observe(float64(r.GeneratedTokens))
	t.longestOutput.observe(float64(r.GeneratedTokens))
	t.tpot.observe(decode / math.Max(float64(r.GeneratedTokens-1), 1))
	t.choices.observe(1)
	// A client that sets no max_tokens gets what the context leaves.
	t.maxTokens.observe(float64(s.facts.MaxModelTokens - r.PromptTokens))
}

// Transferred books a fetch of KV, which vLLM counts where it is received.
func (s *VLLM) Transferred(x *Transfer) {
	t := &s.stats
	if x.NotificationFailed {
		t.failedNotifications++
	}
	if x.Failed {
		t.failedTransfers++
		return
	}
	t.transfer.observe(x.Seconds)
	t.post.observe(x.PostSeconds)
	t.transferred.observe(x.Bytes)
	t.descriptors.observe(float64(x.Descriptors))
}

// Sent is told of KV fetched by another engine, of which vLLM's page says nothing.
func (s *VLLM) Sent(*Transfer) {}

// Expired books KV given up, which vLLM counts where it was computed.
func (s *VLLM) Expired(n int) { s.stats.expired += float64(n) }

// Evicted books the residency of a sample of the blocks: every n-th, where vLLM draws them.
func (s *VLLM) Evicted(e *Eviction) {
	t := &s.stats
	if t.sampled += s.facts.ResidencySample; t.sampled < 1 {
		return
	}
	t.sampled--
	t.lifetime.observe(e.Lifetime.Seconds())
	t.idle.observe(e.Idle.Seconds())
	for _, gap := range e.Gaps {
		t.reuseGap.observe(gap.Seconds())
	}
}

// WritePage writes the /metrics page. As in vLLM the figures are those of the end of the last step: requests that arrived since
// are not in them.
func (s *VLLM) WritePage(w io.Writer) error { return s.page.sheet.writeTo(w) }

// ContentType is the media type of the page.
func (s *VLLM) ContentType() string { return s.page.sheet.form.mediaType }

// Endpoints are the paths of vLLM's server.
func (s *VLLM) Endpoints() []Endpoint { return vllmEndpoints(s.facts, s) }
