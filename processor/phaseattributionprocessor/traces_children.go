package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"crypto/sha256"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-inference/otelcol-inference/internal/requestspan"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// owed is what a request owes its worker.
type owed struct {
	costs *requestCosts // nil when not known
	share share
}

func owedBy(r *requestspan.Request, costs *requestCosts) owed {
	if costs == nil {
		return owed{}
	}
	return owed{costs: costs, share: costs.share(r)}
}

// child writes the span of a phase. It is sampled as its parent is.
func (o owed) child(parent ptrace.Span, id pcommon.SpanID, p *requestspan.Phase, to ptrace.Span) {
	to.SetTraceID(parent.TraceID())
	to.SetParentSpanID(parent.SpanID())
	to.SetSpanID(id)
	to.SetFlags(childFlags(parent.Flags()))
	to.TraceState().FromRaw(parent.TraceState().AsRaw())
	to.SetName(p.Name)
	to.SetKind(ptrace.SpanKindInternal)
	to.SetStartTimestamp(p.Start)
	to.SetEndTimestamp(p.End)
	a := to.Attributes()
	a.EnsureCapacity(7)
	a.PutStr(signal.AttrPhase, p.Name)
	if p.Includes != "" {
		a.PutStr(signal.AttrPhaseIncludes, p.Includes)
	}
	if i := costed(p.Name); i >= 0 && o.costs != nil {
		o.put(a, o.share.energy[i], o.share.money[i])
	}
}

// parent writes the sum on the request's own span, when both parts are known.
func (o owed) parent(span ptrace.Span) {
	if o.costs == nil {
		return
	}
	whole := func(parts [2]float64) float64 {
		if parts[0] < 0 || parts[1] < 0 {
			return -1
		}
		return parts[0] + parts[1]
	}
	o.put(span.Attributes(), whole(o.share.energy), whole(o.share.money))
}

// put writes what is known: not what is negative.
func (o owed) put(a pcommon.Map, energy, money float64) {
	if energy >= 0 {
		a.PutDouble(signal.AttrRequestEnergy, energy)
	}
	if money >= 0 {
		a.PutDouble(signal.AttrRequestCost, money)
		a.PutStr(signal.AttrCurrency, o.costs.currency)
	}
	if energy >= 0 || money >= 0 {
		a.PutDouble(signal.AttrRequestConfidence, o.costs.confidence)
		a.PutStr(signal.AttrEstimateMethod, o.costs.method)
	}
}

// childID is the same whenever and wherever the child is made, so that a batch that is sent twice makes no second child.
func childID(trace pcommon.TraceID, parent pcommon.SpanID, phase string) (id pcommon.SpanID) {
	var b [len(trace) + len(parent) + 16]byte
	n := copy(b[:], trace[:])
	n += copy(b[n:], parent[:])
	n += copy(b[n:], phase)
	sum := sha256.Sum256(b[:n])
	copy(id[:], sum[:])
	if id.IsEmpty() {
		id[0] = 1 // zeros are no id
	}
	return id
}

// childFlags are the parent's trace flags, and that the parent is not remote (the fields of opentelemetry.proto.trace.v1.SpanFlags).
func childFlags(parent uint32) uint32 {
	const traceFlags, hasIsRemote = 0xff, 0x100
	return parent&traceFlags | hasIsRemote
}
