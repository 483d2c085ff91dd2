package stream

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

const (
	traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	unsampled   = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
)

func at(seconds float64) time.Time {
	return time.Unix(1764067200, 0).Add(time.Duration(seconds * float64(time.Second)))
}

func finished() RequestSpan {
	return RequestSpan{
		ID: "cmpl-7_1234567890", Model: "llama", Arrival: at(0), Dispatched: at(0.25), Queued: at(0.5), Scheduled: at(1), FirstToken: at(3),
		LastToken: at(7), Finished: at(7.5), PromptTokens: 100, CachedTokens: 64, CompletionTokens: 20, MaxTokens: 20, N: 1, TopK: 40,
		Temperature: 0.5, TopP: 0.25, FinishReason: "length",
	}
}

func spanOf(r RequestSpan, d SpanDialect) ptrace.Span {
	span := ptrace.NewSpan()
	r.fill(span, r.parent(), d, rand.New(rand.NewPCG(1, 2)))
	return span
}

func TestVLLMSpan(t *testing.T) {
	span := spanOf(finished(), VLLMSpans)
	assert.Equal(t, "llm_request", span.Name())
	assert.Equal(t, ptrace.SpanKindServer, span.Kind())
	assert.Equal(t, at(0), span.StartTimestamp().AsTime().Local())
	assert.Equal(t, at(7.5), span.EndTimestamp().AsTime().Local())
	assert.Equal(t, map[string]any{
		"gen_ai.request.id": "cmpl-7_1234567890", "gen_ai.request.top_p": 0.25, "gen_ai.request.max_tokens": int64(20),
		"gen_ai.request.temperature": 0.5, "gen_ai.request.n": int64(1),
		"gen_ai.usage.prompt_tokens": int64(100), "gen_ai.usage.completion_tokens": int64(20),
		"gen_ai.latency.time_to_first_token": 3.0, "gen_ai.latency.e2e": 7.5, "gen_ai.latency.time_in_queue": 0.5,
		"gen_ai.latency.time_in_model_prefill": 2.0, "gen_ai.latency.time_in_model_decode": 4.0,
		"gen_ai.latency.time_in_model_inference": 6.0,
	}, span.Attributes().AsRaw())
}

func TestSGLangSpan(t *testing.T) {
	r := finished()
	r.Role, r.Room = "prefill", 0x1f
	span := spanOf(r, SGLangSpans)
	assert.Equal(t, "prefill Req 12345678", span.Name())
	assert.Equal(t, ptrace.SpanKindInternal, span.Kind())
	assert.Equal(t, map[string]any{
		"rid": "1234567890", "module": "sglang::request", "bootstrap_room": "0x1f",
		"gen_ai.request.id": "cmpl-7_1234567890", "gen_ai.request.top_p": 0.25, "gen_ai.request.max_tokens": int64(20),
		"gen_ai.request.temperature": 0.5, "gen_ai.request.n": int64(1), "gen_ai.request.top_k": int64(40),
		"gen_ai.usage.prompt_tokens": int64(100), "gen_ai.usage.completion_tokens": int64(20), "gen_ai.usage.cached_tokens": int64(64),
		"gen_ai.response.model": "llama", "gen_ai.response.finish_reasons": `["length"]`,
		"gen_ai.latency.time_to_first_token": 3.0, "gen_ai.latency.e2e": 7.5, "gen_ai.latency.time_in_model_prefill": 2.75,
		"gen_ai.latency.time_in_model_decode": 4.5, "gen_ai.latency.time_in_model_inference": 7.25,
	}, span.Attributes().AsRaw())
	r.Role, r.ID = "unified", "ab"
	assert.Equal(t, " Req ab", spanOf(r, SGLangSpans).Name())
}

func TestInstantsThatNeverCame(t *testing.T) {
	got := spanOf(RequestSpan{ID: "a", Arrival: at(0), Queued: at(0), Finished: at(1)}, VLLMSpans).Attributes().AsRaw()
	assert.Equal(t, map[string]any{
		"gen_ai.request.id": "a", "gen_ai.usage.prompt_tokens": int64(0), "gen_ai.usage.completion_tokens": int64(0), "gen_ai.latency.e2e": 1.0,
	}, got)
}

func TestTraceContext(t *testing.T) {
	r := finished()
	r.Traceparent, r.Tracestate = traceparent, "vendor=1"
	span := spanOf(r, VLLMSpans)
	assert.Equal(t, "0af7651916cd43dd8448eb211c80319c", span.TraceID().String())
	assert.Equal(t, "b7ad6b7169203331", span.ParentSpanID().String())
	assert.Equal(t, "vendor=1", span.TraceState().AsRaw())
	assert.Equal(t, uint32(0x300), span.Flags())
	assert.NotEqual(t, span.ParentSpanID(), span.SpanID())
	for _, bad := range []string{"", "nonsense", "00-00000000000000000000000000000000-b7ad6b7169203331-01"} {
		r.Traceparent = bad
		span = spanOf(r, VLLMSpans)
		assert.True(t, span.ParentSpanID().IsEmpty(), bad)
		assert.False(t, span.TraceID().IsEmpty(), bad)
		assert.Equal(t, uint32(0x100), span.Flags())
	}
	id := spanOf(r, SGLangSpans).TraceID()
	assert.Equal(t, make([]byte, 8), id[:8], "SGLang draws 64 bits")
	assert.NotEqual(t, make([]byte, 8), id[8:])
}
