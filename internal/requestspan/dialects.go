package requestspan // import "github.com/otelcol-inference/otelcol-inference/internal/requestspan"

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// dialect is how one kind of span tells phases.
type dialect struct {
	engine string
	// means looks at the attributes whether the span, whose name fits, is one.
	means func(*values) bool
	split func(*Request, *values, ptrace.Span) Outcome
}

// sglangScope is the instrumentation scope of SGLang's spans.
const sglangScope = "sglang server"

// dialectOf looks at the names of scope and span only, since most spans are none of these.
func dialectOf(scope, name string) (dialect, bool) {
	switch {
	case name == "llm_request":
		return dialect{"vllm", always, splitVLLM}, true
	case name == "decode" || name == "llm_d.pd_proxy.decode":
		return dialect{"", proxied, splitProxy}, true
	case scope == sglangScope && strings.Contains(name, "Req "):
		return dialect{"sglang", sglangRoot, splitSGLang}, true
	}
	return dialect{}, false
}

func always(*values) bool { return true }

func proxied(v *values) bool { return v.told[proxyDecode] }

func sglangRoot(v *values) bool { return v.module == "sglang::request" }

// splitVLLM reads the span that vLLM makes when a request finishes. It begins when the front end has the request; the three phases are
// measured by the engine's core, and follow each other. The time to first token, seen by the front end, places them: as far as decode then
// ends within the span, since a front end that is held up sees the first token late (by more than 20 ms in 25 of 1252 requests to a vLLM that
// shared two cores with its clients). Of a worker that decodes what another prefilled, the queue contains the transfer of the KV cache:
// it is scheduled only when that has arrived.
func splitVLLM(r *Request, v *values, span ptrace.Span) Outcome {
	prefilling, ok := v.get(prefill)
	if !ok {
		return Lacking
	}
	waiting := v.seconds[queue]
	first, ok := v.get(ttft)
	if !ok {
		first = waiting + prefilling
	}
	if early(first-prefilling-waiting, span) || late(first, span) || late(waiting+prefilling+v.seconds[decode], span) {
		return Inconsistent
	}
	first = max(waiting+prefilling, min(first, seconds(span)-v.seconds[decode]))
	if v.told[queue] {
		r.add(within(span, signal.PhaseQueue, first-prefilling-waiting, first-prefilling))
	}
	r.add(within(span, signal.PhasePrefill, first-prefilling, first))
	if v.told[decode] {
		r.add(within(span, signal.PhaseDecode, first, first+v.seconds[decode]))
	}
	return Split
}

// splitSGLang reads the root span of a request. Its time in prefill begins when the request is handed to the scheduler: it contains the
// queue, and at a worker that decodes what another prefilled the wait for that and for the KV cache.
func splitSGLang(r *Request, v *values, span ptrace.Span) Outcome {
	prefilling, ok := v.get(prefill)
	if !ok {
		return Lacking
	}
	first, ok := v.get(ttft)
	if !ok {
		return Lacking
	}
	if early(first-prefilling, span) || late(first+v.seconds[decode], span) {
		return Inconsistent
	}
	before := within(span, signal.PhasePrefill, first-prefilling, first)
	before.Includes = signal.PhaseQueue
	if strings.HasPrefix(span.Name(), "decode ") {
		before.Name, before.Includes = signal.PhaseTransfer, signal.PhaseQueue+","+signal.PhasePrefill
	}
	r.add(before)
	if v.told[decode] {
		r.add(within(span, signal.PhaseDecode, first, first+v.seconds[decode]))
	}
	return Split
}

// splitProxy reads the decode span of llm-d's sidecar, which says of the whole request what the sidecar saw: it begins when the request
// goes to the engine that decodes, and what was before is told by durations. The transfer is what lies between the answer of the one
// engine and the request to the other; that engine fetches the KV cache, which is in decode. Where both are asked at once the durations
// overlap and nothing can be told.
func splitProxy(r *Request, v *values, span ptrace.Span) Outcome {
	if !v.told[proxyTTFT] || !v.told[proxyPrefill] || !v.told[proxyHandover] {
		return Lacking
	}
	before, prefilling, handover := v.seconds[proxyTTFT], v.seconds[proxyPrefill], v.seconds[proxyHandover]
	if tolerance := allowed(span); prefilling+handover > before+tolerance {
		return Inconsistent
	}
	if late(v.seconds[proxyDecode], span) || before > float64(span.StartTimestamp())/1e9 {
		return Inconsistent
	}
	at := func(s float64) pcommon.Timestamp { return span.StartTimestamp() - pcommon.Timestamp(max(0, s)*1e9) }
	waiting := max(0, before-prefilling-handover)
	r.add(Phase{Name: signal.PhaseQueue, Start: at(prefilling + handover + waiting), End: at(prefilling + handover)})
	r.add(Phase{Name: signal.PhasePrefill, Start: at(prefilling + handover), End: at(handover)})
	r.add(Phase{Name: signal.PhaseTransfer, Start: at(handover), End: span.StartTimestamp()})
	decoding := within(span, signal.PhaseDecode, 0, v.seconds[proxyDecode])
	decoding.Includes = signal.PhaseTransfer
	r.add(decoding)
	return Split
}

// SlicePhase is the phase of a span that SGLang makes of a part of a request, "" for others. They have times of their own and need no
// children.
func SlicePhase(scope, name string) string {
	if scope != sglangScope {
		return ""
	}
	switch name {
	case "prefill_waiting", "decode_waiting":
		return signal.PhaseQueue
	case "prefill_forward", "chunked_prefill":
		return signal.PhasePrefill
	case "prefill_transfer_kv_cache", "decode_transferred":
		return signal.PhaseTransfer
	case "decode_forward", "decode_loop":
		return signal.PhaseDecode
	}
	return ""
}

// allowed is by how much phases may stick out of the span, in seconds.
func allowed(span ptrace.Span) float64 { return slack + slackShare*seconds(span) }

func early(from float64, span ptrace.Span) bool { return from < -allowed(span) }

func late(to float64, span ptrace.Span) bool { return to > seconds(span)+allowed(span) }

// within is the phase from one to another moment, in seconds after the span's start, cut off at the span's ends.
func within(span ptrace.Span, name string, from, to float64) Phase {
	length := seconds(span)
	at := func(s float64) pcommon.Timestamp {
		return span.StartTimestamp() + pcommon.Timestamp(min(max(0, s), length)*1e9)
	}
	return Phase{Name: name, Start: at(from), End: min(at(to), span.EndTimestamp())}
}
