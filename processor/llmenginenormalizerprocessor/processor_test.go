package llmenginenormalizerprocessor

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
	"github.com/otelcol-inference/otelcol-inference/internal/exposition"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/engine"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/processor/llmenginenormalizerprocessor/internal/metadata"
)

// scraped is the page of a simulated engine as another receiver would bring it: under the engine's own names, with the resource of a
// Prometheus target.
func scraped(t *testing.T, name, instance string) pmetric.Metrics {
	t.Helper()
	b, err := engine.New(name, engine.Facts{
		Start: time.Unix(1_700_000_000, 0), ServedModel: "org/model", BlockSize: 16, Blocks: 101, MaxModelTokens: 2048, MaxNumSeqs: 8,
	})
	require.NoError(t, err)
	b.Step(&engine.Step{End: time.Second, Seconds: 0.02, PrefillTokens: 200, PrefillSequences: 1, Outputs: 1, State: engine.State{Running: 3, UsedBlocks: 25, FreeBlocks: 75}})
	var page bytes.Buffer
	require.NoError(t, b.WritePage(&page))
	dialects, err := dialect.Load()
	require.NoError(t, err)
	book := exposition.NewBook(exposition.Settings{Dialects: dialects, MaxSeries: 20_000, Raw: true})
	page.Grow(1)
	md, _, err := book.Scrape(page.Bytes(), false, time.Unix(1_700_000_100, 0), "")
	require.NoError(t, err)
	md.ResourceMetrics().RemoveIf(func(rm pmetric.ResourceMetrics) bool {
		rm.ScopeMetrics().RemoveIf(func(sm pmetric.ScopeMetrics) bool { return !strings.HasSuffix(sm.Scope().Name(), "/raw") })
		return rm.ScopeMetrics().Len() == 0
	})
	require.Equal(t, 1, md.ResourceMetrics().Len())
	a := md.ResourceMetrics().At(0).Resource().Attributes()
	a.Clear()
	a.PutStr("service.name", "job")
	a.PutStr("service.instance.id", instance)
	a.PutStr("server.address", "10.0.0.7")
	a.PutStr("k8s.pod.label.llm-d.ai/role", "decode")
	return md
}

func start(t *testing.T, next consumer.Metrics, change func(*Config)) (*normalizer, *componenttest.Telemetry) {
	t.Helper()
	telemetry := componenttest.NewTelemetry()
	set := processortest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = telemetry.NewTelemetrySettings()
	cfg := createDefaultConfig().(*Config)
	if change != nil {
		change(cfg)
	}
	require.NoError(t, cfg.Validate())
	n, err := newNormalizer(set, cfg, next, time.Now)
	require.NoError(t, err)
	require.NoError(t, n.Start(context.Background(), componenttest.NewNopHost()))
	t.Cleanup(func() {
		require.NoError(t, n.Shutdown(context.Background()))
		require.NoError(t, telemetry.Shutdown(context.Background()))
	})
	return n, telemetry
}

// names lists the metrics of a batch and the attributes of their first resource.
func names(md pmetric.Metrics) (all []string, resource map[string]any) {
	for i, rm := range md.ResourceMetrics().All() {
		if i == 0 {
			resource = rm.Resource().Attributes().AsRaw()
		}
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				all = append(all, m.Name())
			}
		}
	}
	return all, resource
}

func TestPassesThroughAndNormalises(t *testing.T) {
	for name, want := range map[string]string{"vllm": "vllm", "sglang": "sglang", "tensorrt_llm": "tensorrt_llm"} {
		t.Run(name, func(t *testing.T) {
			sink := new(consumertest.MetricsSink)
			n, _ := start(t, sink, nil)
			md := scraped(t, name, "10.0.0.7:8000")
			before := pmetric.NewMetrics()
			md.CopyTo(before)
			require.NoError(t, n.ConsumeMetrics(context.Background(), md))
			all := sink.AllMetrics()
			require.Len(t, all, 2)
			assert.Equal(t, before, all[0], "untouched, and first")
			made, resource := names(all[1])
			assert.Subset(t, made, []string{signal.EngineInfo, signal.Running, signal.KVUtilization, signal.KVBlockSize})
			assert.NotContains(t, made, signal.Up)
			delete(resource, "llm.engine.role")
			assert.Equal(t, map[string]any{
				"service.name": "job", "service.instance.id": "10.0.0.7:8000", "server.address": "10.0.0.7", "gen_ai.request.model": "org/model",
				"llm.engine.name": want, "llm.fleet.name": "org/model", "k8s.pod.label.llm-d.ai/role": "decode",
			}, resource)
		})
	}
}

func TestRoleOfThePod(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	n, _ := start(t, sink, nil)
	require.NoError(t, n.ConsumeMetrics(context.Background(), scraped(t, "vllm", "a:1")))
	_, resource := names(sink.AllMetrics()[1])
	assert.Equal(t, "decode", resource[signal.AttrRole])
}

func TestDropOriginal(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	n, _ := start(t, sink, func(c *Config) { c.DropOriginal = true })
	assert.True(t, n.Capabilities().MutatesData)
	md := scraped(t, "vllm", "a:1")
	other := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().AppendEmpty()
	other.SetName("node_load1")
	other.SetEmptyGauge().DataPoints().AppendEmpty().SetDoubleValue(1)
	require.NoError(t, n.ConsumeMetrics(context.Background(), md))
	kept, _ := names(sink.AllMetrics()[0])
	assert.Contains(t, kept, "node_load1")
	for _, name := range kept {
		assert.False(t, strings.HasPrefix(name, "vllm:"), name)
	}
	sink.Reset()
	require.NoError(t, n.ConsumeMetrics(context.Background(), onlyEngine(t)))
	assert.Len(t, sink.AllMetrics(), 1, "nothing is left to pass on")
}

// onlyEngine has nothing but one metric of an engine.
func onlyEngine(t *testing.T) pmetric.Metrics {
	md := scraped(t, "vllm", "a:1")
	md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().RemoveIf(func(m pmetric.Metric) bool { return m.Name() != "vllm:num_requests_running" })
	return md
}

func TestWhatIsNoEnginePassesAlone(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	n, telemetry := start(t, sink, nil)
	md := pmetric.NewMetrics()
	m := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("http_requests_total")
	m.SetEmptyGauge().DataPoints().AppendEmpty().SetTimestamp(pcommon.Timestamp(1))
	require.NoError(t, n.ConsumeMetrics(context.Background(), md))
	assert.Len(t, sink.AllMetrics(), 1)
	_, err := telemetry.GetMetric("otelcol_processor_llm_engine_normalizer_targets")
	assert.Error(t, err, "nothing is remembered")
}

func TestTargetLimit(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	sink := new(consumertest.MetricsSink)
	n, telemetry := start(t, sink, func(c *Config) { c.MaxTargets = 1 })
	n.now = func() time.Time { return now }
	require.NoError(t, n.ConsumeMetrics(context.Background(), scraped(t, "vllm", "a:1")))
	require.NoError(t, n.ConsumeMetrics(context.Background(), scraped(t, "vllm", "b:1")))
	assert.Len(t, sink.AllMetrics(), 3, "the second is passed through only")
	assert.Equal(t, int64(1), sum(t, telemetry, "rejected"))
	now = now.Add(time.Hour)
	require.NoError(t, n.ConsumeMetrics(context.Background(), scraped(t, "vllm", "b:1")))
	assert.Len(t, sink.AllMetrics(), 5, "the silent one made room")
	assert.Equal(t, int64(1), sum(t, telemetry, "targets"))
}

func sum(t *testing.T, telemetry *componenttest.Telemetry, name string) (n int64) {
	t.Helper()
	m, err := telemetry.GetMetric("otelcol_processor_llm_engine_normalizer_" + name)
	require.NoError(t, err)
	for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
		n += p.Value
	}
	return n
}

// halfDeaf refuses the batches that refuses names.
type halfDeaf struct {
	consumertest.MetricsSink
	refuses func(n int) bool
	n       int
}

func (h *halfDeaf) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	h.n++
	if h.refuses(h.n) {
		return errors.New("full")
	}
	return h.MetricsSink.ConsumeMetrics(ctx, md)
}

func TestFailures(t *testing.T) {
	second := &halfDeaf{refuses: func(n int) bool { return n%2 == 0 }}
	n, telemetry := start(t, second, nil)
	require.NoError(t, n.ConsumeMetrics(context.Background(), scraped(t, "vllm", "a:1")), "what was made never fails the input")
	assert.Equal(t, int64(1), sum(t, telemetry, "derived_failed"))
	first := &halfDeaf{refuses: func(n int) bool { return n%2 == 1 }}
	n, _ = start(t, first, nil)
	require.EqualError(t, n.ConsumeMetrics(context.Background(), scraped(t, "vllm", "a:1")), "full")
}

func TestConcurrentTargets(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	n, telemetry := start(t, sink, nil)
	batches := []pmetric.Metrics{scraped(t, "vllm", "a:1"), scraped(t, "sglang", "b:1"), scraped(t, "vllm", "a:1"), scraped(t, "tensorrt_llm", "c:1")}
	var done sync.WaitGroup
	for _, md := range batches {
		done.Go(func() { assert.NoError(t, n.ConsumeMetrics(context.Background(), md)) })
	}
	done.Wait()
	assert.Len(t, sink.AllMetrics(), 8)
	assert.Equal(t, int64(3), sum(t, telemetry, "targets"))
}

func TestInvalidConfigs(t *testing.T) {
	for want, change := range map[string]func(*Config){
		`preset must be one of minimal, default, full (got "huge")`: func(c *Config) { c.Preset = "huge" },
		"max_targets must be between 1 and 100000 (got 0)":          func(c *Config) { c.MaxTargets = 0 },
		"max_series must be at least 100 (got 5)":                   func(c *Config) { c.MaxSeries = 5 },
		"max_stale must be between 1s and 24h0m0s (got 1ms)":        func(c *Config) { c.MaxStale = time.Millisecond },
	} {
		cfg := createDefaultConfig().(*Config)
		change(cfg)
		assert.EqualError(t, cfg.Validate(), want)
	}
	cfg := createDefaultConfig().(*Config)
	cfg.Connected = []string{"telepathy"}
	assert.ErrorContains(t, cfg.Validate(), `connected[0] must be one of kv_events, `)
}

// BenchmarkNormalise has one target's page of a simulated vLLM.
func BenchmarkNormalise(b *testing.B) {
	t := &testing.T{}
	n, err := newNormalizer(processortest.NewNopSettings(metadata.Type), createDefaultConfig().(*Config), consumertest.NewNop(), time.Now)
	require.NoError(b, err)
	md := scraped(t, "vllm", "a:1")
	b.ReportAllocs()
	for b.Loop() {
		require.NoError(b, n.ConsumeMetrics(context.Background(), md))
	}
	b.ReportMetric(float64(md.DataPointCount()), "points")
}
