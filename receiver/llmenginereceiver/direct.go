package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"unicode"

	"go.opentelemetry.io/collector/config/confighttp"
)

const (
	wireBytes      = 4 << 10 // enough for the head of an answer; the body is read past it
	maxHeaderBytes = 1 << 20 // of one answer
	maxInterim     = 5       // answers of status 1xx before the one that counts
)

// isPlain reports whether requests to an endpoint need nothing of confighttp's client but the default: then direct can make them.
// Its connection stays open until the next scrape, which must not be longer than the configuration lets it be idle.
func isPlain(cfg *Config, u *url.URL) bool {
	c := cfg.ClientConfig
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u})
	idle := c.IdleConnTimeout //nolint:staticcheck // confighttp folds the keepalive section into the deprecated fields
	return u.Scheme == "http" && u.User == nil && isASCII(u.Host) && proxy == nil && err == nil && c.ProxyURL == "" &&
		len(c.Headers) == 0 && !c.Auth.HasValue() && len(c.Middlewares) == 0 && !c.Cookies.HasValue() &&
		!c.Compression.IsCompressed() && keepsAlive(c) && (idle == 0 || cfg.Scrape.CollectionInterval < idle)
}

// isASCII is false of a name that net/http's transport writes in its ASCII form before it looks it up.
func isASCII(host string) bool {
	return !strings.ContainsFunc(host, func(r rune) bool { return r > unicode.MaxASCII })
}

func keepsAlive(c confighttp.ClientConfig) bool {
	return !c.DisableKeepAlives //nolint:staticcheck // see isPlain
}

// direct makes plain HTTP/1.1 requests to one engine, over one connection that stays open, in the goroutine that asks: net/http's
// transport has two more goroutines per connection, and waking them costs as much as the request. The next request must not be made
// before the body of the last answer is closed.
type direct struct {
	wires *wires
	conn  net.Conn // idle; nil when there is none
}

// errNoAnswer says that not a byte of an answer came. On a connection that was kept this means that the engine had closed it.
var errNoAnswer = errors.New("the engine closed the connection before it answered")

// RoundTrip sends a request without a body. It is sent anew, once, where a connection that was kept turns out to be closed.
func (d *direct) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "http" {
		return nil, fmt.Errorf("the scheme must be http (got %q)", req.URL.Scheme)
	}
	if kept := d.conn; kept != nil {
		d.conn = nil
		resp, err := d.exchange(req, kept, true)
		if !errors.Is(err, errNoAnswer) || req.Context().Err() != nil {
			return resp, err
		}
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(req.Context(), "tcp", req.URL.Host)
	if err != nil {
		return nil, err
	}
	return d.exchange(req, conn, false)
}

// CloseIdleConnections closes the connection that is kept.
func (d *direct) CloseIdleConnections() {
	if d.conn != nil {
		_ = d.conn.Close()
		d.conn = nil
	}
}

func (d *direct) exchange(req *http.Request, conn net.Conn, kept bool) (*http.Response, error) {
	e := &exchange{client: d, conn: conn, wire: d.wires.get(conn)}
	// Whatever waits for the connection then fails.
	e.release = context.AfterFunc(req.Context(), func() { _ = conn.Close() })
	resp, err := e.wire.ask(req, conn, kept)
	if err != nil {
		_ = e.Close()
		return nil, err
	}
	e.body, e.ended = resp.Body, resp.Body == http.NoBody
	e.last = resp.Close || resp.StatusCode == http.StatusSwitchingProtocols // what follows is no HTTP
	resp.Body = e
	return resp, nil
}

// exchange is the body of an answer. It gives the connection back when it is closed after its end.
type exchange struct {
	client  *direct
	conn    net.Conn
	wire    *wire
	release func() bool
	body    io.Reader
	ended   bool
	last    bool // the connection ends with this answer
	closed  bool
}

func (e *exchange) Read(p []byte) (int, error) {
	if e.closed { // the wire may be another's
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := e.body.Read(p)
	e.ended = e.ended || errors.Is(err, io.EOF)
	return n, err
}

// Close keeps the connection if the whole answer was read, and nothing behind it.
func (e *exchange) Close() error {
	if e.closed {
		return nil
	}
	e.closed = true
	if e.release() && e.ended && !e.last && e.wire.in.Buffered() == 0 && e.client.conn == nil {
		e.client.conn = e.conn
	} else {
		_ = e.conn.Close()
	}
	e.client.wires.put(e.wire)
	return nil
}

// wire is what a request needs of memory while it is under way.
type wire struct {
	source io.LimitedReader
	in     *bufio.Reader
	out    bytes.Buffer
}

// ask sends the request and reads an answer up to its body. The connection was kept, or is new.
func (w *wire) ask(req *http.Request, conn net.Conn, kept bool) (*http.Response, error) {
	w.out.Reset()
	if err := req.Write(&w.out); err != nil {
		return nil, err
	}
	if _, err := conn.Write(w.out.Bytes()); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	w.source.N = maxHeaderBytes
	if _, err := w.in.Peek(1); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	for range maxInterim {
		resp, err := http.ReadResponse(w.in, req)
		switch {
		case err != nil && w.source.N <= 0:
			return nil, fmt.Errorf("the headers of an answer must have at most %d bytes (got more)", maxHeaderBytes)
		case err != nil:
			return nil, err
		case kept && resp.StatusCode == http.StatusRequestTimeout: // said to an idle connection before it is closed
			return nil, fmt.Errorf("%w: HTTP status %d", errNoAnswer, resp.StatusCode)
		case resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols:
			w.source.N = math.MaxInt64 // who reads the body bounds it
			return resp, nil
		}
	}
	return nil, fmt.Errorf("more than %d interim answers", maxInterim)
}

// wires lends them to the targets.
type wires struct{ free sync.Pool }

func (w *wires) get(conn net.Conn) *wire {
	got, ok := w.free.Get().(*wire)
	if !ok {
		got = &wire{in: bufio.NewReaderSize(nil, wireBytes)}
	}
	got.source.R = conn
	got.in.Reset(&got.source)
	return got
}

func (w *wires) put(used *wire) {
	used.source.R = nil
	used.in.Reset(nil)
	w.free.Put(used)
}
