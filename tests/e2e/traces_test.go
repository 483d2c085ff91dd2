package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

// bothPipelines is a collector with phase_attribution in a metrics and in a traces pipeline. The resource processor says which worker the
// spans are of, which the engine's environment would say otherwise.
const bothPipelines = `
receivers:
  llm_engine:
    collection_interval: 1s
    endpoints: [%[1]q]
  otlp:
    protocols:
      grpc:
        endpoint: %[2]q
processors:
  phase_attribution:
    window: 1s
    allowed_lateness: 1s
  resource:
    attributes:
      - {key: service.instance.id, value: %[3]q, action: upsert}
exporters:
  file/metrics:
    path: %[4]q
  file/traces:
    path: %[5]q
service:
  pipelines:
    metrics:
      receivers: [llm_engine]
      processors: [phase_attribution]
      exporters: [file/metrics]
    traces:
      receivers: [otlp]
      processors: [resource, phase_attribution]
      exporters: [file/traces]
  telemetry:
    logs:
      level: warn
    metrics:
      level: none
`

// family is a request span with its children.
type family struct {
	parent   ptrace.Span
	children map[string]ptrace.Span
}

// families reads the file of traces, as far as it is written.
func families(t *testing.T, path string) (all []family) {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	byID := map[pcommon.SpanID]*family{}
	for _, line := range strings.Split(string(body), "\n") {
		td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces([]byte(line))
		if err != nil {
			continue // the last line may be half written
		}
		for _, rs := range td.ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, span := range ss.Spans().All() {
					if span.Name() == "llm_request" {
						byID[span.SpanID()] = &family{span, map[string]ptrace.Span{}}
					} else if f := byID[span.ParentSpanID()]; f != nil {
						f.children[span.Name()] = span
					}
				}
			}
		}
	}
	for _, f := range byID {
		all = append(all, *f)
	}
	return all
}

// One processor in both pipelines: the spans of a simulated vLLM get children, and goodput comes from them.
func TestRequestSpansEndToEnd(t *testing.T) {
	dir := t.TempDir()
	otlp := strings.Replace(freeAddress(t), "localhost", "127.0.0.1", 1)
	engine := strings.Replace(freeAddress(t), "localhost", "127.0.0.1", 1)
	metrics, traces := filepath.Join(dir, "metrics.json"), filepath.Join(dir, "traces.json")
	config := filepath.Join(dir, "config.yaml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, bothPipelines, "http://"+engine, otlp, engine, metrics, traces), 0o600))
	p := start(t, nil, collector(t), "--config", config)
	fleet := start(t, nil, rig.Built(t, "fleetsim"), "--set", "pools[0].workers=1", "--set", "protocols.traces.endpoint="+otlp,
		"--listen", engine, "--control", "127.0.0.1:0")

	var got []family
	require.Eventually(t, func() bool {
		got = families(t, traces)
		return len(got) >= 20
	}, patience, 500*time.Millisecond, "spans arrive")
	for _, f := range got {
		require.Contains(t, f.children, "prefill")
		prefill := f.children["prefill"]
		assert.Equal(t, f.parent.TraceID(), prefill.TraceID())
		assert.GreaterOrEqual(t, prefill.StartTimestamp(), f.parent.StartTimestamp())
		told, ok := f.parent.Attributes().Get("gen_ai.latency.time_in_model_prefill")
		require.True(t, ok)
		assert.InDelta(t, told.Double(), float64(prefill.EndTimestamp()-prefill.StartTimestamp())/1e9, 1e-3)
		for name, c := range f.children {
			assert.Contains(t, []string{"queue", "prefill", "decode"}, name)
			assert.LessOrEqual(t, c.EndTimestamp(), f.parent.EndTimestamp())
		}
	}
	require.Eventually(t, func() bool {
		body, err := os.ReadFile(metrics)
		return err == nil && strings.Contains(string(body), `"stringValue":"request_spans"`)
	}, patience, time.Second, "the metrics pipeline learns from the spans")
	assert.Zero(t, fleet.Stop(t))
	assert.Zero(t, p.Stop(t))
}
