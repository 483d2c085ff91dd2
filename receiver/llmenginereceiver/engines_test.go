package llmenginereceiver

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	simulated "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/engine"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// serve runs the HTTP server of a simulated engine, and counts what is asked of it.
func serve(t *testing.T, name string, change func(*simulated.Facts)) (*httptest.Server, func(path string) int) {
	t.Helper()
	f := simulated.Facts{
		Start: time.Unix(1_700_000_000, 0), ServedModel: "org/model", BlockSize: 16, Blocks: 101, MaxModelTokens: 2048, MaxNumSeqs: 8, TensorParallel: 2,
	}
	if change != nil {
		change(&f)
	}
	b, err := simulated.New(name, f)
	require.NoError(t, err)
	b.Step(&simulated.Step{End: time.Second, Seconds: 0.02, PrefillTokens: 200, PrefillSequences: 1, Outputs: 1, State: simulated.State{Running: 3, UsedBlocks: 25, FreeBlocks: 75}})
	var mu, counting sync.Mutex
	asked := make(map[string]int)
	inner := simulated.Handler(b, &mu)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		counting.Lock()
		asked[r.URL.Path]++
		counting.Unlock()
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server, func(path string) int {
		counting.Lock()
		defer counting.Unlock()
		return asked[path]
	}
}

// info returns the attributes of the newest llm.engine.info.
func (r *rig) info() map[string]any {
	m, ok := r.find(signal.EngineInfo)
	if !ok {
		return nil
	}
	return m.Gauge().DataPoints().At(0).Attributes().AsRaw()
}

func TestSGLangTellsOfItself(t *testing.T) {
	server, asked := serve(t, simulated.NameSGLang, func(f *simulated.Facts) { f.Role = "decode" })
	r := startRig(t, nil, nil, server.URL)
	r.until(func() bool { return r.info()[signal.AttrEngineVersion] != nil }, "the version")
	assert.Equal(t, map[string]any{
		signal.AttrEngineVersion: simulated.SGLangVersion, signal.AttrRole: signal.RoleDecode, signal.AttrRoleSource: signal.RoleSourceLabel,
		signal.AttrTensorParallel: 2.0, signal.AttrPipelineParallel: 1.0,
	}, r.info())
	assert.Equal(t, 1, asked("/server_info"), "once per start")
	assert.Zero(t, asked("/version")+asked("/get_server_info"), "an engine is not asked for pages that it does not have")

	server, asked = serve(t, simulated.NameSGLang, func(f *simulated.Facts) { f.Version = "0.4.10" })
	r = startRig(t, nil, nil, server.URL)
	r.until(func() bool { return r.info()[signal.AttrEngineVersion] == "0.4.10" }, "the version of an old release")
	assert.Zero(t, asked("/server_info"))
}

// TestTensorRTIsFoundBehindItsJSON: the default path has statistics that reading takes away; it is read once, and then the page.
func TestTensorRTIsFoundBehindItsJSON(t *testing.T) {
	server, asked := serve(t, simulated.NameTensorRT, nil)
	r := startRig(t, nil, nil, server.URL)
	r.until(func() bool { return r.info()[signal.AttrEngineVersion] == simulated.TensorRTVersion }, "the version")
	assert.Equal(t, 1, asked("/metrics"))
	up, _ := r.last(strings.TrimPrefix(server.URL, "http://"))
	assert.Equal(t, 1.0, up)
	logs := r.logs.FilterMessage("The engine cannot be scraped").All()
	require.Len(t, logs, 1)
	assert.Contains(t, logs[0].ContextMap()["error"], "/prometheus/metrics")
}

// TestAnotherEngineAtTheSameAddress: a path that was found does not outlive the engine that had it.
func TestAnotherEngineAtTheSameAddress(t *testing.T) {
	e := newEngine(t)
	e.metrics.Store(handler(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/prometheus/metrics" {
			(*answer("# TYPE trtllm_num_requests_running gauge\ntrtllm_num_requests_running{model_name=\"m\"} 1\n"))(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("[]"))
	}))
	r := startRig(t, nil, nil, e.URL)
	r.waitUp(e, 1)
	e.metrics.Store(handler(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics" {
			http.NotFound(w, r)
			return
		}
		(*answer(healthyPage))(w, r)
	}))
	r.until(func() bool { _, found := r.find(signal.TokensGenerated); return found }, "the page of the other engine")
	r.waitUp(e, 1)
	m, _ := r.find(signal.TokensGenerated)
	p := m.Sum().DataPoints().At(0)
	assert.Equal(t, 50.0, p.DoubleValue())
	assert.LessOrEqual(t, p.StartTimestamp(), p.Timestamp())
	all := r.sink.AllMetrics()
	md := all[len(all)-1]
	require.Equal(t, 1, md.ResourceMetrics().Len())
	a := md.ResourceMetrics().At(0).Resource().Attributes()
	assert.Equal(t, []string{"vllm", "vllm", "m"},
		[]string{text(a, "service.name"), text(a, signal.AttrEngineName), text(a, signal.AttrModel)})
}

func TestDynamoWorkerIsOneWorker(t *testing.T) {
	server, _ := serve(t, "dynamo-vllm", func(f *simulated.Facts) { f.Role = "prefill" })
	r := startRig(t, nil, nil, server.URL)
	r.until(func() bool { return len(r.sink.AllMetrics()) > 0 }, "a scrape")
	md := r.sink.AllMetrics()[0]
	require.Equal(t, 1, md.ResourceMetrics().Len())
	a := md.ResourceMetrics().At(0).Resource().Attributes()
	assert.Equal(t, map[string]string{signal.AttrEngineName: "vllm", signal.AttrRole: "prefill", signal.AttrModel: "org/model"}, map[string]string{
		signal.AttrEngineName: text(a, signal.AttrEngineName), signal.AttrRole: text(a, signal.AttrRole), signal.AttrModel: text(a, signal.AttrModel),
	})
	assert.Equal(t, 1, points(md, signal.KVUtilization))
}

func text(a pcommon.Map, key string) string {
	v, _ := a.Get(key)
	return v.AsString()
}

func points(md pmetric.Metrics, name string) (n int) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				if m.Name() == name {
					n += max(m.Gauge().DataPoints().Len(), 0)
				}
			}
		}
	}
	return n
}

func TestRawAndPreset(t *testing.T) {
	server, _ := serve(t, simulated.NameVLLM, nil)
	names := func(change func(*Config)) string {
		r := startRig(t, nil, change, server.URL)
		r.until(func() bool { return len(r.sink.AllMetrics()) > 0 }, "a scrape")
		var all []string
		for _, rm := range r.sink.AllMetrics()[0].ResourceMetrics().All() {
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					all = append(all, m.Name())
				}
			}
		}
		return strings.Join(all, " ") + " "
	}
	minimal := names(func(c *Config) { c.Scrape.Preset = "minimal" })
	assert.NotContains(t, minimal, signal.SleepState)
	assert.NotContains(t, minimal, "vllm:")
	full := names(func(c *Config) { c.Scrape.Preset, c.Scrape.Raw = "full", true })
	assert.Contains(t, full, signal.MultimodalHits+" ")
	assert.Contains(t, full, "vllm:num_requests_running ")
}

func TestConnectedInputsAreNotMissing(t *testing.T) {
	server, _ := serve(t, simulated.NameVLLM, nil)
	missing := func(change func(*Config)) (sources []string) {
		r := startRig(t, nil, change, server.URL)
		r.until(func() bool { return r.info()[signal.AttrEngineVersion] != nil }, "the version")
		if m, ok := r.find(signal.SourceMissing); ok {
			for _, p := range m.Gauge().DataPoints().All() {
				sources = append(sources, text(p.Attributes(), signal.AttrSource))
			}
		}
		return sources
	}
	assert.Equal(t, []string{signal.SourceKVEvents, signal.SourceKVResidency, signal.SourceEffort, signal.SourceTraces}, missing(nil))
	assert.Equal(t, []string{signal.SourceKVResidency, signal.SourceEffort}, missing(func(c *Config) {
		c.Scrape.Connected = []string{signal.SourceKVEvents, signal.SourceTraces}
	}))
}

// TestIterationStatsAreOptIn: the page that is drained by reading is read only when asked for, and says when others read it too.
func TestIterationStatsAreOptIn(t *testing.T) {
	server, asked := serve(t, simulated.NameTensorRT, nil)
	page := server.URL + "/prometheus/metrics"
	r := startRig(t, nil, nil, page)
	r.until(func() bool { return len(r.sink.AllMetrics()) > 2 }, "scrapes")
	assert.Zero(t, asked("/metrics"))
	_, found := r.find(signal.PhaseBusyTime)
	assert.False(t, found)

	r = startRig(t, nil, func(c *Config) { c.Scrape.IterationStats = true }, page)
	r.until(func() bool { _, found := r.find(signal.PhaseBusyTime); return found }, "the records")
	m, _ := r.find(signal.PhaseBusyTime)
	assert.Equal(t, 0.02, m.Sum().DataPoints().At(0).DoubleValue(), "the one step, a prefill")
	assert.Zero(t, r.logs.FilterMessageSnippet("Records of iterations are missing").Len())
}

func TestIterationStatsThatFail(t *testing.T) {
	e := newEngine(t)
	e.metrics.Store(handler(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/metrics" {
			_, _ = w.Write([]byte("no list"))
			return
		}
		(*answer("# TYPE trtllm_num_requests_running gauge\ntrtllm_num_requests_running{model_name=\"m\"} 1\n"))(w, r)
	}))
	r := startRig(t, nil, func(c *Config) { c.Scrape.IterationStats = true }, e.URL+"/prometheus/metrics")
	r.until(func() bool { return r.logs.FilterMessageSnippet("Records of iterations are missing").Len() > 0 }, "the warning")
	r.until(func() bool { _, n := r.last(instance(e)); return n > 5 }, "further scrapes")
	up, _ := r.last(instance(e))
	assert.Equal(t, 1.0, up, "the page itself is whole")
	assert.Equal(t, 1, r.logs.FilterMessageSnippet("Records of iterations are missing").Len(), "once")
}
