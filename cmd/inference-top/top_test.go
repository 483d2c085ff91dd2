package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A fleet in trouble, beside a calm one, as the exporter answers. The last worker's name would drive a terminal.
const (
	verdicts = `{"at": 1764000000000, "fleets": [
		{"id": "a1", "name": "calm", "verdict": {"code": "balanced", "standing": "final", "title": "On target.", "detail": "Objectives are met.", "also": [], "evidence": [], "loss": 0, "confidence": 0.9, "confidence_word": "HIGH"},
		 "workers": {"total": 1}, "objectives": {"ttft": {"max": null, "quantile": 0.9}, "itl": {"max": null, "quantile": 0.9}}},
		{"id": "b2", "name": "busy", "verdict": {"code": "decode_bound", "standing": "preliminary", "title": "Decode-bound.", "detail": "Requests wait for room in the KV cache: TTFT p90 9 s against 1 s.",
		  "direction": "Relief is room.", "waits_for": "a full minute of data", "source": "advice", "since": 1763999940000, "told": 1763999990000, "also": ["1 of 4 workers is silent and not counted."], "loss": 0.8, "confidence": 0.3, "confidence_word": "LOW",
		  "evidence": [{"label": "Imbalance", "unit": "1", "value": {"value": -1.5}}, {"label": "TTFT p90", "unit": "s", "value": {"value": 10, "over": true}, "against": 1},
		   {"label": "Waiting", "unit": "{request}", "value": {"value": 2590}}, {"label": "ITL p90", "unit": "s", "value": {"value": null}}, {"label": "KV usage, highest", "unit": "1", "value": {"value": 0.97}}]},
		 "workers": {"total": 4, "stale": 1, "down": 1}, "objectives": {"ttft": {"max": 1, "quantile": 0.9}, "itl": {"max": 0.05, "quantile": 0.99}}}]}`
	advices = `{"at": 1764000000000, "advice": [
		{"rule": "kv-block-size", "severity": "warning", "state": "standing", "subject": "worker", "subject_name": "10.0.0.2:8000", "as_of": 1763999955000, "title": "Most of every last block is empty.", "action": "Smaller blocks.",
		 "change": "--block-size 16\n--second line", "predicted": {"name": "share of room that is empty", "unit": "1", "from": 0.6, "to": 0.05, "low": 0, "high": 0.1}},
		{"rule": "kv-block-size", "severity": "warning", "state": "standing", "subject": "worker", "subject_name": "10.0.0.1:8000", "title": "The same.", "change": "--block-size 16\n--second line"},
		{"rule": "decode-bound", "severity": "critical", "state": "cleared", "subject": "fleet", "title": "It is over."}]}`
	workers = `{"at": 1764000000000, "workers": [
		{"id": "1", "identity": {"instance": "10.0.0.2:8000", "role": "decode"}, "state": {"state": "ok"}, "load": {"running": 78, "waiting": 2590, "kv": 0.97},
		 "phase": {"prefill": 0.1, "decode": 0.65, "idle": 0.25, "unattributed": 0}, "ttft": {"p90": {"value": 10, "over": true}}, "itl": {"p99": {"value": 0.0237}}},
		{"id": "2", "identity": {"instance": "10.0.0.1:8000", "role": "prefill"}, "state": {"state": "ok"}, "load": {"running": 1, "waiting": null, "kv": null},
		 "phase": {"prefill": null}, "ttft": {}, "itl": {}},
		{"id": "3", "identity": {"instance": "10.0.0.3:8000", "role": "decode"}, "state": {"state": "down"}, "load": {}, "phase": {}, "ttft": {}, "itl": {}},
		{"id": "4", "identity": {"instance": "\u001b[2Jevil\u202e", "role": "decode"}, "state": {"state": "stale", "last_heard": 1763999955000}, "load": {}, "phase": {}, "ttft": {}, "itl": {}}]}`
)

// serve answers as the exporter does, and counts the looks.
func serve(t *testing.T) (address string, asked func(path string) []string) {
	t.Helper()
	var mu sync.Mutex
	seen := map[string][]string{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen[r.URL.Path] = append(seen[r.URL.Path], r.URL.RawQuery)
		mu.Unlock()
		body, ok := map[string]string{"/api/v1/verdict": verdicts, "/api/v1/advice": advices, "/api/v1/workers": workers}[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(s.Close)
	return s.URL, func(path string) []string {
		mu.Lock()
		defer mu.Unlock()
		return seen[path]
	}
}

// fakeConsole is a terminal of some size, or none.
type fakeConsole struct {
	width, height int
	pressed       chan byte
	restored      bool
}

func (c *fakeConsole) interactive() bool { return c.pressed != nil }
func (c *fakeConsole) coloured() bool    { return c.width > 0 }
func (c *fakeConsole) size() (int, int, bool) {
	return c.width, c.height, c.width > 0
}
func (c *fakeConsole) keys() (<-chan byte, func(), error) {
	return c.pressed, func() { c.restored = true }, nil
}

func printed(t *testing.T, c console, args ...string) (string, string, int) {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(context.Background(), args, c, &out, &errs)
	return out.String(), errs.String(), code
}

func TestOncePrintsTheFleetThatIsWorstOff(t *testing.T) {
	at, asked := serve(t)
	out, errs, code := printed(t, &fakeConsole{}, "-url", at, "-once", "-width", "120")
	require.Zero(t, code, errs)
	assert.NotContains(t, out, "\x1b", "no colours, and no names that drive the terminal")
	for _, part := range []string{
		"busy (fleet 2 of 2)  4 workers, 1 down, 1 silent", "Decode-bound.", "Requests wait for room", "Also: 1 of 4 workers is silent",
		"confidence LOW, preliminary, waits for a full minute of data; since " + clock(1763999940000) + ", its figures are of " + clock(1763999990000), "Imbalance -1.50   TTFT p90 > 10 s of 1 s   Waiting 2590   KV usage, highest 97 %",
		"1 WARNING Most of every last block is empty. (10.0.0.2:8000 and 1 more) (as of " + clock(1763999955000) + ", no data since)", "    --block-size 16\n    --second line", "predicted share of room that is empty: 60 % to 5 %",
		"██▒▒▒▒▒▒▒▒▒▒▒▒▒·····", "no estimate yet", "down: its last scrape failed", "silent for 45s", "\uFFFD[2Jevil\uFFFD",
	} {
		assert.Contains(t, out, part)
	}
	assert.NotContains(t, out, "It is over.", "cleared advice")
	assert.NotContains(t, out, "The same.", "said alike of another worker")
	assert.Less(t, strings.Index(out, "10.0.0.1"), strings.Index(out, "10.0.0.2:8000  "), "prefill before decode")
	assert.Equal(t, []string{"fleet=b2"}, asked("/api/v1/workers"))

	out, _, code = printed(t, &fakeConsole{}, "-url", at, "-fleet", "calm")
	assert.Zero(t, code)
	assert.Contains(t, out, "On target.")
}

func TestEveryLineFitsTheScreen(t *testing.T) {
	at, _ := serve(t)
	o, err := parse([]string{"-url", at}, &bytes.Buffer{})
	require.NoError(t, err)
	s, err := newClient(o.url).look(context.Background(), "")
	require.NoError(t, err)
	s.fleet.Name = strings.Repeat("漢字", 40)
	for width := minWidth; width <= 140; width++ {
		for _, line := range strings.Split(draw(s, width, 0, style{plain: true}), "\n") {
			assert.LessOrEqual(t, wide(line), width, "%q in %d columns", line, width)
		}
	}
	for len(s.workers) < 100 {
		s.workers = append(s.workers, s.workers...)
	}
	full := strings.Count(draw(s, 100, 0, style{plain: true}), "\n")
	for height := 40; height < 80; height++ {
		text := draw(s, 100, height, style{plain: true})
		assert.LessOrEqual(t, strings.Count(text, "\n"), height)
		assert.Contains(t, text, "more\n")
	}
	assert.Greater(t, full, len(s.workers), "without a height all of them are there")
}

func TestColoursOnATerminalOnly(t *testing.T) {
	at, _ := serve(t)
	out, _, _ := printed(t, &fakeConsole{width: 120, height: 40}, "-url", at, "-once")
	assert.Contains(t, out, "\x1b[38;5;38mDecode-bound.\x1b[0m")
	out, _, _ = printed(t, &fakeConsole{width: 120, height: 40}, "-url", at, "-once", "-plain")
	assert.NotContains(t, out, "\x1b")
}

func TestLiveTurnsThroughFleetsAndEndsWithQ(t *testing.T) {
	at, asked := serve(t)
	c := &fakeConsole{width: 100, height: 30, pressed: make(chan byte)}
	var out, errs screen
	done := make(chan int, 1)
	go func() { done <- run(context.Background(), []string{"-url", at, "-every", "1m"}, c, &out, &errs) }()
	out.waitFor(t, "Decode-bound.", 1)
	c.pressed <- keyTab
	c.pressed <- 'x' // no key of ours
	out.waitFor(t, "On target.", 1)
	c.pressed <- 'q'
	select {
	case code := <-done:
		assert.Zero(t, code, errs.String())
	case <-time.After(20 * time.Second):
		t.Fatal("it does not end")
	}
	assert.Equal(t, []string{"fleet=b2", "fleet=a1"}, asked("/api/v1/workers"))
	text := out.String()
	assert.True(t, strings.HasPrefix(text, enter))
	assert.True(t, strings.HasSuffix(text, leave), "the screen is given back")
	assert.True(t, c.restored)
	assert.Contains(t, text, "On target.")
	for _, line := range strings.Split(text, "\n")[:5] {
		assert.True(t, strings.HasSuffix(line, "\r"), "a raw terminal does not return by itself: %q", line)
	}
}

func TestACollectorThatIsAwayIsSaidAndAskedAgain(t *testing.T) {
	c := &fakeConsole{width: 100, height: 30, pressed: make(chan byte)}
	var out, errs screen
	done := make(chan int, 1)
	go func() {
		done <- run(context.Background(), []string{"-url", "http://127.0.0.1:1", "-every", "1m"}, c, &out, &errs)
	}()
	out.waitFor(t, "The collector does not answer: ", 1)
	c.pressed <- ' '
	out.waitFor(t, "The collector does not answer: ", 2)
	c.pressed <- 'q'
	assert.Zero(t, <-done)
	assert.NotContains(t, out.String(), "No engine", "nothing is known of engines")

	_, text, code := printed(t, &fakeConsole{}, "-url", "http://127.0.0.1:1", "-once")
	assert.Equal(t, exitError, code)
	assert.Contains(t, text, "http://127.0.0.1:1/api/v1/verdict")
}

func TestKeysAreHeardWhileTheCollectorIsWaitedFor(t *testing.T) {
	asked := make(chan struct{}, 1)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done() // until the program hangs up
	}))
	defer s.Close()
	c := &fakeConsole{width: 100, height: 30, pressed: make(chan byte)}
	var out, errs screen
	done := make(chan int, 1)
	go func() { done <- run(context.Background(), []string{"-url", s.URL, "-every", "1m"}, c, &out, &errs) }()
	<-asked
	select {
	case c.pressed <- keyInterrupt:
	case <-time.After(timeout / 2):
		t.Error("the key is not heard before the collector is given up")
		c.pressed <- keyInterrupt
	}
	assert.Zero(t, <-done)
	assert.True(t, c.restored)
}

func TestQuantitiesHaveAUnitInWords(t *testing.T) {
	for want, got := range map[string]string{
		"470 preemptions/min": quantity(470, "{preemption}/min"), "1 preemption/min": quantity(1, "{preemption}/min"), "0 requests": quantity(0, "{request}"),
		"24 ms": quantity(0.024, "s"), "97 %": quantity(0.97, "1"), "5 W": quantity(5, "W"), "2 s/token": quantity(2, "s/{token}"),
	} {
		assert.Equal(t, want, got)
	}
}

// screen is what was written, for those who wait for it.
type screen struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.String()
}

func (s *screen) waitFor(t *testing.T, text string, times int) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Count(s.String(), text) >= times }, 20*time.Second, 5*time.Millisecond, "%d times %q", times, text)
}

func TestUsage(t *testing.T) {
	at, _ := serve(t)
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no address":  {[]string{"-url", "localhost:8899"}, `url: must be an http or https address (got "localhost:8899")`},
		"too often":   {[]string{"-every", "1ms"}, "every: must be 200ms..1m0s (got 1ms)"},
		"too narrow":  {[]string{"-width", "3"}, "width: must be 0 or 30..500 (got 3)"},
		"an argument": {[]string{"fleet"}, `takes no arguments (got "fleet")`},
	} {
		t.Run(name, func(t *testing.T) {
			_, errs, code := printed(t, &fakeConsole{}, c.args...)
			assert.Equal(t, exitUsage, code)
			assert.Contains(t, errs, c.want)
		})
	}
	_, errs, code := printed(t, &fakeConsole{}, "-url", at, "-fleet", "nobody")
	assert.Equal(t, exitError, code)
	assert.Contains(t, errs, `no such fleet: "nobody"; known are "calm", "busy"`)
	_, err := newClient(parsed(t, at)).look(context.Background(), "nobody")
	assert.ErrorIs(t, err, errNoSuchFleet)
}

func parsed(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	return u
}

func TestOfManyTheWorstComeFirst(t *testing.T) {
	trouble := func(v float64) (w worker) { w.State.State, w.Load.Trouble = "ok", &v; return w }
	all := []worker{trouble(0.5), {}, trouble(3)}
	all[1].State.State = "down"
	slices.SortStableFunc(all, worse)
	assert.Equal(t, "down", all[0].State.State)
	assert.Equal(t, 3.0, *all[1].Load.Trouble)
}
