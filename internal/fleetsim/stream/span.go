package stream

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// RequestSpan is one finished request. Instants that are zero leave out what is computed from them.
type RequestSpan struct {
	ID    string
	Model string
	// Traceparent and Tracestate are the W3C headers the request came with; "" starts a trace.
	Traceparent, Tracestate string

	// Arrival is when the server had the request, Dispatched when its front end handed it to the scheduler, Queued when it entered the
	// queue, Scheduled when it was last taken from it, FirstToken and LastToken when the engine produced them, Finished when the last
	// output was handled.
	Arrival, Dispatched, Queued, Scheduled, FirstToken, LastToken, Finished time.Time

	PromptTokens, CachedTokens, CompletionTokens int
	// MaxTokens, N, TopK, Temperature and TopP are the request's; engines leave out what is 0.
	MaxTokens, N, TopK int
	Temperature, TopP  float64
	// FinishReason is stop, length or abort.
	FinishReason string
	// Role is prefill or decode on a disaggregated SGLang; "" or unified otherwise. Room is its bootstrap room.
	Role string
	Room uint64
}

// SpanDialect is the engine whose spans are sent.
type SpanDialect int

// The dialects.
const (
	// VLLMSpans: vLLM, one span "llm_request" made when the request finishes.
	VLLMSpans SpanDialect = iota
	// SGLangSpans: SGLang, the root span of a request. Its trace ids have 64 random bits.
	SGLangSpans
)

func (d SpanDialect) String() string {
	switch d {
	case VLLMSpans:
		return "vllm"
	case SGLangSpans:
		return "sglang"
	}
	return fmt.Sprintf("SpanDialect(%d)", int(d))
}

// scope is the instrumentation scope (vllm/tracing/otel.py of vLLM 0.32.0, sglang/srt/observability/trace.py of SGLang 0.5.23).
func (d SpanDialect) scope() string {
	if d == SGLangSpans {
		return "sglang server"
	}
	return "vllm.tracing.otel"
}

// parent is the context a request came with, invalid when it came with none that can be read.
func (r *RequestSpan) parent() trace.SpanContext {
	if r.Traceparent == "" {
		return trace.SpanContext{}
	}
	carrier := propagation.MapCarrier{"traceparent": r.Traceparent, "tracestate": r.Tracestate}
	return trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
}

// fill writes the span of a request.
func (r *RequestSpan) fill(span ptrace.Span, parent trace.SpanContext, d SpanDialect, rng *rand.Rand) {
	if parent.IsValid() {
		span.SetTraceID(pcommon.TraceID(parent.TraceID()))
		span.SetParentSpanID(pcommon.SpanID(parent.SpanID()))
		span.TraceState().FromRaw(parent.TraceState().String())
	} else {
		span.SetTraceID(newTraceID(d, rng))
	}
	span.SetSpanID(newSpanID(rng))
	span.SetFlags(spanFlags(parent))
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(r.Arrival))
	span.SetEndTimestamp(pcommon.NewTimestampFromTime(r.Finished))
	if d == SGLangSpans {
		r.fillSGLang(span)
	} else {
		r.fillVLLM(span)
	}
}

// spanFlags are those of the Python exporter (opentelemetry-exporter-otlp-proto-common 1.45.2): it says whether the parent is remote,
// and leaves out the trace flags.
func spanFlags(parent trace.SpanContext) uint32 {
	const hasIsRemote, isRemote = 0x100, 0x200
	if parent.IsValid() {
		return hasIsRemote | isRemote
	}
	return hasIsRemote
}

func newTraceID(d SpanDialect, rng *rand.Rand) pcommon.TraceID {
	var id pcommon.TraceID
	if d != SGLangSpans {
		putRandom(id[:8], rng)
	}
	putRandom(id[8:], rng)
	return id
}

func newSpanID(rng *rand.Rand) pcommon.SpanID {
	var id pcommon.SpanID
	putRandom(id[:], rng)
	return id
}

// putRandom fills 8 bytes with a number above 0, since an id of zeros is none.
func putRandom(b []byte, rng *rand.Rand) {
	v := rng.Uint64()
	for v == 0 {
		v = rng.Uint64()
	}
	for i := range b {
		b[i] = byte(v >> (8 * i))
	}
}
