package stream

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// backend is an OTLP receiver that keeps what it was sent.
type backend struct {
	ptraceotlp.UnimplementedGRPCServer
	mu       sync.Mutex
	got      []ptrace.Traces
	reject   int64
	fail     bool
	hold     chan struct{}
	arrivals chan struct{}
}

func newBackend() *backend { return &backend{arrivals: make(chan struct{}, 1000)} }

func (b *backend) Export(ctx context.Context, request ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	response := ptraceotlp.NewExportResponse()
	b.arrivals <- struct{}{}
	if b.hold != nil {
		select {
		case <-b.hold:
		case <-ctx.Done():
			return response, ctx.Err()
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail {
		return response, status.Error(codes.ResourceExhausted, "no room")
	}
	b.got = append(b.got, request.Traces())
	response.PartialSuccess().SetRejectedSpans(b.reject)
	return response, nil
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	request := ptraceotlp.NewExportRequest()
	if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" || request.UnmarshalProto(body) != nil {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	response, err := b.Export(r.Context(), request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusTooManyRequests)
		return
	}
	content, err := response.MarshalProto()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(content)
}

func (b *backend) grpc(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer()
	ptraceotlp.RegisterGRPCServer(server, b)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(ln)
	}()
	t.Cleanup(func() {
		server.Stop()
		<-done
	})
	return ln.Addr().String()
}

func (b *backend) http(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	return server.URL + "/v1/traces"
}

func (b *backend) spans() []ptrace.Span {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []ptrace.Span
	for _, td := range b.got {
		spans := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans()
		for i := range spans.Len() {
			all = append(all, spans.At(i))
		}
	}
	return all
}

func newExporter(t *testing.T, o SpanOptions) *SpanExporter {
	t.Helper()
	e, err := NewSpanExporter(o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func endpoints(t *testing.T, b *backend) map[Protocol]string {
	return map[Protocol]string{GRPC: b.grpc(t), HTTPProtobuf: b.http(t)}
}

func TestSpansArriveOverBothProtocols(t *testing.T) {
	for _, protocol := range []Protocol{GRPC, HTTPProtobuf} {
		b := newBackend()
		e := newExporter(t, SpanOptions{Endpoint: endpoints(t, b)[protocol], Protocol: protocol, ProcessID: 42, BatchSize: 2, Seed: 3})
		r := finished()
		e.Export(r)
		r.Traceparent = traceparent
		e.Export(r)
		r.Traceparent = unsampled
		e.Export(r)
		require.NoError(t, e.Close())
		assert.Equal(t, SpanStats{Queued: 3, Exported: 2, Unsampled: 1}, e.Stats(), protocol)
		spans := b.spans()
		require.Len(t, spans, 2)
		assert.Equal(t, "0af7651916cd43dd8448eb211c80319c", spans[1].TraceID().String())
		assert.Equal(t, 3.0, spans[0].Attributes().AsRaw()["gen_ai.latency.time_to_first_token"])
		rs := b.got[0].ResourceSpans().At(0)
		assert.Equal(t, map[string]any{
			"telemetry.sdk.language": "python", "telemetry.sdk.name": "opentelemetry", "telemetry.sdk.version": "1.45.2",
			"service.name":                   "unknown_service:python3",
			"vllm.instrumenting_module_name": "vllm.llm_engine", "vllm.process_id": "42",
		}, rs.Resource().Attributes().AsRaw())
		assert.Equal(t, "vllm.tracing.otel", rs.ScopeSpans().At(0).Scope().Name())
	}
}

func TestATickSendsWhatWaits(t *testing.T) {
	b, ticks := newBackend(), make(chan time.Time)
	e := newExporter(t, SpanOptions{Endpoint: "http://" + b.grpc(t), Dialect: SGLangSpans, Ticks: ticks})
	ticks <- time.Time{}
	e.Export(finished())
	require.Eventually(t, func() bool { return len(e.queue) == 0 }, patience, interval)
	ticks <- time.Time{}
	<-b.arrivals
	require.Eventually(t, func() bool { return e.Stats().Exported == 1 }, patience, interval)
	rs := b.got[0].ResourceSpans().At(0)
	assert.Equal(t, "sglang", rs.Resource().Attributes().AsRaw()["service.name"])
	assert.Equal(t, "sglang server", rs.ScopeSpans().At(0).Scope().Name())
	assert.Empty(t, b.arrivals, "the first tick had nothing to send")
}

func TestRefusalsAreCounted(t *testing.T) {
	for _, protocol := range []Protocol{GRPC, HTTPProtobuf} {
		b := newBackend()
		b.reject = 3
		e := newExporter(t, SpanOptions{Endpoint: endpoints(t, b)[protocol], Protocol: protocol})
		for range 5 {
			e.Export(finished())
		}
		require.NoError(t, e.Close())
		assert.Equal(t, SpanStats{Queued: 5, Exported: 2, Rejected: 3}, e.Stats())

		b = newBackend()
		b.fail = true
		e = newExporter(t, SpanOptions{Endpoint: endpoints(t, b)[protocol], Protocol: protocol})
		e.Export(finished())
		require.NoError(t, e.Close())
		stats := e.Stats()
		assert.Equal(t, uint64(1), stats.Failed)
		assert.Zero(t, stats.Exported)
		assert.Contains(t, stats.LastError, map[Protocol]string{GRPC: "no room", HTTPProtobuf: "/v1/traces answered 429"}[protocol])
	}
}

func TestAFullQueueDropsAndDoesNotBlock(t *testing.T) {
	b := newBackend()
	b.hold = make(chan struct{})
	e := newExporter(t, SpanOptions{Endpoint: b.grpc(t), QueueSize: 4, BatchSize: 1})
	e.Export(finished())
	<-b.arrivals // the exporter waits for the receiver from here on
	for n := range 10 {
		r := finished()
		r.PromptTokens = n
		e.Export(r)
	}
	assert.Equal(t, uint64(6), e.Stats().Dropped)
	close(b.hold)
	require.NoError(t, e.Close())
	assert.Equal(t, SpanStats{Queued: 11, Exported: 5, Dropped: 6}, e.Stats())
	var prompts []any
	for _, span := range b.spans() {
		prompts = append(prompts, span.Attributes().AsRaw()["gen_ai.usage.prompt_tokens"])
	}
	assert.Equal(t, []any{int64(100), int64(6), int64(7), int64(8), int64(9)}, prompts, "the oldest made room")
	e.Export(finished())
	assert.Equal(t, uint64(11), e.Stats().Queued, "nothing is queued after Close")
	require.EqualError(t, e.Close(), "already closed")
}

func TestCloseGivesUpOnAReceiverThatHangs(t *testing.T) {
	b := newBackend()
	b.hold = make(chan struct{})
	e := newExporter(t, SpanOptions{Endpoint: b.grpc(t), BatchSize: 1})
	e.Export(finished())
	<-b.arrivals
	require.NoError(t, e.Close())
	assert.Equal(t, uint64(1), e.Stats().Failed)
}

func TestNobodyListens(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, ln.Close())
	e := newExporter(t, SpanOptions{Endpoint: ln.Addr().String()})
	e.Export(finished())
	require.NoError(t, e.Close())
	assert.Equal(t, uint64(1), e.Stats().Failed)
	assert.Contains(t, e.Stats().LastError, ln.Addr().String())
}

func TestBadSpanOptions(t *testing.T) {
	for want, o := range map[string]SpanOptions{
		`endpoint: must be host:port or http://host:port for grpc, got "https://h:4317"`:             {Endpoint: "https://h:4317"},
		`endpoint: must be host:port or http://host:port for grpc, got ""`:                           {},
		`endpoint: must be a URL such as http://host:4318/v1/traces for http/protobuf, got "h:4318"`: {Endpoint: "h:4318", Protocol: HTTPProtobuf},
		`protocol: must be grpc or http/protobuf, got Protocol(4)`:                                   {Endpoint: "h:1", Protocol: 4},
		`dialect: must be vllm or sglang, got SpanDialect(5)`:                                        {Endpoint: "h:1", Dialect: 5},
		`queue_size: must be at least 1, or 0 for 2048, got -1`:                                      {Endpoint: "h:1", QueueSize: -1},
		`batch_size: must be at least 1, or 0 for 512, got -2`:                                       {Endpoint: "h:1", BatchSize: -2},
		`delay: must be above 0, or 0 for 5s, got -1s`:                                               {Endpoint: "h:1", Delay: -time.Second},
	} {
		_, err := NewSpanExporter(o)
		require.Error(t, err)
		assert.Contains(t, err.Error(), want)
	}
}
