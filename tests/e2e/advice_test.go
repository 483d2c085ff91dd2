package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

const adviceConfig = `
receivers:
  llm_engine: {collection_interval: 500ms, fleet: chat, endpoints: %s}
processors:
  phase_attribution: {window: 1s, allowed_lateness: 1s}
connectors:
  advice: {window: 1s, allowed_lateness: 1s}
exporters:
  file/logs: {path: %q, flush_interval: 200ms}
  file/metrics: {path: %q, flush_interval: 200ms}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    metrics: {receivers: [llm_engine], processors: [phase_attribution], exporters: [advice]}
    metrics/advice: {receivers: [advice], exporters: [file/metrics]}
    logs/advice: {receivers: [advice], exporters: [file/logs]}
`

// One advice connector in a pipeline of logs and one of metrics tells the same verdict in both, each change once.
func TestAdviceTellsTheSameInLogsAndMetrics(t *testing.T) {
	fleet := rig.NewFleet(t, "aggregated-mixed")
	dir := t.TempDir()
	logs, metrics := filepath.Join(dir, "logs.jsonl"), filepath.Join(dir, "metrics.jsonl")
	endpoints, err := json.Marshal(fleet.Workers)
	require.NoError(t, err)
	config := filepath.Join(dir, "config.yaml")
	require.NoError(t, os.WriteFile(config, []byte(fmt.Sprintf(adviceConfig, endpoints, logs, metrics)), 0o600))
	p := start(t, nil, collector(t), "--config", config)
	lines := func(path string) []string {
		text, _ := os.ReadFile(path) // not there yet
		return strings.Split(strings.TrimSpace(string(text)), "\n")
	}
	require.Eventually(t, func() bool {
		return len(lines(logs)) >= 2 && len(lines(metrics)) >= 10
	}, patience, 200*time.Millisecond)
	assert.Zero(t, p.Stop(t))

	var said []string // codes by the order in which they came into force
	for _, line := range lines(logs) {
		assert.Contains(t, line, `"eventName":"llm.verdict"`)
		said = changed(said, codeIn(t, line))
	}
	var shown []string
	for _, line := range lines(metrics) {
		for _, part := range strings.Split(line, `"llm.verdict.code"`)[1:] {
			if !strings.Contains(part, `"flags":1`) {
				shown = changed(shown, codeIn(t, `"llm.verdict.code"`+part))
			}
		}
	}
	assert.Equal(t, said, shown)
}

// codeIn reads the first verdict's code in a line of OTLP JSON.
func codeIn(t *testing.T, line string) string {
	t.Helper()
	_, rest, ok := strings.Cut(line, `"llm.verdict.code","value":{"stringValue":"`)
	require.True(t, ok, line)
	code, _, _ := strings.Cut(rest, `"`)
	return code
}

// changed appends a code that is another one than the last.
func changed(codes []string, code string) []string {
	if n := len(codes); n > 0 && codes[n-1] == code {
		return codes
	}
	return append(codes, code)
}
