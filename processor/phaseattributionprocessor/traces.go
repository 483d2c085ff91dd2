package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-inference/otelcol-inference/internal/requestspan"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor/internal/metadata"
)

// requestSpans is the instance of a traces pipeline: it gives request spans children by phase, and what the instance of the metrics
// pipeline knows of their worker.
type requestSpans struct {
	id        component.ID
	telemetry *metadata.TelemetryBuilder
	next      consumer.Traces
	registry  *registry
	board     *board // set by Start
	started   bool
	outcomes  [6]metric.MeasurementOption // by requestspan.Outcome
}

func newRequestSpans(set processor.Settings, next consumer.Traces, r *registry) (*requestSpans, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	s := &requestSpans{id: set.ID, telemetry: telemetry, next: next, registry: r, board: newBoard()}
	for _, o := range requestspan.Outcomes() {
		s.outcomes[o] = metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", o.String())))
	}
	return s, nil
}

// Capabilities: children go beside their parents.
func (s *requestSpans) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: true}
}

// Start takes part in what instances of this ID share.
func (s *requestSpans) Start(context.Context, component.Host) error {
	s.board, s.started = s.registry.acquireTraces(s.id), true
	return nil
}

// Shutdown may be called without Start and more than once.
func (s *requestSpans) Shutdown(context.Context) error {
	if s.started {
		s.started = false
		s.registry.releaseTraces(s.id)
	}
	s.telemetry.Shutdown()
	return nil
}

// ConsumeTraces adds children to the request spans and passes all on. What spans say of their worker counts when they were accepted, so
// that a batch that is offered again counts once.
func (s *requestSpans) ConsumeTraces(ctx context.Context, td ptrace.Traces) error {
	b := batch{board: s.board}
	for _, rs := range td.ResourceSpans().All() {
		b.resource(rs)
	}
	err := s.next.ConsumeTraces(ctx, td)
	if err != nil {
		return err
	}
	for _, t := range b.told {
		t.of.spans.add(t.end, t.request.Phases(), t.judged, t.met)
	}
	s.count(ctx, &b)
	return nil
}

func (s *requestSpans) count(ctx context.Context, b *batch) {
	for o, n := range b.outcomes {
		if n > 0 && requestspan.Outcome(o) != requestspan.Foreign {
			s.telemetry.ProcessorPhaseAttributionSpans.Add(ctx, n, s.outcomes[o])
		}
	}
	for reason, n := range b.unjoined {
		s.telemetry.ProcessorPhaseAttributionSpansUnjoined.Add(ctx, n, metric.WithAttributes(attribute.String(signal.AttrReason, reason)))
	}
}

// batch is one batch of spans under way.
type batch struct {
	board    *board
	outcomes [6]int64 // by requestspan.Outcome
	unjoined map[string]int64
	told     []testimony
}

// testimony is what a span says of its worker.
type testimony struct {
	of          *posting
	end         pcommon.Timestamp
	request     requestspan.Request
	judged, met bool
}

// resource adds children to the request spans of a resource, in a scope of this processor's.
func (b *batch) resource(rs ptrace.ResourceSpans) {
	var candidates []*posting
	looked := false
	children := ptrace.NewScopeSpans()
	made := childrenOf(rs)
	for _, ss := range rs.ScopeSpans().All() {
		scope := ss.Scope().Name()
		if scope == metadata.ScopeName {
			continue // children
		}
		for _, span := range ss.Spans().All() {
			request, outcome := requestspan.Read(scope, span)
			b.outcomes[outcome]++
			if outcome == requestspan.Foreign {
				if phase := requestspan.SlicePhase(scope, span.Name()); phase != "" {
					span.Attributes().PutStr(signal.AttrPhase, phase)
				}
				continue
			}
			if outcome != requestspan.Split {
				continue
			}
			if !looked {
				candidates, looked = b.board.candidates(rs.Resource()), true
			}
			b.split(span, &request, candidates, children.Spans(), made)
		}
	}
	if children.Spans().Len() > 0 {
		children.Scope().SetName(metadata.ScopeName)
		children.MoveTo(rs.ScopeSpans().AppendEmpty())
	}
}

// childrenOf are the children that the spans of a resource have already: from another collector, or from before the batch was refused and
// offered again.
func childrenOf(rs ptrace.ResourceSpans) (made map[pcommon.SpanID]bool) {
	for _, ss := range rs.ScopeSpans().All() {
		if ss.Scope().Name() != metadata.ScopeName {
			continue
		}
		if made == nil {
			made = make(map[pcommon.SpanID]bool, ss.Spans().Len())
		}
		for _, span := range ss.Spans().All() {
			made[span.SpanID()] = true
		}
	}
	return made
}

// split gives one span the children that it has not yet.
func (b *batch) split(span ptrace.Span, r *requestspan.Request, candidates []*posting, children ptrace.SpanSlice, made map[pcommon.SpanID]bool) {
	var costs *requestCosts
	if r.Engine != "" { // a proxy's span has no worker
		p, reason := choose(candidates, r.Engine, r.Model)
		if p != nil {
			b.tell(p, span, r)
			if costs = p.costs.Load(); costs == nil {
				reason = unjoinedNoEstimate
			}
		}
		if reason != "" {
			if b.unjoined == nil {
				b.unjoined = map[string]int64{}
			}
			b.unjoined[reason]++
		}
	}
	owed := owedBy(r, costs)
	for i := range r.Phases() {
		p := &r.Phases()[i]
		if id := childID(span.TraceID(), span.SpanID(), p.Name); !made[id] {
			owed.child(span, id, p, children.AppendEmpty())
		}
	}
	owed.parent(span)
}

func (b *batch) tell(p *posting, span ptrace.Span, r *requestspan.Request) {
	judged := r.TTFT != requestspan.Unknown && r.TPOT != requestspan.Unknown
	met := judged && r.TTFT <= p.target.TTFT.Max.Seconds() && r.TPOT <= p.target.ITL.Max.Seconds()
	b.told = append(b.told, testimony{of: p, end: span.EndTimestamp(), request: *r, judged: judged, met: met})
}
