package fleet

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

const (
	secret = "s3cr3t-of-the-test"
	script = `\"><script>alert(1)</script>\n# TYPE forged gauge\nforged 1`
)

// hostile are engines that mean harm, and a good one among them. elsewhere counts who follows a redirection.
type hostile struct {
	good, bomb, injector, endless, redirect string // URLs
	elsewhere                               atomic.Int64
}

func newHostile(t *testing.T) *hostile {
	t.Helper()
	answer := func(write func(io.Writer)) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4")
			write(w)
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	page := func(label string) string {
		return fmt.Sprintf("# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running{engine=\"0\",model_name=\"%s\"} 2\n", label)
	}
	h := &hostile{}
	trap := answer(func(io.Writer) { h.elsewhere.Add(1) })
	redirect := httptest.NewServer(http.RedirectHandler(trap+"/metrics", http.StatusFound))
	t.Cleanup(redirect.Close)
	h.redirect = redirect.URL
	h.good = answer(func(w io.Writer) { _, _ = io.WriteString(w, page("good")) })
	var bombs atomic.Int64
	h.bomb = answer(func(w io.Writer) { // other series at each scrape
		n := bombs.Add(1)
		_, _ = io.WriteString(w, page("bomb"))
		for i := range 2000 {
			_, _ = fmt.Fprintf(w, "vllm:num_requests_running{engine=\"0\",model_name=\"bomb\",x=\"%d-%d\"} 1\n", n, i)
		}
	})
	h.injector = answer(func(w io.Writer) { _, _ = io.WriteString(w, page(script)) })
	h.endless = answer(func(w io.Writer) {
		line := []byte(strings.Repeat("vllm:endless 1\n", 1000))
		for {
			if _, err := w.Write(line); err != nil {
				return
			}
		}
	})
	return h
}

// Engines that mean harm, before the real binary with the zero configuration: what they do costs themselves only, is bounded and counted.
func TestHostileEngines(t *testing.T) {
	h := newHostile(t)
	c := rig.NewCollector(t, "collector", "config.yaml")
	dashboard, offered := rig.Local(rig.FreePort(t)), rig.Local(rig.FreePort(t))
	c.Overlay = fmt.Sprintf(`
receivers:
  llm_engine:
    collection_interval: 500ms
    max_series: 1000
    max_body_bytes: 1000000
    headers: {Authorization: "Bearer %s"}
    endpoints: ["%s", "%s", "%s", "%s", "%s", "%s"]
exporters: {inference_dashboard: {endpoint: "%s"}, prometheus: {endpoint: "%s"}}
service:
  pipelines: {metrics: {receivers: [llm_engine]}}
`, secret, h.good, h.bomb, h.injector, h.endless, h.redirect, "http://user:"+secret+"@"+strings.TrimPrefix(h.good, "http://")+"/metrics?token="+secret, dashboard, offered)
	log := filepath.Join(t.TempDir(), "log") // whole, for c.Output is the end
	c.Level, c.Wrap = "debug", []string{"sh", "-c", `exec "$@" 2>"$0"`, log}
	c.Start(t)
	sum := func(series string) float64 { return rig.Sum(c.Page(), regexp.MustCompile(series)) }
	rig.Eventually(t, "series beyond the limit are counted", func() bool { return sum(`^otelcol_receiver_llm_engine_series_rejected`) > 10000 })
	rig.Eventually(t, "the endless page is refused", func() bool {
		return sum(`^otelcol_receiver_llm_engine_scrapes_total\{.*outcome="(too_large|timeout)"`) > 3
	})
	rig.Eventually(t, "the healthy one is seen", func() bool {
		text, _ := rig.Get("http://" + offered + "/metrics")
		return strings.Contains(text, `model="good"`) || strings.Contains(text, `"good"`)
	})
	assert.LessOrEqual(t, sum(`^otelcol_receiver_llm_engine_series\b`), 6*1000., "series remembered")
	assert.Less(t, c.Usage(t).Resident, int64(400<<20), "resident memory")
	assert.Zero(t, h.elsewhere.Load(), "an engine sent the collector to another address")

	text, err := rig.Get("http://" + offered + "/metrics")
	require.NoError(t, err)
	assert.NotRegexp(t, `(?m)^forged`, text, "a label became a line")
	api, err := http.Get("http://" + dashboard + "/")
	require.NoError(t, err)
	defer api.Body.Close()
	assert.Contains(t, api.Header.Get("Content-Security-Policy"), "default-src")
	body, err := io.ReadAll(api.Body)
	require.NoError(t, err)
	logged, err := os.ReadFile(log)
	require.NoError(t, err)
	assert.Contains(t, string(logged), "debug", "what could tell most is logged")
	for where, said := range map[string]string{"log": string(logged), "own metrics": c.Page(), "points": text, "page": string(body)} {
		assert.NotContains(t, said, secret, where)
	}
	assert.NotContains(t, string(body), "<script>alert")
}
