// Package requestspan reads what inference engines say of a finished request in its span: how long it was in each phase, and when.
// Phases come from the attributes of one span alone. Nesting tells nothing: engines put spans of concurrent work under each other, and
// the spans of a trace arrive in any order and batch.
package requestspan // import "github.com/otelcol-inference/otelcol-inference/internal/requestspan"

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Outcome is what a span turned out to be.
type Outcome int

// The outcomes.
const (
	// Foreign: no request span of an engine.
	Foreign Outcome = iota
	// Split: the phases are known.
	Split
	// Lacking: a request span without the attributes that tell its phases, as of a request that was aborted before its first token.
	Lacking
	// Negative: it ends before it begins, or a latency is below zero.
	Negative
	// Inconsistent: the phases do not fit into the span.
	Inconsistent
	// Absurd: a latency is no number or longer than a day, or a number of tokens is impossible.
	Absurd
	outcomes
)

// Outcomes lists them in order.
func Outcomes() []Outcome { return []Outcome{Foreign, Split, Lacking, Negative, Inconsistent, Absurd} }

func (o Outcome) String() string {
	return [outcomes]string{"foreign", "split", "lacking", "negative", "inconsistent", "absurd"}[o]
}

// Phase is a stretch of a request's time.
type Phase struct {
	// Name is a value of llm.phase.
	Name       string
	Start, End pcommon.Timestamp
	// Includes names what else is in it, comma separated, where the engine does not tell the two apart; "" for a pure phase.
	Includes string
}

// Seconds is its length.
func (p *Phase) Seconds() float64 {
	if p.End <= p.Start {
		return 0
	}
	return float64(p.End-p.Start) / 1e9
}

// Unknown is a number that a span does not tell.
const Unknown = -1

// Request is what a span says of a request.
type Request struct {
	// Engine is the value of llm.engine.name of who served it; "" when a proxy speaks of it.
	Engine string
	// Model is "" where the span does not tell it.
	Model string
	// TTFT is the time to first token, TPOT the mean time per output token after it, in seconds; Unknown where not told. TPOT is 0
	// for a request that had no more than one token.
	TTFT, TPOT float64
	// PromptTokens, CachedTokens (of the prompt, not computed) and OutputTokens are Unknown where not told.
	PromptTokens, CachedTokens, OutputTokens int64

	phases [maxPhases]Phase
	n      int
}

// maxPhases is queue, prefill, transfer, decode.
const maxPhases = 4

// Phases in the order of time. The slice is valid as long as the Request.
func (r *Request) Phases() []Phase { return r.phases[:r.n] }

func (r *Request) add(p Phase) {
	r.phases[r.n] = p
	r.n++
}

// Read reads a span of the instrumentation scope of that name. r is of use when the outcome is Split.
func Read(scope string, span ptrace.Span) (r Request, o Outcome) {
	as, ok := dialectOf(scope, span.Name())
	if !ok {
		return r, Foreign // most spans; what follows allocates
	}
	return as.read(span)
}

func (as dialect) read(span ptrace.Span) (Request, Outcome) {
	v := read(span.Attributes())
	if !as.means(&v) {
		return Request{}, Foreign
	}
	if span.EndTimestamp() < span.StartTimestamp() {
		return Request{}, Negative
	}
	if o := v.judge(); o != Split {
		return Request{}, o
	}
	if seconds(span) > maxLatency {
		return Request{}, Absurd
	}
	r := Request{
		Engine: as.engine, Model: v.model, TTFT: v.of(ttft), TPOT: Unknown,
		PromptTokens: v.tokens[prompt], CachedTokens: v.tokens[cached], OutputTokens: v.tokens[output],
	}
	if o := as.split(&r, &v, span); o != Split {
		return Request{}, o
	}
	r.perToken(&v)
	return r, Split
}

// perToken finds the mean time per output token: that of decode over the tokens after the first.
func (r *Request) perToken(v *values) {
	switch decoding, told := v.get(decode); {
	case r.TTFT == Unknown || r.OutputTokens == Unknown:
	case r.OutputTokens <= 1:
		r.TPOT = 0
	case told:
		r.TPOT = decoding / float64(r.OutputTokens-1)
	}
}

const (
	// maxLatency is the longest that a request is believed to take, in seconds.
	maxLatency = 24 * 3600
	// maxTokens is the most tokens that a request is believed to have.
	maxTokens = 1 << 30
	// slack and slackShare bound by how much phases may stick out of their span, in seconds and as a share of it: the engine's core
	// and its front end read different clocks, and a token is seen by the latter after the former made it.
	slack, slackShare = 0.05, 0.02
)

func seconds(span ptrace.Span) float64 {
	return float64(span.EndTimestamp()-span.StartTimestamp()) / 1e9
}

// judge looks at the values whatever they mean.
func (v *values) judge() Outcome {
	for i, s := range v.seconds {
		switch {
		case !v.told[i]:
		case math.IsNaN(s) || s > maxLatency || s < -maxLatency*1e9:
			return Absurd
		case s < 0:
			return Negative
		}
	}
	for _, n := range v.tokens {
		if n > maxTokens || n < Unknown {
			return Absurd
		}
	}
	if v.tokens[cached] != Unknown && v.tokens[prompt] != Unknown && v.tokens[cached] > v.tokens[prompt] {
		return Inconsistent
	}
	return Split
}
