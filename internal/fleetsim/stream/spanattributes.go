package stream

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Names of attributes that both engines send (vllm/tracing/utils.py of vLLM 0.32.0, sglang/srt/observability/trace.py of SGLang
// 0.5.23). Latencies are in seconds.
const (
	attributeTTFT       = "gen_ai.latency.time_to_first_token"
	attributeE2E        = "gen_ai.latency.e2e"
	attributePrefill    = "gen_ai.latency.time_in_model_prefill"
	attributeDecode     = "gen_ai.latency.time_in_model_decode"
	attributeInference  = "gen_ai.latency.time_in_model_inference"
	attributePrompt     = "gen_ai.usage.prompt_tokens"
	attributeCompletion = "gen_ai.usage.completion_tokens"
)

// fillVLLM follows OutputProcessor.do_tracing of vLLM 0.32.0.
func (r *RequestSpan) fillVLLM(span ptrace.Span) {
	span.SetName("llm_request")
	span.SetKind(ptrace.SpanKindServer)
	a := span.Attributes()
	a.EnsureCapacity(13)
	putSeconds(a, attributeTTFT, r.Arrival, r.FirstToken)
	putSeconds(a, attributeE2E, r.Arrival, r.Finished)
	putSeconds(a, "gen_ai.latency.time_in_queue", r.Queued, r.Scheduled)
	a.PutInt(attributePrompt, int64(r.PromptTokens))
	a.PutInt(attributeCompletion, int64(r.CompletionTokens))
	putSeconds(a, attributePrefill, r.Scheduled, r.FirstToken)
	putSeconds(a, attributeDecode, r.FirstToken, r.LastToken)
	putSeconds(a, attributeInference, r.Scheduled, r.LastToken)
	r.putRequest(a)
}

// fillSGLang follows TokenizerManager.convert_to_span_attrs and APIServerReqTimeStats of SGLang 0.5.23. Its time in prefill begins
// when the request is dispatched and so includes the queue.
func (r *RequestSpan) fillSGLang(span ptrace.Span) {
	id := r.ID[strings.LastIndexByte(r.ID, '_')+1:]
	role := r.Role
	if role == "unified" {
		role = ""
	}
	span.SetName(role + " Req " + id[:min(8, len(id))])
	span.SetKind(ptrace.SpanKindInternal)
	a := span.Attributes()
	a.EnsureCapacity(18)
	a.PutStr("rid", id)
	a.PutStr("module", "sglang::request")
	if r.Room != 0 {
		a.PutStr("bootstrap_room", fmt.Sprintf("%#x", r.Room))
	}
	a.PutInt(attributeCompletion, int64(r.CompletionTokens))
	a.PutInt(attributePrompt, int64(r.PromptTokens))
	a.PutInt("gen_ai.usage.cached_tokens", int64(r.CachedTokens))
	r.putRequest(a)
	if r.TopK != 0 {
		a.PutInt("gen_ai.request.top_k", int64(r.TopK))
	}
	a.PutStr("gen_ai.response.model", r.Model)
	if r.FinishReason != "" {
		a.PutStr("gen_ai.response.finish_reasons", "["+strconv.Quote(r.FinishReason)+"]")
	}
	putSeconds(a, attributeTTFT, r.Arrival, r.FirstToken)
	putSeconds(a, attributeE2E, r.Arrival, r.Finished)
	putSeconds(a, attributeDecode, r.FirstToken, r.Finished)
	putSeconds(a, attributeInference, r.Dispatched, r.Finished)
	putSeconds(a, attributePrefill, r.Dispatched, r.FirstToken)
}

// putRequest writes what both engines say of the request, without what is 0.
func (r *RequestSpan) putRequest(a pcommon.Map) {
	a.PutStr("gen_ai.request.id", r.ID)
	if r.TopP != 0 {
		a.PutDouble("gen_ai.request.top_p", r.TopP)
	}
	if r.MaxTokens != 0 {
		a.PutInt("gen_ai.request.max_tokens", int64(r.MaxTokens))
	}
	if r.Temperature != 0 {
		a.PutDouble("gen_ai.request.temperature", r.Temperature)
	}
	if r.N != 0 {
		a.PutInt("gen_ai.request.n", int64(r.N))
	}
}

func putSeconds(a pcommon.Map, name string, from, to time.Time) {
	if !from.IsZero() && !to.IsZero() {
		a.PutDouble(name, to.Sub(from).Seconds())
	}
}
