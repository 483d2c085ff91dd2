package engine

import (
	"io"
	"time"
)

// SGLangVersion is the release whose page is spoken unless Facts name another.
const SGLangVersion = "0.5.22"

// decodeLogEvery is after how many steps without prefill SGLang logs, and renews its gauges (--decode-log-interval).
const decodeLogEvery = 40

// SGLang is the book of SGLang: a scheduler that renews its figures only when it logs, and a tokenizer process that counts a
// request when it ends.
type SGLang struct {
	facts   Facts
	version version
	stats   sglangStats
	front   *sglangTokenizer
	page    *sglangPage
}

var _ Book = (*SGLang)(nil)

func newSGLang(f Facts) (*SGLang, error) {
	v, err := spoken(f.Version, SGLangVersion, version{0, 4}, version{0, 6})
	if err != nil {
		return nil, err
	}
	if f.Version == "" {
		f.Version = SGLangVersion
	}
	s := &SGLang{facts: f, version: v, stats: newSGLangStats(), front: newSGLangTokenizer()}
	s.page = newSGLangPage([]*SGLang{s})
	return s, nil
}

// tokens is the size of the KV pool, in tokens.
func (s *SGLang) tokens() float64 {
	return float64(max(s.facts.Blocks-1, 1) * max(s.facts.BlockSize, 1))
}

// Planned remembers the lookups until the next log.
func (s *SGLang) Planned(l Lookup) {
	s.stats.lookedUp += float64(l.Queries)
	s.stats.found += float64(l.Hits)
}

// Step books a step. Gauges and token counters are renewed with every step that has prefill and with each 40th other one; what a
// step took is booked at once.
func (s *SGLang) Step(t *Step) {
	b := &s.stats
	b.executed(t)
	b.estimate(t, s.facts.Effort)
	// SGLang counts when it retracts; a step tells of it when the request goes on.
	b.retractions += float64(t.Preemptions)
	b.pendingPrefill += float64(t.PrefillTokens)
	generated := float64(t.Outputs)
	b.pendingDecode += generated
	b.sinceLog += generated
	b.drafts += float64(t.Drafts)
	b.drafted += float64(t.Drafted)
	b.accepted += float64(t.Accepted)
	switch {
	case t.PrefillTokens > 0:
		b.logPrefill()
	case t.DecodeSequences > 0:
		if b.decodeSteps++; b.decodeSteps >= decodeLogEvery {
			b.logDecode(t.End)
		} else if t.Running > 0 {
			return
		}
	}
	// An engine that ran empty logs once more. Throughput and hit rate stay as they were.
	b.schedule(t, &s.facts, s.tokens())
}

// FirstToken books what the scheduler knows of a request by then, and the time to its first token.
func (s *SGLang) FirstToken(r *Request) {
	b := &s.stats
	b.pendingInput += float64(r.computed())
	b.pendingDeviceHit += float64(r.CachedTokens)
	b.pendingDecode-- // the first token comes of prefill and is not counted as decode's (tests/engines/README.md, real SGLang)
	s.front.ttft.observe((r.FirstToken - r.Arrival).Seconds())
	b.queue.observe((r.FirstScheduled - r.Queued).Seconds())
	b.stages[stageProcess].observe((r.Queued - r.Arrival).Seconds())
	switch forward := (r.FirstToken - r.FirstScheduled).Seconds(); {
	case s.facts.Role == roleDecode:
		b.stages[stageWaiting].observe((r.FirstScheduled - r.Queued).Seconds())
		b.stages[stageTransferred].observe(forward)
	case s.facts.MaxBatchedTokens > 0 && r.computed() > s.facts.MaxBatchedTokens:
		b.stages[stageChunked].observe(forward)
	default:
		b.stages[stageForward].observe(forward)
	}
}

// Intervals books inter-token latencies.
func (s *SGLang) Intervals(d time.Duration, n int) { s.front.itl.observeN(d.Seconds(), n) }

// Finished books a request that is done, its tokens with it, or one whose client went away.
func (s *SGLang) Finished(r *Request) {
	b := s.front
	if r.Aborted {
		b.aborted++
		return
	}
	b.requests++
	b.prompts += float64(r.PromptTokens)
	b.generated += float64(r.GeneratedTokens)
	b.cached += float64(r.CachedTokens)
	b.promptLength.observe(float64(r.PromptTokens))
	b.uncachedLength.observe(float64(r.computed()))
	b.outputLength.observe(float64(r.GeneratedTokens))
	e2e := (r.LastToken - r.Arrival).Seconds()
	b.e2e.observe(e2e)
	b.function.observe(e2e)
}

// Transferred books the waiting of a decode engine for KV. The transfer itself is counted where it is sent.
func (s *SGLang) Transferred(x *Transfer) {
	b := &s.stats
	if x.Failed {
		b.failedTransfers++
		return
	}
	b.stages[stageDecodePrepare].observe(x.AllocSeconds)
	b.stages[stageDecodeBootstrap].observe(x.BootstrapSeconds)
}

// Sent books a transfer, which SGLang counts at the prefill engine.
func (s *SGLang) Sent(x *Transfer) {
	b := &s.stats
	if x.Failed {
		b.failedTransfers++
		return
	}
	b.send(x)
	b.stages[stageBootstrap].observe(x.BootstrapSeconds)
	b.stages[stageTransfer].observe(x.Seconds)
}

// Expired books KV that nobody fetched, which to SGLang are failed transfers.
func (s *SGLang) Expired(n int) { s.stats.failedTransfers += float64(n) }

// Evicted books the tokens of a block that was taken.
func (s *SGLang) Evicted(*Eviction) { s.stats.evicted += float64(s.facts.BlockSize) }

// WritePage writes the /metrics page.
func (s *SGLang) WritePage(w io.Writer) error { return s.page.sheet.writeTo(w) }

// ContentType is the media type of the page.
func (s *SGLang) ContentType() string { return s.page.sheet.form.mediaType }

// Endpoints are the paths of SGLang's server.
func (s *SGLang) Endpoints() []Endpoint { return sglangEndpoints(s.facts, s.tokens(), s) }
