package phaseattributionprocessor

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/otelcol-inference/otelcol-inference/internal/objectives"
	"github.com/otelcol-inference/otelcol-inference/internal/requestspan"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor/internal/metadata"
	"github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor/internal/metadatatest"
)

// spanOf is a request of vLLM.
type spanOf struct {
	end                    int64 // ns
	queue, prefill, decode float64
	prompt, cached, output int64 // cached is left out when negative
	parent                 pcommon.SpanID
	flags                  uint32
	state, instance        string
}

func (s spanOf) put(td ptrace.Traces, id byte) {
	rs := td.ResourceSpans().AppendEmpty()
	a := rs.Resource().Attributes()
	a.PutStr(signal.AttrServiceName, "unknown_service:python3")
	if s.instance != "" {
		a.PutStr(signal.AttrServiceInstanceID, s.instance)
	}
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Scope().SetName("vllm.tracing.otel")
	span := ss.Spans().AppendEmpty()
	span.SetName("llm_request")
	span.SetKind(ptrace.SpanKindServer)
	span.SetTraceID(pcommon.TraceID{1, 2, 3, id})
	span.SetSpanID(pcommon.SpanID{9, id})
	span.SetParentSpanID(s.parent)
	span.SetFlags(s.flags)
	span.TraceState().FromRaw(s.state)
	length := s.queue + s.prefill + s.decode
	span.SetStartTimestamp(pcommon.Timestamp(s.end - int64(length*1e9)))
	span.SetEndTimestamp(pcommon.Timestamp(s.end))
	b := span.Attributes()
	b.PutDouble("gen_ai.latency.time_in_queue", s.queue)
	b.PutDouble("gen_ai.latency.time_in_model_prefill", s.prefill)
	b.PutDouble("gen_ai.latency.time_in_model_decode", s.decode)
	b.PutDouble("gen_ai.latency.time_to_first_token", s.queue+s.prefill)
	b.PutDouble("gen_ai.latency.e2e", length)
	b.PutInt("gen_ai.usage.prompt_tokens", s.prompt)
	b.PutInt("gen_ai.usage.completion_tokens", s.output)
	if s.cached >= 0 {
		b.PutInt("gen_ai.usage.cached_tokens", s.cached)
	}
}

const spanTime = 1_764_067_200 * second

func aSpan() spanOf {
	return spanOf{
		end: spanTime, queue: 0.5, prefill: 2, decode: 4, prompt: 100, cached: -1, output: 21,
		parent: pcommon.SpanID{7}, flags: 0x301, state: "ot=th:8", instance: "a:8000",
	}
}

func tracesOf(spans ...spanOf) ptrace.Traces {
	td := ptrace.NewTraces()
	for i, s := range spans {
		s.put(td, byte(i+1))
	}
	return td
}

func newTestTraces(t *testing.T, r *registry, next consumer.Traces) *requestSpans {
	t.Helper()
	s, err := newRequestSpans(processortest.NewNopSettings(metadata.Type), next, r)
	require.NoError(t, err)
	require.NoError(t, s.Start(context.Background(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, s.Shutdown(context.Background())) })
	return s
}

func tracesJSON(t *testing.T, td ptrace.Traces) string {
	t.Helper()
	b, err := (&ptrace.JSONMarshaler{}).MarshalTraces(td)
	require.NoError(t, err)
	return string(b)
}

func TestARequestSpanGetsChildrenByPhase(t *testing.T) {
	sink := new(consumertest.TracesSink)
	s := newTestTraces(t, newRegistry(), sink)
	td := tracesOf(aSpan())
	link := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Links().AppendEmpty()
	link.SetSpanID(pcommon.SpanID{5})
	before := ptrace.NewTraces()
	td.CopyTo(before)
	require.NoError(t, s.ConsumeTraces(context.Background(), td))

	rs := sink.AllTraces()[0].ResourceSpans().At(0)
	require.Equal(t, 2, rs.ScopeSpans().Len())
	assert.Equal(t, metadata.ScopeName, rs.ScopeSpans().At(1).Scope().Name())
	children := rs.ScopeSpans().At(1).Spans()
	require.Equal(t, 3, children.Len())
	parent := rs.ScopeSpans().At(0).Spans().At(0)
	at := parent.StartTimestamp()
	ids := map[pcommon.SpanID]bool{}
	for i, want := range []struct {
		name     string
		from, to float64
	}{{"queue", 0, 0.5}, {"prefill", 0.5, 2.5}, {"decode", 2.5, 6.5}} {
		c := children.At(i)
		assert.Equal(t, want.name, c.Name())
		assert.Equal(t, parent.TraceID(), c.TraceID())
		assert.Equal(t, parent.SpanID(), c.ParentSpanID())
		assert.Equal(t, ptrace.SpanKindInternal, c.Kind())
		assert.Equal(t, uint32(0x101), c.Flags(), "sampled as its parent, which is not remote")
		assert.Equal(t, "ot=th:8", c.TraceState().AsRaw())
		assert.Equal(t, map[string]any{signal.AttrPhase: want.name}, c.Attributes().AsRaw())
		assert.InDelta(t, want.from, float64(c.StartTimestamp()-at)/1e9, 1e-6)
		assert.InDelta(t, want.to, float64(c.EndTimestamp()-at)/1e9, 1e-6)
		assert.False(t, c.SpanID().IsEmpty() || ids[c.SpanID()])
		ids[c.SpanID()] = true
	}
	// All else is as it was: without the children the batch is the one that came.
	rs.ScopeSpans().RemoveIf(func(ss ptrace.ScopeSpans) bool { return ss.Scope().Name() == metadata.ScopeName })
	assert.JSONEq(t, tracesJSON(t, before), tracesJSON(t, sink.AllTraces()[0]))
}

// A batch that failed and is offered again, or that passes a second collector, makes the same children.
func TestARetryMakesTheSameChildren(t *testing.T) {
	sink := new(consumertest.TracesSink)
	s := newTestTraces(t, newRegistry(), sink)
	for range 2 {
		require.NoError(t, s.ConsumeTraces(context.Background(), tracesOf(aSpan(), aSpan())))
	}
	assert.Equal(t, tracesJSON(t, sink.AllTraces()[0]), tracesJSON(t, sink.AllTraces()[1]))

	again := ptrace.NewTraces()
	sink.AllTraces()[0].CopyTo(again)
	second := newTestTraces(t, newRegistry(), sink)
	require.NoError(t, second.ConsumeTraces(context.Background(), again))
	ids := map[pcommon.SpanID]int{}
	for _, ss := range sink.AllTraces()[2].ResourceSpans().At(0).ScopeSpans().All() {
		for _, span := range ss.Spans().All() {
			if ss.Scope().Name() == metadata.ScopeName {
				ids[span.SpanID()]++
			}
		}
	}
	assert.Len(t, ids, 3, "no child of a child, and the same ids")
	for id, n := range ids {
		assert.Equal(t, 1, n, "a span that has its children gets no second ones: %v", id)
	}
}

func TestOtherSpansPassUntouchedAndAreCounted(t *testing.T) {
	tel := componenttest.NewTelemetry()
	defer func() { require.NoError(t, tel.Shutdown(context.Background())) }()
	set := metadatatest.NewSettings(tel)
	sink := new(consumertest.TracesSink)
	s, err := newRequestSpans(set, sink, newRegistry())
	require.NoError(t, err)
	require.NoError(t, s.Start(context.Background(), componenttest.NewNopHost()))
	defer func() { require.NoError(t, s.Shutdown(context.Background())) }()

	lacking, negative, absurd, inconsistent := aSpan(), aSpan(), aSpan(), aSpan()
	td := tracesOf(lacking, negative, absurd, inconsistent)
	first := func(i int) ptrace.Span { return td.ResourceSpans().At(i).ScopeSpans().At(0).Spans().At(0) }
	first(0).Attributes().Remove("gen_ai.latency.time_in_model_prefill")
	first(1).SetEndTimestamp(1)
	first(2).Attributes().PutDouble("gen_ai.latency.time_in_queue", 1e9)
	first(3).Attributes().PutDouble("gen_ai.latency.time_in_model_decode", 60)
	foreign := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	foreign.SetName("GET /")
	before := tracesJSON(t, td)
	require.NoError(t, s.ConsumeTraces(context.Background(), td))
	assert.JSONEq(t, before, tracesJSON(t, sink.AllTraces()[0]))

	require.NoError(t, s.ConsumeTraces(context.Background(), tracesOf(aSpan())))
	var want []metricdata.DataPoint[int64]
	for _, o := range requestspan.Outcomes()[1:] {
		want = append(want, metricdata.DataPoint[int64]{Value: 1, Attributes: attribute.NewSet(attribute.String("outcome", o.String()))})
	}
	metadatatest.AssertEqualProcessorPhaseAttributionSpans(t, tel, want, metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualProcessorPhaseAttributionSpansUnjoined(t, tel, []metricdata.DataPoint[int64]{
		{Value: 1, Attributes: attribute.NewSet(attribute.String("reason", unjoinedUnknown))},
	}, metricdatatest.IgnoreTimestamp())
}

func TestSlicesOfSGLangAreNamedByPhase(t *testing.T) {
	sink := new(consumertest.TracesSink)
	s := newTestTraces(t, newRegistry(), sink)
	td := ptrace.NewTraces()
	ss := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty()
	ss.Scope().SetName("sglang server")
	ss.Spans().AppendEmpty().SetName("decode_transferred")
	require.NoError(t, s.ConsumeTraces(context.Background(), td))
	got := sink.AllTraces()[0].ResourceSpans().At(0)
	assert.Equal(t, 1, got.ScopeSpans().Len(), "they have a time of their own and need no child")
	assert.Equal(t, map[string]any{signal.AttrPhase: "transfer"}, got.ScopeSpans().At(0).Spans().At(0).Attributes().AsRaw())
}

// spanned is a metrics and a traces instance of one ID, with an engine that has had GPUs and a price for a while.
func spanned(t *testing.T, cfg *Config) (p *phaseAttribution, s *requestSpans, e *engine, metrics *consumertest.MetricsSink, traces *consumertest.TracesSink) {
	t.Helper()
	metrics, traces = new(consumertest.MetricsSink), new(consumertest.TracesSink)
	cfg.GPUs = []GPURule{{IDs: []string{"GPU-0"}}}
	cfg.Prices = objectives.Prices{{PerHour: 3.6, Currency: "USD"}}
	p, c := newTestProcessor(t, cfg, metrics)
	s = newTestTraces(t, p.registry, traces)
	require.Same(t, p.board, s.board)
	e = newEngine("a:8000", spanTime)
	e.passes = true
	playGPUs(t, p, c, 100, e, "GPU-0")
	return p, s, e, metrics, traces
}

// What requests are told to owe adds up to what the worker's phases spent.
func TestJoulesAndCostOfRequestsAddUpToThePhases(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.LatencyWindow = time.Hour // all of it, so that the mean request is that of the sums
	_, s, e, metrics, traces := spanned(t, cfg)
	requests := float64(e.histograms[signal.ComputedTokens].counts[0])
	for _, n := range e.histograms[signal.ComputedTokens].counts[1:] {
		requests += float64(n)
	}
	one := aSpan()
	one.end = e.now
	// The mean request of the engine.
	one.prompt = int64(e.histograms[signal.ComputedTokens].sum / requests)
	one.output = int64(e.sums[signal.TokensGenerated]/requests) + 1
	require.NoError(t, s.ConsumeTraces(context.Background(), tracesOf(one)))
	rs := traces.AllTraces()[0].ResourceSpans().At(0)
	parent := rs.ScopeSpans().At(0).Spans().At(0).Attributes().AsRaw()
	children := rs.ScopeSpans().At(1).Spans()
	var energy, money float64
	// The windows before the first estimate are unattributed, and their requests count all the same.
	attributed := func(metric string) float64 {
		return requests * (1 - value(t, metrics, metric, signal.PhaseUnattributed)/phaseSum(t, metrics, metric))
	}
	for i, phase := range []string{signal.PhasePrefill, signal.PhaseDecode} {
		a := children.At(i + 1).Attributes().AsRaw()
		assert.InEpsilon(t, value(t, metrics, signal.PhaseEnergy, phase)/attributed(signal.PhaseEnergy), a[signal.AttrRequestEnergy], 0.08, phase)
		assert.InEpsilon(t, value(t, metrics, signal.PhaseCost, phase)/attributed(signal.PhaseCost), a[signal.AttrRequestCost], 0.08, phase)
		assert.Equal(t, "USD", a[signal.AttrCurrency])
		assert.Contains(t, a[signal.AttrEstimateMethod], "work_prices")
		assert.Greater(t, a[signal.AttrRequestConfidence], 0.5)
		energy += a[signal.AttrRequestEnergy].(float64)
		money += a[signal.AttrRequestCost].(float64)
	}
	assert.NotContains(t, children.At(0).Attributes().AsRaw(), signal.AttrRequestEnergy, "a queue spends nothing")
	assert.InDelta(t, energy, parent[signal.AttrRequestEnergy], 1e-9)
	assert.InDelta(t, money, parent[signal.AttrRequestCost], 1e-12)

	cached := one
	cached.cached = one.prompt
	require.NoError(t, s.ConsumeTraces(context.Background(), tracesOf(cached)))
	a := traces.AllTraces()[1].ResourceSpans().At(0).ScopeSpans().At(1).Spans().At(1).Attributes().AsRaw()
	assert.Zero(t, a[signal.AttrRequestEnergy], "what was cached was not computed")
}

// Spans of the requests that finished narrow goodput to one value, and are counted once although a batch failed at first.
// latencyCounts are the counts of llm.phase.latency by phase, in the newest batch that has it.
func BenchmarkRequestSpans(b *testing.B) {
	run := func(name string, joined bool) {
		b.Run(name, func(b *testing.B) {
			r := newRegistry()
			s, err := newRequestSpans(processortest.NewNopSettings(metadata.Type), consumertest.NewNop(), r)
			require.NoError(b, err)
			require.NoError(b, s.Start(context.Background(), componenttest.NewNopHost()))
			defer func() { require.NoError(b, s.Shutdown(context.Background())) }()
			if joined {
				for i := range 1000 {
					resource := pcommon.NewResource()
					resource.Attributes().PutStr(signal.AttrEngineName, "vllm")
					resource.Attributes().PutStr(signal.AttrServiceInstanceID, fmt.Sprintf("host-%d:8000", i))
					p := newPosting(createDefaultConfig().(*Config), resource, objectives.InForce{})
					p.costs.Store(&requestCosts{computed: 1, energy: [2]float64{1, 1}, hasEnergy: [2]bool{true, true}, method: "m"})
					s.board.add(p)
				}
			}
			const spans = 512
			one := aSpan()
			one.instance = "host-7:8000"
			batch := ptrace.NewTraces()
			one.put(batch, 1)
			ss := batch.ResourceSpans().At(0).ScopeSpans().At(0).Spans()
			for i := 1; i < spans; i++ {
				ss.At(0).CopyTo(ss.AppendEmpty())
			}
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				td := ptrace.NewTraces()
				batch.CopyTo(td)
				b.StartTimer()
				if err := s.ConsumeTraces(context.Background(), td); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/spans, "ns/span")
		})
	}
	run("alone", false)
	run("joined", true)
}
