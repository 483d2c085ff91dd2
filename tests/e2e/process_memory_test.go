//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A collector that has started gives back pages of its program, and goes on. How many come back at once depends on who else has them mapped.
func TestACollectorGivesBackWhatOnlyStartingNeeded(t *testing.T) {
	config, health := filepath.Join(t.TempDir(), "config.yaml"), freeAddress(t)
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `extensions: {process_memory: {give_back_after: 1ms}, health_check: {endpoint: %q}}
receivers: {otlp: {protocols: {http: {endpoint: "localhost:0"}}}}
exporters: {nop: }
service:
  extensions: [process_memory, health_check]
  pipelines: {metrics: {receivers: [otlp], exporters: [nop]}}
  telemetry: {metrics: {level: none}, logs: {level: debug}}
`, health), 0o600))
	p := start(t, nil, collector(t), "--config", config)

	told := regexp.MustCompile(`gave back .*?(\{.*\})`)
	var line []string
	require.Eventually(t, func() bool {
		line = told.FindStringSubmatch(p.Output())
		return line != nil
	}, patience, 50*time.Millisecond)
	var said struct {
		Before int64  `json:"bytes_before"`
		After  int64  `json:"bytes_after"`
		Error  string `json:"error"`
	}
	require.NoError(t, json.Unmarshal([]byte(line[1]), &said))
	assert.Empty(t, said.Error)
	assert.Greater(t, said.Before, int64(30<<20), "the program is large")
	assert.Less(t, said.After, said.Before*3/4)
	require.Eventually(t, func() bool { _, ok := fetch("http://"+health, ""); return ok }, patience, 50*time.Millisecond)
}

// Every shipped configuration that starts by itself and has a health check has it: an overlay that lists extensions anew must not lose it.
func TestShippedConfigurationsKeepTheCollectorSmall(t *testing.T) {
	for _, file := range []string{"agent.yaml", "config.yaml", "config.otlp.yaml", "gateway.yaml", "kubernetes.yaml", "kubernetes-agent.yaml"} {
		assert.Contains(t, load(t, file)["service"].(map[string]any)["extensions"], "process_memory", file)
	}
}
