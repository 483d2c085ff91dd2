//go:build linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// SIGHUP takes the changed configuration, a bad one ends nothing silently, SIGTERM ends in order.
func TestSignals(t *testing.T) {
	config := filepath.Join(t.TempDir(), "config.yaml")
	first, second := freeAddress(t), freeAddress(t)
	write := func(page string) {
		require.NoError(t, os.WriteFile(config, []byte(fmt.Sprintf(`
receivers: {llm_engine: {endpoints: [http://localhost:1], collection_interval: 1s}}
processors: {phase_attribution: , kv_fragmentation: , disaggregation: }
connectors: {advice: }
exporters: {inference_dashboard: {endpoint: %q}}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    metrics: {receivers: [llm_engine], processors: [phase_attribution, kv_fragmentation, disaggregation], exporters: [inference_dashboard, advice]}
    logs: {receivers: [advice], exporters: [inference_dashboard]}
`, page)), 0o600))
	}
	answers := func(page string) func() bool {
		return func() bool { _, ok := fetch("http://"+page+"/healthz", ""); return ok }
	}
	write(first)
	p := start(t, nil, collector(t), "--config", config)
	require.Eventually(t, answers(first), patience, 100*time.Millisecond)

	write(second)
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGHUP))
	require.Eventually(t, answers(second), patience, 100*time.Millisecond)
	assert.False(t, answers(first)(), "the old page is gone")

	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	<-p.done
	assert.Zero(t, p.cmd.ProcessState.ExitCode())
	assert.True(t, strings.Contains(p.output.String(), "Shutdown complete"))
}
