package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

// What the binary writes of a page that a real vLLM served is what it wrote before: every name, unit, type, attribute and value, from the
// receiver through the processors to a file. It is the first batch; what is derived comes with windows, and is held to truths elsewhere.
func TestWhatIsWrittenIsTheGoldenFile(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(rig.Root(t), "tests", "engines", "recordings", "vllm-0.32.0-cpu", "metrics-007.prom"))
	require.NoError(t, err)
	engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write(page)
	}))
	t.Cleanup(engine.Close)
	points := filepath.Join(t.TempDir(), "points.jsonl")
	start(t, nil, collector(t), "--config", fmt.Sprintf(`yaml:
receivers: {llm_engine: {collection_interval: 1s, endpoints: [{endpoint: %q, role: aggregated, fleet: golden}]}}
processors: {phase_attribution: , kv_fragmentation: , disaggregation: }
exporters: {file: {path: %q, flush_interval: 100ms}}
service:
  telemetry: {metrics: {level: none}}
  pipelines: {metrics: {receivers: [llm_engine], processors: [phase_attribution, kv_fragmentation, disaggregation], exporters: [file]}}
`, engine.URL, points))
	var first []byte
	require.Eventually(t, func() bool {
		text, _ := os.ReadFile(points)
		line, _, whole := bytes.Cut(text, []byte("\n"))
		first = line
		return whole
	}, patience, 100*time.Millisecond)

	got := written(t, first, strings.TrimPrefix(engine.URL, "http://"))
	golden := filepath.Join("testdata", "written.golden")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.WriteFile(golden, []byte(got), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), got, "UPDATE_GOLDEN=1 renews the file")
}

// written is a batch of OTLP JSON as sorted lines of text, without times and with address in the place of the engine's.
func written(t *testing.T, batch []byte, address string) string {
	t.Helper()
	md, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(batch)
	require.NoError(t, err)
	host, err := os.Hostname()
	require.NoError(t, err)
	_, port, _ := strings.Cut(address, ":")
	var all []string
	for _, rm := range md.ResourceMetrics().All() {
		of := attributes(rm.Resource().Attributes())
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				for _, line := range lines(m) {
					all = append(all, strings.Join([]string{m.Name(), m.Unit(), m.Type().String(), line, "of", of, "by", sm.Scope().Name()}, " "))
				}
			}
		}
	}
	slices.Sort(all)
	text := strings.Join(all, "\n") + "\n"
	return strings.NewReplacer(address, "ADDRESS", "server.port="+port, "server.port=PORT", "host.name="+host, "host.name=HOST").Replace(text)
}

// lines are the points of a metric.
func lines(m pmetric.Metric) (all []string) {
	numbers := func(points pmetric.NumberDataPointSlice) {
		for _, p := range points.All() {
			value := fmt.Sprint(p.DoubleValue())
			if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
				value = fmt.Sprint(p.IntValue())
			}
			all = append(all, attributes(p.Attributes())+" "+value)
		}
	}
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		numbers(m.Gauge().DataPoints())
	case pmetric.MetricTypeSum:
		numbers(m.Sum().DataPoints())
		for i := range all {
			all[i] = fmt.Sprintf("%s monotonic=%t %s", m.Sum().AggregationTemporality(), m.Sum().IsMonotonic(), all[i])
		}
	case pmetric.MetricTypeHistogram:
		for _, p := range m.Histogram().DataPoints().All() {
			all = append(all, fmt.Sprintf("%s %s count=%d sum=%g bounds=%v counts=%v", m.Histogram().AggregationTemporality(), attributes(p.Attributes()),
				p.Count(), p.Sum(), p.ExplicitBounds().AsRaw(), p.BucketCounts().AsRaw()))
		}
	}
	return all
}

func attributes(m pcommon.Map) string {
	var all []string
	for k, v := range m.All() {
		all = append(all, k+"="+v.AsString())
	}
	slices.Sort(all)
	return "{" + strings.Join(all, " ") + "}"
}
