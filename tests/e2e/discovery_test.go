//go:build linux

package e2e

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// seenWorker is what the collector last said of one instance.
type seenWorker struct {
	up       float64
	scrapes  int // points of up
	engine   string
	role     string
	pod      string
	fleet    string
	tokens   float64
	start    pcommon.Timestamp         // of the tokens
	starts   map[pcommon.Timestamp]int // all of them
	observer string
}

// seenFile reads the points that a file exporter wrote, by service.instance.id.
func seenFile(t *testing.T, file string) map[string]*seenWorker {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	all := map[string]*seenWorker{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		md, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(lines.Bytes())
		if err != nil {
			break // the line that is being written
		}
		for _, rm := range md.ResourceMetrics().All() {
			text := func(key string) string { v, _ := rm.Resource().Attributes().Get(key); return v.Str() }
			id := text("service.instance.id")
			if id == "" {
				continue
			}
			w := all[id]
			if w == nil {
				w = &seenWorker{starts: map[pcommon.Timestamp]int{}}
				all[id] = w
			}
			w.engine, w.observer, w.pod = text("llm.engine.name"), text("llm.observer"), text("k8s.pod.name")
			w.role, w.fleet = text("llm.engine.role"), text("llm.fleet.name")
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					w.take(m)
				}
			}
		}
	}
	return all
}

func (w *seenWorker) take(m pmetric.Metric) {
	switch m.Name() {
	case "up":
		w.up = m.Gauge().DataPoints().At(0).DoubleValue()
		w.scrapes++
	case "llm.engine.tokens.generated":
		p := m.Sum().DataPoints().At(0)
		w.tokens, w.start = p.DoubleValue()+float64(p.IntValue()), p.StartTimestamp()
		w.starts[w.start]++
	}
}

// observing writes what changes of a shipped configuration for a test: where it listens, how often it looks, where the points go beside
// the connectors that it has.
func observing(t *testing.T, extension, connectors, more string) (overlay, points string) {
	t.Helper()
	dir := t.TempDir()
	points = filepath.Join(dir, "points.jsonl")
	overlay = filepath.Join(dir, "overlay.yaml")
	text := fmt.Sprintf("extensions: {health_check: {endpoint: %q}, %s}\nexporters: {file: {path: %q, flush_interval: 200ms}}\n"+
		"service:\n  telemetry: {metrics: {level: none}}\n  pipelines: {metrics: {exporters: [file%s]}}\n%s", freeAddress(t), extension, points, connectors, more)
	require.NoError(t, os.WriteFile(overlay, []byte(text), 0o600))
	return overlay, points
}

// faked are the engines whose command lines config.yaml knows: with PORT where a command names its port.
func faked() map[string]struct {
	command, path, page string
	port                int
} {
	type fake = struct {
		command, path, page string
		port                int
	}
	const tokens = "# TYPE %[1]s counter\n%[1]s{%[2]s} VALUE\n"
	vllm := fmt.Sprintf(tokens, "vllm:generation_tokens_total", `engine="0",model_name="m"`)
	return map[string]fake{
		"vllm":         {"python3 /usr/local/bin/vllm serve m --port PORT", "/metrics", vllm, 0},
		"sglang":       {"sglang serve --model m --enable-metrics --port=PORT", "/metrics", fmt.Sprintf(tokens, "sglang:generation_tokens_total", `model_name="m"`), 0},
		"tensorrt_llm": {"trtllm-serve serve m --port PORT", "/prometheus/metrics", "# TYPE trtllm_num_requests_running gauge\ntrtllm_num_requests_running{model_name=\"m\"} 1\n", 0},
		"frontend":     {"python3 -m dynamo.frontend --http-port PORT", "/metrics", "# TYPE dynamo_frontend_inflight_requests gauge\ndynamo_frontend_inflight_requests{model=\"m\"} 1\n", 0},
		"dynamo":       {"python3 -m dynamo.vllm --model m", "/metrics", "# TYPE dynamo_component_inflight_requests gauge\ndynamo_component_inflight_requests{dynamo_endpoint=\"generate\"} 1\n" + vllm, 8081},
		"tgi":          {"text-generation-router --port PORT", "/metrics", "# TYPE tgi_queue_size gauge\ntgi_queue_size 0\n", 0},
		"llama_cpp":    {"/usr/local/bin/llama-server -m m.gguf --metrics --port PORT", "/metrics", "# TYPE llamacpp:requests_processing gauge\nllamacpp:requests_processing 1\n", 0},
		"lmdeploy":     {"lmdeploy serve api_server m --server-port PORT", "/metrics", "# TYPE lmdeploy:num_requests_running gauge\nlmdeploy:num_requests_running{model_name=\"m\"} 1\n", 0},
		"triton":       {"tritonserver --model-repository=/m --metrics-port=PORT", "/metrics", "# TYPE nv_inference_count counter\nnv_inference_count{model=\"m\",version=\"1\"} VALUE\n", 0},
		"router":       {"vllm-router --port PORT", "/metrics", "# TYPE vllm:current_qps gauge\nvllm:current_qps{server=\"http://a:1\"} 1\n", 0},
		"gateway":      {"smg --prometheus-port PORT", "/metrics", "# TYPE smg_router_requests_total counter\nsmg_router_requests_total{model_id=\"m\"} VALUE\n", 0},
		"mooncake":     {"mooncake_master --metrics_port=PORT", "/metrics", "# TYPE master_allocated_bytes gauge\nmaster_allocated_bytes 1\n", 0},
	}
}

// The shipped zero-configuration with its host observer: engines come and go, one at a time and all at once.
func TestEnginesOnTheHostComeAndGo(t *testing.T) {
	overlay, points := observing(t, "host_observer: {refresh_interval: 1s}", ", advice", "")
	start(t, nil, collector(t), "--config", filepath.Join("distributions", "otelcol-inference", "config.yaml"), "--config", overlay)

	fakes := faked()
	vllm := fakes["vllm"]
	first := startFakeEngine(t, 0, vllm.command, vllm.path, vllm.page)
	stranger := startFakeEngine(t, 0, "/usr/sbin/nginx --port PORT", vllm.path, vllm.page)
	quiet := startFakeEngine(t, 0, "llama-server -m m.gguf --port PORT", vllm.path, vllm.page)
	up := func(e *fakeEngine, want float64) func() bool {
		return func() bool { w := seenFile(t, points)[e.instance()]; return w != nil && w.up == want }
	}
	require.Eventually(t, up(first, 1), patience, 200*time.Millisecond, "the first engine")

	var others []*fakeEngine
	for name, f := range fakes {
		if name != "vllm" {
			others = append(others, startFakeEngine(t, f.port, f.command, f.path, f.page))
		}
	}
	for _, e := range others {
		require.Eventually(t, up(e, 1), patience, 200*time.Millisecond, "%s", e.Name)
	}
	before := seenFile(t, points)[first.instance()]
	require.NotNil(t, before)
	assert.Equal(t, "vllm", before.engine)

	for _, e := range others {
		_ = e.Stop(t)
	}
	// Receivers of engines that went are ended: no more points, not even that they are down, while the first is scraped twice more.
	var was []int
	mark := 0
	require.Eventually(t, func() bool {
		seen := seenFile(t, points)
		now, at := []int{}, seen[first.instance()].scrapes
		for _, e := range others {
			now = append(now, seen[e.instance()].scrapes)
		}
		if !slices.Equal(was, now) {
			was, mark = now, at
		}
		return at >= mark+2
	}, patience, 200*time.Millisecond, "nobody asks for engines that went")

	after := seenFile(t, points)[first.instance()]
	assert.Len(t, after.starts, 1, "the engine that stays keeps its start time: %v", after.starts)
	assert.Greater(t, after.tokens, before.tokens)
	assert.Zero(t, stranger.asked(), "a stranger is never asked")
	assert.Zero(t, quiet.asked(), "nor a server without --metrics")
}
