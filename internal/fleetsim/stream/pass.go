package stream

import (
	"fmt"

	"github.com/tinylib/msgp/msgp"
)

// ForwardPass is one engine step. The zero value but for the identity is the heartbeat of an idle engine.
type ForwardPass struct {
	// Version of the schema; 0 stands for 1, the only one there is.
	Version int
	// Worker, Rank and Counter are filled in by a publisher: the instance, its data-parallel rank and the number of the message.
	Worker  string
	Rank    int
	Counter uint64
	// WallTime is the duration of the step in seconds.
	WallTime  float64
	Scheduled ScheduledRequests
	Queued    QueuedRequests
}

// ScheduledRequests are the requests that ran in a step.
type ScheduledRequests struct {
	// Prefills are requests in prefill, chunks continued included; PrefillTokens are computed in this step, without cached ones and
	// earlier chunks, which are PrefillKVTokens; PrefillVariance is the population variance of the whole prompts' lengths.
	Prefills, PrefillTokens int
	PrefillVariance         float64
	PrefillKVTokens         int
	// Decodes are requests in decode, DecodeKVTokens their whole context and DecodeVariance its population variance.
	Decodes, DecodeKVTokens int
	DecodeVariance          float64
}

// QueuedRequests are the requests that waited: prefills with all their prompt tokens, decodes that were preempted.
type QueuedRequests struct {
	Prefills, PrefillTokens int
	PrefillVariance         float64
	Decodes, DecodeKVTokens int
	DecodeVariance          float64
}

// PassDialect is who publishes forward passes.
type PassDialect int

// The dialects.
const (
	// DynamoPasses: Dynamo's scheduler for vLLM. Wall time is the host's, from schedule to update.
	DynamoPasses PassDialect = iota
	// VLLMPasses: vLLM's own, with the field timing_scope (vllm#52061). Wall time is the GPU's.
	VLLMPasses
	// SGLangPasses: heartbeats only while the scheduler says it is idle; an ipc endpoint always ends in .<rank>.
	SGLangPasses
)

func (d PassDialect) String() string {
	switch d {
	case DynamoPasses:
		return "dynamo"
	case VLLMPasses:
		return "vllm"
	case SGLangPasses:
		return "sglang"
	}
	return fmt.Sprintf("PassDialect(%d)", int(d))
}

// TimingScope is what vLLM's own forward passes state: CUDA events around execute_model.
const TimingScope = "execute_model_cuda"

const passVersion = 1

// AppendForwardPass appends the msgpack payload of a forward pass and returns the extended slice. It is a map with field names, as
// every engine sends it; positional makes it and its parts arrays in the same order, which a comment in SGLang claims. Sources:
// dynamo/common/forward_pass_metrics.py (Dynamo 1.6.1), sglang/srt/observability/forward_pass_metrics.py (SGLang 0.5.23),
// vllm/v1/metrics/forward_pass_metrics.py (vllm#52061).
func AppendForwardPass(dst []byte, p ForwardPass, d PassDialect, positional bool) []byte {
	w := passWriter{dst: dst, positional: positional}
	size := uint32(7)
	if d == VLLMPasses {
		size++
	}
	version := p.Version
	if version == 0 {
		version = passVersion
	}
	w.header(size)
	w.int("version", version)
	w.key("worker_id")
	w.dst = msgp.AppendString(w.dst, p.Worker)
	w.int("dp_rank", p.Rank)
	w.key("counter_id")
	w.dst = msgp.AppendUint64(w.dst, p.Counter)
	if d == VLLMPasses {
		w.key("timing_scope")
		w.dst = msgp.AppendString(w.dst, TimingScope)
	}
	w.float("wall_time", p.WallTime)
	w.key("scheduled_requests")
	w.scheduled(p.Scheduled)
	w.key("queued_requests")
	w.queued(p.Queued)
	return w.dst
}

// passWriter writes structs as maps, or as arrays without the keys.
type passWriter struct {
	dst        []byte
	positional bool
}

func (w *passWriter) header(size uint32) {
	if w.positional {
		w.dst = msgp.AppendArrayHeader(w.dst, size)
	} else {
		w.dst = msgp.AppendMapHeader(w.dst, size)
	}
}

func (w *passWriter) key(name string) {
	if !w.positional {
		w.dst = msgp.AppendString(w.dst, name)
	}
}

func (w *passWriter) int(name string, v int) {
	w.key(name)
	w.dst = appendInt(w.dst, int64(v))
}

func (w *passWriter) float(name string, v float64) {
	w.key(name)
	w.dst = msgp.AppendFloat64(w.dst, v)
}

func (w *passWriter) scheduled(s ScheduledRequests) {
	w.header(7)
	w.int("num_prefill_requests", s.Prefills)
	w.int("sum_prefill_tokens", s.PrefillTokens)
	w.float("var_prefill_length", s.PrefillVariance)
	w.int("sum_prefill_kv_tokens", s.PrefillKVTokens)
	w.int("num_decode_requests", s.Decodes)
	w.int("sum_decode_kv_tokens", s.DecodeKVTokens)
	w.float("var_decode_kv_tokens", s.DecodeVariance)
}

func (w *passWriter) queued(q QueuedRequests) {
	w.header(6)
	w.int("num_prefill_requests", q.Prefills)
	w.int("sum_prefill_tokens", q.PrefillTokens)
	w.float("var_prefill_length", q.PrefillVariance)
	w.int("num_decode_requests", q.Decodes)
	w.int("sum_decode_kv_tokens", q.DecodeKVTokens)
	w.float("var_decode_kv_tokens", q.DecodeVariance)
}
