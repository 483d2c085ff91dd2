package inferencedashboardexporter

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/exporter/exportertest"

	"github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter/internal/metadata"
)

// filled returns a dashboard with two workers that were served for a while, and the moment after.
func filled(t testing.TB, workers int, steps int) (*dashboard, []*fakeWorker, time.Time) {
	t.Helper()
	now := at(0)
	d, err := newDashboard(createDefaultConfig().(*Config), exportertest.NewNopSettings(metadata.Type), func() time.Time { return now })
	require.NoError(t, err)
	var ws []*fakeWorker
	for i := range workers {
		w := newFakeWorker(fmt.Sprintf("10.0.0.%d:8000", i), at(0))
		w.ttft, w.imbalance = 0.6, 0.5
		ws = append(ws, w)
	}
	for range steps {
		now = now.Add(5 * time.Second)
		for _, w := range ws {
			w.run(5 * time.Second)
			require.NoError(t, d.consumeMetrics(context.Background(), w.engineBatch(now)))
			require.NoError(t, d.consumeMetrics(context.Background(), w.derivedBatch(now)))
		}
		d.update(context.Background())
	}
	return d, ws, now
}

func get(t *testing.T, h http.Handler, method, target string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, "http://localhost:8899"+target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		} else {
			r.Header.Set(header[i], header[i+1])
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func decode(t *testing.T, r *http.Response) map[string]any {
	t.Helper()
	var v map[string]any
	require.NoError(t, json.NewDecoder(r.Body).Decode(&v))
	return v
}

func TestAPI(t *testing.T) {
	d, _, _ := filled(t, 2, 20)
	h := guard(d.api.handler(), "localhost:8899")

	v := decode(t, get(t, h, "GET", "/api/v1/verdict"))
	fleet := v["fleets"].([]any)[0].(map[string]any)
	verdict := fleet["verdict"].(map[string]any)
	assert.Equal(t, "prefill_bound", verdict["code"])
	assert.Equal(t, "final", verdict["standing"])
	assert.Equal(t, "HIGH", verdict["confidence_word"])
	assert.Len(t, decode(t, get(t, h, "GET", "/api/v1/verdict?fleet="+fleet["id"].(string)))["fleets"], 1)
	assert.Len(t, decode(t, get(t, h, "GET", "/api/v1/verdict?fleet=llama-70b"))["fleets"], 1, "by its name")
	assert.Equal(t, 404, get(t, h, "GET", "/api/v1/verdict?fleet=nobody").StatusCode)
	assert.Equal(t, `fleet: must be the id or the name of a fleet; known are "llama-70b" (`+fleet["id"].(string)+")",
		decode(t, get(t, h, "GET", "/api/v1/verdict?fleet=nobody"))["error"])

	workers := decode(t, get(t, h, "GET", "/api/v1/workers"))["workers"].([]any)
	require.Len(t, workers, 2)
	id := workers[0].(map[string]any)["id"].(string)
	assert.Equal(t, 404, get(t, h, "GET", "/api/v1/workers?fleet=nobody").StatusCode)
	assert.Len(t, decode(t, get(t, h, "GET", "/api/v1/workers?fleet=llama-70b"))["workers"], 2)

	series := decode(t, get(t, h, "GET", "/api/v1/history?worker="+id+"&metric=ttft_p90,imbalance"))
	assert.EqualValues(t, 5000, series["step"])
	assert.Len(t, series["series"].(map[string]any)["imbalance"].(map[string]any)["values"], 20)
	assert.Equal(t, "s", series["series"].(map[string]any)["ttft_p90"].(map[string]any)["unit"])
	assert.Equal(t, 200, get(t, h, "GET", "/api/v1/history?fleet="+fleet["id"].(string)+"&metric=prefill").StatusCode)
	assert.Equal(t, 200, get(t, h, "GET", "/api/v1/history?fleet=llama-70b&metric=prefill").StatusCode)
	long := decode(t, get(t, h, "GET", "/api/v1/history?span=long&worker="+id+"&metric=ttft_p90,storm"))
	assert.EqualValues(t, 120000, long["step"])
	assert.NotEmpty(t, long["series"].(map[string]any)["ttft_p90"].(map[string]any)["values"])
	for target, code := range map[string]int{
		"/api/v1/history?metric=kv&span=day&worker=" + id:                 400,
		"/api/v1/history?metric=kv&span=recent&worker=" + id:              200,
		"/api/v1/history?metric=kv":                                       400,
		"/api/v1/history?metric=nothing&worker=" + id:                     400,
		"/api/v1/history?metric=kv&worker=a&fleet=b":                      400,
		"/api/v1/history?metric=kv&worker=%3Cscript%3E":                   404,
		"/api/v1/history?metric=kv&fleet=nobody":                          404,
		"/api/v1/history?worker=" + id + "&metric=kv" + repeat(",kv", 99): 400,
		"/api/v1/subjects?kind=engine":                                    400,
		"/api/v1/stream?from=-1":                                          400, "/api/v1/stream?filter=" + repeat("x", maxFilter+1): 400,
		"/api/v1/workers?x=" + repeat("x", maxQuery): 414,
		"/api/v2/verdict": 404, "/../../etc/passwd": 307, "/vendor/": 404, "/vendor/VERSION": 404, "/vendor/.gitkeep": 404,
		"/healthz": 200, "/": 200, "/style.css": 200, "/main.js": 200, "/icon.svg": 200,
	} {
		assert.Equal(t, code, get(t, h, "GET", target).StatusCode, target)
	}
}

func repeat(s string, n int) string { return strings.Repeat(s, n) }

func TestPageIsCachedAndCompressed(t *testing.T) {
	d, _, _ := filled(t, 0, 0)
	r := get(t, d.api.handler(), "GET", "/", "Accept-Encoding", "gzip")
	assert.Equal(t, "gzip", r.Header.Get("Content-Encoding"))
	assert.Equal(t, "text/html; charset=utf-8", r.Header.Get("Content-Type"))
	r = get(t, d.api.handler(), "GET", "/", "If-None-Match", r.Header.Get("Etag"))
	assert.Equal(t, http.StatusNotModified, r.StatusCode)
	body, err := io.ReadAll(get(t, d.api.handler(), "GET", "/").Body)
	require.NoError(t, err)
	assert.NotRegexp(t, `(?i)https?://|<style|style=|\son[a-z]+=|<script>`, string(body), "nothing that the content policy would refuse")
}

func TestGuard(t *testing.T) {
	next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	local := guard(next, "localhost:8899")
	for host, code := range map[string]int{
		"localhost:8899": 200, "LOCALHOST": 200, "127.0.0.1:8899": 200, "[::1]:8899": 200, "[::1]": 200, "localhost.:80": 200,
		"evil.example": 403, "evil.example:8899": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example": 403, "": 403, "10.0.0.1": 403,
	} {
		assert.Equal(t, code, get(t, local, "GET", "/", "Host", host).StatusCode, host)
	}
	assert.Equal(t, 200, get(t, guard(next, "127.0.0.2:1"), "GET", "/", "Host", "127.0.0.2:1").StatusCode)
	assert.Equal(t, 200, get(t, guard(next, "0.0.0.0:8899"), "GET", "/", "Host", "gpu-17:8899").StatusCode)

	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "NONSENSE"} {
		r := get(t, local, method, "/api/v1/verdict")
		assert.Equal(t, 405, r.StatusCode, method)
		assert.Equal(t, "GET, HEAD", r.Header.Get("Allow"))
	}
	r := get(t, local, "HEAD", "/", "Origin", "http://evil.example")
	assert.Equal(t, 200, r.StatusCode)
	assert.Empty(t, r.Header.Get("Access-Control-Allow-Origin"))
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
		"Cross-Origin-Resource-Policy": "same-origin", "Content-Security-Policy": contentPolicy,
	} {
		assert.Equal(t, want, r.Header.Get(name))
	}
	assert.NotContains(t, contentPolicy, "unsafe")
}

// readEvent reads one event of a stream.
func readEvent(t *testing.T, s *bufio.Scanner) (name string, data map[string]any) {
	t.Helper()
	for s.Scan() {
		line := s.Text()
		if after, ok := strings.CutPrefix(line, "event: "); ok {
			name = after
		}
		if after, ok := strings.CutPrefix(line, "data: "); ok {
			require.NoError(t, json.Unmarshal([]byte(after), &data))
		}
		if line == "" {
			return name, data
		}
	}
	return "", nil
}

func TestStreamTellsEverythingAndThenWhatChanged(t *testing.T) {
	d, ws, now := filled(t, 2, 20)
	server := httptest.NewServer(d.api.handler())
	defer server.Close()
	r, err := server.Client().Get(server.URL + "/api/v1/stream")
	require.NoError(t, err)
	defer r.Body.Close()
	assert.Equal(t, "text/event-stream", r.Header.Get("Content-Type"))
	events := bufio.NewScanner(r.Body)
	events.Buffer(nil, 1<<20)

	name, data := readEvent(t, events)
	assert.Equal(t, "snapshot", name)
	assert.Len(t, data["workers"], 2)
	assert.EqualValues(t, 5000, data["step"])

	ws[1].running = 77
	require.NoError(t, d.consumeMetrics(context.Background(), ws[1].engineBatch(now.Add(time.Second))))
	_, err = d.hub.publish(d.board.update(now.Add(time.Second)), now.Add(time.Second))
	require.NoError(t, err)
	name, data = readEvent(t, events)
	assert.Equal(t, "update", name)
	require.Len(t, data["workers"], 1, "only the worker that changed")
	patch := data["workers"].([]any)[0].(map[string]any)
	assert.Len(t, patch, 2, "only its id and the group that changed: %v", patch)
	assert.EqualValues(t, 77, patch["load"].(map[string]any)["running"])

	later := now.Add(20 * time.Minute)
	d.tracker.evict(later)
	_, err = d.hub.publish(d.board.update(later), later)
	require.NoError(t, err)
	_, data = readEvent(t, events)
	assert.Len(t, data["gone"], 3, "two workers and their fleet")

	d.hub.close()
	name, _ = readEvent(t, events)
	assert.Empty(t, name, "the stream ends when the hub closes")
	assert.Equal(t, 503, get(t, d.api.handler(), "GET", "/api/v1/stream").StatusCode)
}

func TestHubIsBounded(t *testing.T) {
	d, _, now := filled(t, 1, 1)
	var subs []chan []byte
	for range maxSubscribers {
		c, err := d.hub.subscribe(look{})
		require.NoError(t, err)
		subs = append(subs, c)
	}
	_, err := d.hub.subscribe(look{})
	require.ErrorIs(t, err, errTooManySubscribers)
	assert.Equal(t, 503, get(t, d.api.handler(), "GET", "/api/v1/stream").StatusCode)

	// The first page reads, the others do not: those are disconnected, that one is not held up.
	dropped := int64(0)
	for i := range subscriberBuffer + 1 {
		<-subs[0]
		when := now.Add(time.Duration(i+1) * heartbeat)
		n, err := d.hub.publish(d.board.update(when), when)
		require.NoError(t, err)
		dropped += n
	}
	assert.Equal(t, int64(maxSubscribers-1), dropped)
	assert.Equal(t, 1, d.hub.len())
	d.hub.unsubscribe(subs[0])
	assert.Zero(t, d.hub.len())
}

func TestHeartbeat(t *testing.T) {
	d, _, now := filled(t, 0, 0)
	c, err := d.hub.subscribe(look{})
	require.NoError(t, err)
	<-c
	for i := range 12 { // a second each, nothing changes
		when := now.Add(time.Duration(i) * time.Second)
		_, err := d.hub.publish(d.board.update(when), when)
		require.NoError(t, err)
	}
	assert.Len(t, c, 3, "one message per heartbeat")
}

func TestVerdictInPlainWords(t *testing.T) {
	d, _, _ := filled(t, 2, 30)
	say := func(accept string) (kind, text string) {
		r := get(t, d.api.handler(), http.MethodGet, "/api/v1/verdict", "Accept", accept)
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		return r.Header.Get("Content-Type"), string(body)
	}
	kind, text := say("text/plain")
	assert.Equal(t, "text/plain; charset=utf-8", kind)
	assert.Regexp(t, `^Prefill-bound\. 2 of 2 workers miss the TTFT objective.*\[confidence (HIGH|MED)\]\n$`, text)
	for _, accept := range []string{"*/*", "application/json", "application/json, text/plain"} {
		kind, _ = say(accept)
		assert.Equal(t, "application/json", kind, accept)
	}

	empty, err := newDashboard(createDefaultConfig().(*Config), exportertest.NewNopSettings(metadata.Type), time.Now)
	require.NoError(t, err)
	empty.update(context.Background())
	r := get(t, empty.api.handler(), http.MethodGet, "/api/v1/verdict", "Accept", "text/plain")
	defer r.Body.Close()
	body, _ := io.ReadAll(r.Body)
	assert.Contains(t, string(body), "No engine seen yet")
}

func TestControlCharactersDoNotReachTheTerminal(t *testing.T) {
	assert.Equal(t, "a\uFFFD[31mb", printable("a\x1b[31mb"))
}
