package stream

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

const (
	// defaultSpanQueue is the queue of OpenTelemetry's batch span processor.
	defaultSpanQueue = 2048
	// sdkVersion is the version of the Python SDK whose resource and flags are sent.
	sdkVersion = "1.45.2"
	// spanTimeout is how long one export may take, as in OpenTelemetry's exporters.
	spanTimeout = 10 * time.Second
	// spanLinger bounds what Close still sends.
	spanLinger = time.Second
)

// SpanOptions configure an exporter of request spans.
type SpanOptions struct {
	// Endpoint is host:port or http://host:port for GRPC, a whole URL for HTTPProtobuf.
	Endpoint string
	Protocol Protocol
	Dialect  SpanDialect
	// Service is service.name, which engines take from OTEL_SERVICE_NAME; "" is unknown_service:python3 for vLLM and sglang for
	// SGLang.
	Service string
	// ProcessID is vllm.process_id.
	ProcessID int
	// QueueSize is how many spans wait; more push out the oldest. Default 2048.
	QueueSize int
	// BatchSize is how many spans are sent at once at most. Default 512 for vLLM, 64 for SGLang.
	BatchSize int
	// Delay is the longest a span waits for others. Default 5 s for vLLM, 500 ms for SGLang.
	Delay time.Duration
	// Ticks, when set, is the clock of batches in place of a ticker every Delay.
	Ticks <-chan time.Time
	// Seed makes ids: equal seeds give equal ids.
	Seed uint64
}

// SpanStats count spans.
type SpanStats struct {
	// Queued were taken; of them Exported arrived, Rejected were refused by the receiver, Failed were in an export that failed,
	// Dropped were pushed out of a full queue and Unsampled came with a parent that is not sampled.
	Queued, Exported, Rejected, Failed, Dropped, Unsampled uint64
	// LastError is the last failed export's.
	LastError string
}

// SpanExporter sends request spans. Its methods may be called from any goroutine.
type SpanExporter struct {
	options SpanOptions
	sender  sender
	queue   chan RequestSpan
	rng     *rand.Rand
	ctx     context.Context
	cancel  context.CancelFunc
	done    chan struct{}
	wait    sync.WaitGroup

	mu     sync.Mutex
	stats  SpanStats
	closed bool
}

// NewSpanExporter starts an exporter. It connects when it first sends. The caller closes it.
func NewSpanExporter(o SpanOptions) (*SpanExporter, error) {
	if o.Dialect < VLLMSpans || o.Dialect > SGLangSpans {
		return nil, fmt.Errorf("dialect: must be vllm or sglang, got %v", o.Dialect)
	}
	batch, delay, service := 512, 5*time.Second, "unknown_service:python3"
	if o.Dialect == SGLangSpans {
		batch, delay, service = 64, 500*time.Millisecond, "sglang"
	}
	var err error
	if o.QueueSize, err = orDefault("queue_size", o.QueueSize, defaultSpanQueue); err != nil {
		return nil, err
	}
	if o.BatchSize, err = orDefault("batch_size", o.BatchSize, batch); err != nil {
		return nil, err
	}
	if o.Delay < 0 {
		return nil, fmt.Errorf("delay: must be above 0, or 0 for %v, got %v", delay, o.Delay)
	}
	if o.Delay == 0 {
		o.Delay = delay
	}
	if o.Service == "" {
		o.Service = service
	}
	s, err := newSender(o.Protocol, o.Endpoint)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	e := &SpanExporter{
		options: o, sender: s, queue: make(chan RequestSpan, o.QueueSize), rng: rand.New(rand.NewPCG(o.Seed, 0)),
		ctx: ctx, cancel: cancel, done: make(chan struct{}),
	}
	e.wait.Go(e.run)
	return e, nil
}

// Export queues the span of a finished request; when the queue is full the oldest makes room, as in the Python SDK. It never blocks.
// After Close it does nothing.
func (e *SpanExporter) Export(r RequestSpan) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	e.stats.Queued++
	for {
		select {
		case e.queue <- r:
			return
		default:
		}
		select {
		case <-e.queue:
			e.stats.Dropped++
		default:
		}
	}
}

func (e *SpanExporter) run() {
	ticks := e.options.Ticks
	if ticks == nil {
		ticker := time.NewTicker(e.options.Delay)
		defer ticker.Stop()
		ticks = ticker.C
	}
	batch := make([]RequestSpan, 0, e.options.BatchSize)
	for {
		select {
		case r := <-e.queue:
			if batch = append(batch, r); len(batch) == cap(batch) {
				batch = e.flush(batch)
			}
		case <-ticks:
			batch = e.flush(batch)
		case <-e.done:
			e.drain(batch)
			return
		}
	}
}

// drain sends what is left. Nothing joins the queue any more.
func (e *SpanExporter) drain(batch []RequestSpan) {
	for {
		select {
		case r := <-e.queue:
			if batch = append(batch, r); len(batch) == cap(batch) {
				batch = e.flush(batch)
			}
		default:
			e.flush(batch)
			return
		}
	}
}

// flush sends a batch and returns it emptied. A failed batch is gone: the engines' exporters give up too, after a minute of retries.
func (e *SpanExporter) flush(batch []RequestSpan) []RequestSpan {
	if len(batch) == 0 {
		return batch
	}
	traces, unsampled := e.traces(batch)
	var rejected int64
	var err error
	sent := uint64(traces.SpanCount())
	if sent > 0 {
		ctx, cancel := context.WithTimeout(e.ctx, spanTimeout)
		rejected, err = e.sender.send(ctx, ptraceotlp.NewExportRequestFromTraces(traces))
		cancel()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stats.Unsampled += unsampled
	if err != nil {
		e.stats.Failed += sent
		e.stats.LastError = err.Error()
		return batch[:0]
	}
	refused := min(uint64(max(rejected, 0)), sent)
	e.stats.Rejected += refused
	e.stats.Exported += sent - refused
	return batch[:0]
}

// traces builds one resource with the spans of a batch. A request whose parent is not sampled has none: both engines run the default
// sampler, which follows its parent.
func (e *SpanExporter) traces(batch []RequestSpan) (ptrace.Traces, uint64) {
	traces := ptrace.NewTraces()
	rs := traces.ResourceSpans().AppendEmpty()
	a := rs.Resource().Attributes()
	a.PutStr("telemetry.sdk.language", "python")
	a.PutStr("telemetry.sdk.name", "opentelemetry")
	a.PutStr("telemetry.sdk.version", sdkVersion)
	a.PutStr("service.name", e.options.Service)
	if e.options.Dialect == VLLMSpans {
		a.PutStr("vllm.instrumenting_module_name", "vllm.llm_engine")
		a.PutStr("vllm.process_id", strconv.Itoa(e.options.ProcessID))
	}
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Scope().SetName(e.options.Dialect.scope())
	ss.Spans().EnsureCapacity(len(batch))
	var unsampled uint64
	for i := range batch {
		parent := batch[i].parent()
		if parent.IsValid() && !parent.IsSampled() {
			unsampled++
			continue
		}
		batch[i].fill(ss.Spans().AppendEmpty(), parent, e.options.Dialect, e.rng)
	}
	return traces, unsampled
}

// Stats so far.
func (e *SpanExporter) Stats() SpanStats {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.stats
}

// Close sends what is queued for at most a second, hangs up and waits for every goroutine. A second Close is an error.
func (e *SpanExporter) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return errClosed
	}
	e.closed = true
	e.mu.Unlock()
	close(e.done)
	give := time.AfterFunc(spanLinger, e.cancel)
	e.wait.Wait()
	give.Stop()
	e.cancel()
	return e.sender.close()
}
