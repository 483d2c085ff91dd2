package engine

import (
	"io"
	"time"
)

// TensorRTVersion is the release whose pages are spoken unless Facts name another.
const TensorRTVersion = "1.3.0"

// TensorRT is the book of TensorRT-LLM's trtllm-serve with return_perf_metrics and enable_iter_perf_stats: requests are counted
// when they end, and every iteration leaves a record for the JSON page.
type TensorRT struct {
	facts   Facts
	version version
	stats   trtllmStats
	queue   iterations
	sheet   *sheet
}

var _ Book = (*TensorRT)(nil)

func newTensorRT(f Facts) (*TensorRT, error) {
	v, err := spoken(f.Version, TensorRTVersion, version{1, 0}, version{1, 5})
	if err != nil {
		return nil, err
	}
	if f.Version == "" {
		f.Version = TensorRTVersion
	}
	s := &TensorRT{facts: f, version: v, stats: newTensorRTStats()}
	s.sheet = newTensorRTSheet(f, v, &s.stats)
	return s, nil
}

// Planned counts the blocks of lookups. What is left of a hit behind its full blocks is a block reused in part.
func (s *TensorRT) Planned(l Lookup) {
	if l.Queries == 0 {
		return
	}
	block := max(s.facts.BlockSize, 1)
	it := &s.stats.next
	full, part := l.Hits/block, min(l.Hits%block, 1)
	missed := (l.Queries-l.Hits+block-1)/block - part
	it.FullReused += full
	it.PartialReused += part
	it.Missed += max(missed, 0)
}

// Step books an iteration.
func (s *TensorRT) Step(t *Step) {
	if t.PrefillTokens+t.DecodeSequences == 0 {
		return
	}
	s.queue.push(s.stats.iterate(t, &s.facts))
}

// FirstToken is told of first tokens, which trtllm-serve counts with the end of the request.
func (s *TensorRT) FirstToken(*Request) {}

// Intervals is told of inter-token latencies, of which trtllm-serve has none.
func (s *TensorRT) Intervals(time.Duration, int) {}

// Finished books a request that is done. Durations of 0 are not observed, except of queueing.
func (s *TensorRT) Finished(r *Request) {
	if r.Aborted {
		return
	}
	t := &s.stats
	t.completed++
	if r.GeneratedTokens < r.NaturalTokens {
		t.lengthLimited++
	} else {
		t.stopped++
	}
	decode := (r.LastToken - r.FirstToken).Seconds()
	observeSome := func(h *histogram, v float64) {
		if v != 0 {
			h.observe(v)
		}
	}
	observeSome(&t.e2e, (r.LastToken - r.Arrival).Seconds())
	observeSome(&t.ttft, (r.FirstToken - r.Arrival).Seconds())
	observeSome(&t.tpot, decode/float64(max(r.GeneratedTokens-1, 1)))
	observeSome(&t.prefill, (r.FirstToken - r.FirstScheduled).Seconds())
	observeSome(&t.decode, decode)
	observeSome(&t.inference, (r.LastToken - r.FirstScheduled).Seconds())
	t.queue.observe((r.FirstScheduled - r.Queued).Seconds())
	t.prompts += float64(r.PromptTokens)
	t.generated += float64(r.GeneratedTokens)
	t.cached += float64(r.CachedTokens)
	t.cachedPerRequest.observe(float64(r.CachedTokens))
}

// Transferred is told of a fetch of KV, of which trtllm-serve's pages say nothing.
func (s *TensorRT) Transferred(*Transfer) {}

// Sent is told of a fetch of KV by another engine, of which trtllm-serve's pages say nothing.
func (s *TensorRT) Sent(*Transfer) {}

// Expired is told of KV given up, of which trtllm-serve's pages say nothing.
func (s *TensorRT) Expired(int) {}

// Evicted is told of a block taken for other content, of which trtllm-serve's pages say nothing.
func (s *TensorRT) Evicted(*Eviction) {}

// WritePage writes the /prometheus/metrics page.
func (s *TensorRT) WritePage(w io.Writer) error { return s.sheet.writeTo(w) }

// ContentType is the media type of that page.
func (s *TensorRT) ContentType() string { return s.sheet.form.mediaType }

// Endpoints are the paths of trtllm-serve. Reading /metrics takes the records away from other readers.
func (s *TensorRT) Endpoints() []Endpoint {
	return []Endpoint{
		{Path: "/prometheus/metrics", ContentType: s.ContentType(), Write: s.WritePage},
		{Path: "/metrics", ContentType: jsonType, Write: s.queue.drain},
		healthy("/health"),
		document("/version", map[string]string{"version": s.facts.Version}),
		document("/v1/models", modelList(s.facts, "tensorrt_llm")),
	}
}
