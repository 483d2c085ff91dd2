package llmenginereceiver

import (
	"bytes"
	"compress/gzip"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

const testBodyLimit = 64 << 10

// faults are the ways in which an endpoint can be bad, and how each is counted.
func faults(t *testing.T) map[string]struct {
	how    outcome
	handle http.HandlerFunc
} {
	type fault = struct {
		how    outcome
		handle http.HandlerFunc
	}
	send := func(contentType, encoding, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			if encoding != "" {
				w.Header().Set("Content-Encoding", encoding)
			}
			_, _ = w.Write([]byte(body))
		}
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, healthyPage, code) }
	}
	const text = "text/plain; version=0.0.4"
	return map[string]fault{
		"slow to answer": {outcomeTimeout, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
		"slow in the middle": {outcomeTimeout, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", text)
			_, _ = w.Write([]byte(healthyPage))
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}},
		"endless": {outcomeTooLarge, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", text)
			for err := error(nil); err == nil; {
				_, err = w.Write([]byte(healthyPage))
			}
		}},
		"gzip bomb":        {outcomeTooLarge, send(text, "gzip", zipped(t, strings.Repeat("# bomb\n", 4<<20)))},
		"broken gzip":      {outcomeMalformed, send(text, "gzip", "no gzip at all")},
		"unknown encoding": {outcomeContentType, send(text, "br", "x")},
		"HTML":             {outcomeContentType, send("text/html", "", "<html></html>")},
		"HTML as text":     {outcomeMalformed, send(text, "", "<html>\n<body>\n</body>\n</html>\n")},
		"JSON":             {outcomeContentType, send("application/json", "", "[]")},
		"empty":            {outcomeEmpty, send(text, "", "")},
		"blank":            {outcomeEmpty, send(text, "", " \n\n")},
		"404":              {outcomeHTTPStatus, status(http.StatusNotFound)},
		"500":              {outcomeHTTPStatus, status(http.StatusInternalServerError)},
		"no content":       {outcomeHTTPStatus, status(http.StatusNoContent)},
		"reset":            {outcomeConnection, reset},
		"cut short": {outcomeConnection, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", text)
			w.Header().Set("Content-Length", "100000")
			_, _ = w.Write([]byte(healthyPage))
		}},
		"redirect elsewhere": {outcomeConnection, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/metrics", http.StatusTemporaryRedirect)
		}},
		"redirect in a circle": {outcomeConnection, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
		}},
	}
}

// reset answers with a TCP reset.
func reset(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

func zipped(t *testing.T, text string) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.String()
}

// TestBadEndpoints has a good and a bad endpoint in one receiver: the bad one is counted by reason and says up 0, the good one is
// scraped all the same, and the bad one recovers without a restart.
func TestBadEndpoints(t *testing.T) {
	for name, fault := range faults(t) {
		t.Run(name, func(t *testing.T) {
			good, bad := newEngine(t), newEngine(t)
			bad.metrics.Store(&fault.handle)
			r := startRig(t, nil, func(c *Config) {
				c.Scrape.MaxBodyBytes = testBodyLimit
				if fault.how == outcomeTimeout {
					c.ClientConfig.Timeout = 50 * time.Millisecond
				}
			}, good.URL, bad.URL)
			r.waitUp(bad, 0)
			assert.Positive(t, r.scrapes(fault.how))
			_, before := r.last(instance(good))
			r.until(func() bool { up, n := r.last(instance(good)); return up == 1 && n >= before+3 }, "the good endpoint goes on")

			bad.metrics.Store(answer(healthyPage))
			r.waitUp(bad, 1)
		})
	}
}

// TestSlowEndpointDelaysNobody never answers at the first, and the second is scraped many times meanwhile.
func TestSlowEndpointDelaysNobody(t *testing.T) {
	slow, good := newEngine(t), newEngine(t)
	slow.metrics.Store(handler(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	r := startRig(t, nil, func(c *Config) { c.ClientConfig.Timeout = time.Hour }, slow.URL, good.URL)
	r.until(func() bool { _, n := r.last(instance(good)); return n >= 20 }, "twenty scrapes")
	_, n := r.last(instance(slow))
	assert.Zero(t, n, "the first scrape of the slow endpoint is still under way")
}

func TestRefusedConnection(t *testing.T) {
	e := newEngine(t)
	e.Close()
	r := startRig(t, nil, nil, e.URL)
	r.waitUp(e, 0)
	assert.Positive(t, r.scrapes(outcomeConnection))
}

// TestAcceptable has answers that are unusual and good.
func TestAcceptable(t *testing.T) {
	for name, handle := range map[string]http.HandlerFunc{
		"redirect to a mounted application": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/metrics" {
				http.Redirect(w, r, "/metrics/", http.StatusTemporaryRedirect)
				return
			}
			_, _ = w.Write([]byte(healthyPage))
		},
		"gzip unasked": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte(zipped(t, healthyPage)))
		},
		"OpenMetrics": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8")
			_, _ = w.Write([]byte(strings.ReplaceAll(healthyPage, "tokens_total counter", "tokens counter") + "# EOF\n"))
		},
		"no content type": func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			_, _ = w.Write([]byte(healthyPage))
		},
		"asked for text, uncompressed": func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept") != "text/plain;version=0.0.4,*/*;q=0.1" || r.Header.Get("Accept-Encoding") != "identity" {
				w.WriteHeader(http.StatusNotAcceptable)
				return
			}
			w.Header().Set("Content-Type", "text/plain; version=0.0.4")
			_, _ = w.Write([]byte(healthyPage))
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t)
			e.metrics.Store(&handle)
			r := startRig(t, nil, nil, e.URL)
			r.waitUp(e, 1)
			_, ok := r.find("llm.engine.tokens.generated")
			assert.True(t, ok)
		})
	}
}

// TestAboutPagesMayBeCompressed: a configured header that asks for gzip holds for what an engine tells of itself, too.
func TestAboutPagesMayBeCompressed(t *testing.T) {
	e := newEngine(t)
	e.version.Store(handler(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			w.WriteHeader(http.StatusNotAcceptable)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write([]byte(zipped(t, `{"version":"0.31.0"}`)))
	}))
	r := startRig(t, nil, func(c *Config) {
		c.ClientConfig.Headers.Set("Accept-Encoding", "gzip")
	}, e.URL)
	r.until(func() bool { return r.info()[signal.AttrEngineVersion] == "0.31.0" }, "the version")
}
