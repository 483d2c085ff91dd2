//go:build linux

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

	"github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

// The shipped zero-configuration of a user who may not see what other users' processes listen at: host_observer tells sockets without
// commands, no template takes them, and so nobody is asked anything. That is said once, with its cure. Everything else goes on.
func TestZeroConfigurationWithoutPrivileges(t *testing.T) {
	onlyRoot(t)
	vllm := faked()["vllm"]
	engine := startFakeEngine(t, 0, vllm.command, vllm.path, vllm.page)
	overlay, points := observing(t, "host_observer: {refresh_interval: 1s}", ", advice", "receivers: {nixl: {collection_interval: 500ms}, llm_engine/unseen: {collection_interval: 500ms}}\n")
	top := visible(t)
	for _, path := range []string{overlay, filepath.Dir(points)} {
		require.NoError(t, os.Chown(path, collectorUser, collectorUser))
	}
	config := filepath.Join(top, "config.yaml")
	shipped, err := os.ReadFile(filepath.Join(rig.Root(t), "distributions", "otelcol-inference", "config.yaml"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(config, shipped, 0o644))
	p := as(t, collectorUser, owned(t, top, "home", collectorUser), copied(t, top, collector(t)), "--config", config, "--config", overlay)

	watch := privilegeWatch{process: p, points: points}
	require.Eventually(t, func() bool { return watch.read(t).names["nixl.agents"] >= 10 }, patience, 200*time.Millisecond, "several looks at the host")
	require.Eventually(t, func() bool { return watch.read(t).missing["discovery"] == 1 }, patience, 200*time.Millisecond, "said as a metric")
	assert.Contains(t, watch.read(t).hints["discovery"], "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH")
	assert.Zero(t, engine.asked())
	assert.Empty(t, seenFile(t, points)[engine.instance()])
	assert.Zero(t, p.Stop(t), "it ends well")
	assert.NotContains(t, p.Output(), "panic")
	assert.Equal(t, 1, strings.Count(p.Output(), "Engines of this host cannot be found"), "once in the log")
	assert.Contains(t, p.Output(), fmt.Sprintf("vllm on port %d, process %d", engine.port, engine.PID()))
}
