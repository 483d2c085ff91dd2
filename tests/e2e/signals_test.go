//go:build linux

package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// SIGHUP takes the changed configuration, SIGTERM ends in order, although an engine does not answer. A second one changes nothing: the core
// takes no signal while it ends, and who waits for longer than that has to kill, as the unit does.
func TestSignals(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	require.NoError(t, err)
	t.Cleanup(func() { _ = silent.Close() })
	config := filepath.Join(t.TempDir(), "config.yaml")
	first, second := freeAddress(t), freeAddress(t)
	write := func(page string) {
		require.NoError(t, os.WriteFile(config, []byte(fmt.Sprintf(`
receivers: {llm_engine: {endpoints: ["http://%s"], collection_interval: 1s, timeout: 900ms}}
processors: {phase_attribution: , kv_fragmentation: , disaggregation: }
connectors: {advice: }
exporters: {inference_dashboard: {endpoint: %q}}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    metrics: {receivers: [llm_engine], processors: [phase_attribution, kv_fragmentation, disaggregation], exporters: [inference_dashboard, advice]}
    logs: {receivers: [advice], exporters: [inference_dashboard]}
`, silent.Addr(), page)), 0o600))
	}
	answers := func(page string) func() bool {
		return func() bool { _, ok := fetch("http://"+page+"/healthz", ""); return ok }
	}
	write(first)
	p := start(t, nil, collector(t), "--config", config)
	// The page is served before all has started, and until then a signal is not handled but kills.
	ready := func(times int) func() bool {
		return func() bool { return strings.Count(p.Output(), "Everything is ready") == times }
	}
	ended := func() bool { return !p.Running() }
	require.Eventually(t, ready(1), patience, 100*time.Millisecond)
	require.Eventually(t, answers(first), patience, 100*time.Millisecond)
	require.Never(t, ended, 2*time.Second, 100*time.Millisecond, "it runs on")

	write(second)
	p.Signal(syscall.SIGHUP)
	require.Eventually(t, ready(2), patience, 100*time.Millisecond)
	require.Eventually(t, answers(second), patience, 100*time.Millisecond)
	assert.False(t, answers(first)(), "the old page is gone")

	p.Signal(syscall.SIGTERM)
	p.Signal(syscall.SIGTERM)
	assert.Zero(t, p.Wait(t))
	assert.Contains(t, p.Output(), "Shutdown complete")
}
