package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
	"github.com/otelcol-inference/otelcol-inference/internal/exposition"
)

// target is one endpoint. Its loop owns it.
type target struct {
	url      *url.URL
	name     string       // for logs: host:port, without credentials
	pages    *http.Client // for one request at a time
	client   *http.Client // for the rest
	clock    clock
	timeout  time.Duration
	maxBytes int64
	buffers  *buffers
	book     *exposition.Book
	about    aboutReader
	kin      *kinReader // nil for an endpoint that is not on this host
	moved    bool       // the page is not at the configured path
	drains   bool       // reads the records that TensorRT-LLM hands out once
	tell     *reporter
	up       bool
	refused  bool // the pipeline refused the last points
	series   int  // told to the telemetry
	size     int  // bytes of the last page
}

// scrape gets the page and returns its points, or those that say that the target is down.
func (t *target) scrape(ctx context.Context) pmetric.Metrics {
	began := t.clock.Now()
	metrics, report, err := t.read(ctx, began)
	if err != nil {
		metrics = t.book.Down(began)
		t.up = false
	} else {
		if !t.up || report.Restarted {
			t.about.want()
			t.kin.want()
		}
		t.up = true
		t.kin.write(metrics, began)
		t.tell.page(ctx, t, report)
	}
	t.tell.scrape(ctx, t, err, t.clock.Now().Sub(began))
	return metrics
}

func (t *target) read(ctx context.Context, at time.Time) (pmetric.Metrics, exposition.Report, *failure) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	buf, got, failed := t.fetch(ctx)
	if failed != nil {
		t.elsewhere(failed)
		return pmetric.Metrics{}, exposition.Report{}, failed
	}
	defer t.buffers.put(buf)
	t.size = len(got.body)
	t.tell.body(ctx, t.size)
	if t.drains && t.book.Engine() == dialect.EngineTensorRT {
		t.iterations(ctx, at)
	}
	told, news := t.about.get()
	if news {
		t.book.Tell(told)
	}
	metrics, report, err := t.book.Scrape(got.body, got.openMetrics, at, told.Version)
	if err != nil {
		return metrics, report, &failure{outcomeMalformed, err}
	}
	return metrics, report, nil
}

// fetch gets the page, in a buffer that the caller gives back. Most of a scrape is waiting for the engine, so it is not lent before.
func (t *target) fetch(ctx context.Context) (*bytes.Buffer, page, *failure) {
	resp, failed := get(ctx, t.pages, t.url)
	if failed != nil {
		return nil, page{}, failed
	}
	defer resp.Body.Close()
	buf := t.buffers.get()
	buf.Grow(t.size + 2*bytes.MinRead) // at once: growing while it reads costs the page twice
	got, failed := receivePage(ctx, resp, t.maxBytes, buf)
	if failed != nil {
		t.buffers.put(buf)
		return nil, page{}, failed
	}
	return buf, got, nil
}

// iterations reads the records of iterations. What cannot be read is lost and said, and costs the page nothing.
func (t *target) iterations(ctx context.Context, at time.Time) {
	buf := t.buffers.get()
	defer t.buffers.put(buf)
	var lost int64
	resp, failed := get(ctx, t.pages, aboutURL(t.url, defaultPath))
	if failed == nil {
		defer resp.Body.Close()
		failed = readBody(ctx, resp, t.maxBytes, buf)
	}
	if failed == nil {
		var err error
		if lost, err = t.book.Iterations(buf.Bytes(), pcommon.NewTimestampFromTime(at)); err != nil {
			failed = fail(outcomeMalformed, "%w", err)
		}
	}
	t.tell.iterations(t, lost, failed)
}

// elsewhere turns to the page of TensorRT-LLM where the default path has that engine's statistics in JSON. Each reading of those
// takes them from other readers, so it is done once.
func (t *target) elsewhere(failed *failure) {
	var json *jsonError
	u := *t.url
	switch {
	case !t.moved && t.url.Path == defaultPath && errors.As(failed.err, &json):
		u.Path = mountPath + defaultPath
	case t.moved && failed.outcome == outcomeHTTPStatus: // another engine answers there now
		u.Path = defaultPath
	default:
		return
	}
	t.url, t.moved = &u, !t.moved
}

// run scrapes every interval until ctx ends. Each target has its own loop, so that one that is slow delays nobody.
func (t *target) run(ctx context.Context, delay, interval time.Duration, deliver func(context.Context, *target, pmetric.Metrics)) {
	first, stop := t.clock.After(delay)
	defer stop()
	select {
	case <-ctx.Done():
		return
	case <-first:
	}
	ticks, stop := t.clock.Ticks(interval)
	defer stop()
	defer t.pages.CloseIdleConnections()
	// An engine that was found and then vanished has its receiver stopped, often before a scrape could fail: without this it would
	// stay up wherever its last point is kept.
	defer func() { deliver(context.WithoutCancel(ctx), t, t.book.Gone(t.clock.Now())) }()
	for {
		metrics := t.scrape(ctx)
		if errors.Is(ctx.Err(), context.Canceled) {
			return // the scrape was cut short: its failure says nothing of the target
		}
		deliver(ctx, t, metrics)
		if t.up {
			t.about.ask(ctx, t.client, t.url, t.book.About(), t.timeout)
			t.kin.ask()
		}
		select {
		case <-ctx.Done():
			return
		case <-ticks:
		}
	}
}

// maxPooledBytes keeps a rare large page from staying in memory.
const maxPooledBytes = 1 << 20

// buffers lends body buffers to the targets, which need them for a few milliseconds of each interval.
type buffers struct{ free chan *bytes.Buffer }

// newBuffers keeps at most n buffers.
func newBuffers(n int) *buffers { return &buffers{make(chan *bytes.Buffer, n)} }

func (b *buffers) get() *bytes.Buffer {
	select {
	case buf := <-b.free:
		return buf
	default:
		return new(bytes.Buffer)
	}
}

func (b *buffers) put(buf *bytes.Buffer) {
	if buf.Cap() > maxPooledBytes {
		return
	}
	select {
	case b.free <- buf:
	default:
	}
}
