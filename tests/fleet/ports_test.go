package fleet

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

// No shipped configuration, as it is shipped, listens beyond this host: each is started in a network namespace of its own, where all
// ports are free, and the kernel is asked. Those of a cluster listen on POD_IP, which is not set here, and have an API that does not answer.
func TestNothingListensBeyondLocalhost(t *testing.T) {
	shipped := filepath.Join(rig.Root(t), "distributions", "otelcol-inference")
	files, err := filepath.Glob(filepath.Join(shipped, "*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		configurations := append(under(string(text)), filepath.Base(file))
		if !strings.Contains(string(text), "\nservice:") {
			continue // no configuration of a collector
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			var more []string
			if strings.Contains(string(text), "\n  k8s_observer:") {
				more = []string{"--set", "extensions.k8s_observer.auth_type=kubeConfig", "--set", "processors.k8s_attributes.auth_type=kubeConfig"}
			}
			listensLocally(t, shipped, configurations, more...)
		})
	}
}

// under are the configurations that a file says it is an overlay of.
func under(text string) []string {
	first, _, _ := strings.Cut(text, "\n")
	list, isOverlay := strings.CutPrefix(first, "# Overlay of ")
	if !isOverlay {
		return nil
	}
	list, _, _ = strings.Cut(list, ":")
	return strings.Split(list, " and ")
}

const unanswered = "{apiVersion: v1, kind: Config, current-context: c, clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}], " +
	"users: [{name: u, user: {}}], contexts: [{name: c, context: {cluster: c, user: u}}]}"

func listensLocally(t *testing.T, shipped string, configurations []string, more ...string) {
	args := []string{"--net", "sh", "-c", `ip link set lo up && exec "$@"`, "sh", rig.Built(t, "otelcol-inference")}
	for _, name := range configurations {
		args = append(args, "--config", filepath.Join(shipped, name))
	}
	args = append(args, "--set", "service.telemetry.logs.level=info") // it says when it is ready
	cmd := exec.Command("unshare", append(args, more...)...)
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(kubeconfig, []byte(unanswered), 0o600))
	cmd.Env = append(os.Environ(), "STATE_DIRECTORY="+t.TempDir(), "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318", "KUBECONFIG="+kubeconfig)
	p := rig.Run(t, strings.Join(configurations, "+"), cmd)
	ready := func() bool { return strings.Contains(p.Output(), "Everything is ready") || !p.Running() }
	rig.Eventually(t, "the collector is ready", ready)
	require.True(t, p.Running(), "ended: %s", p.Output())
	listeners := rig.Listeners(t, p.PID())
	assert.NotEmpty(t, listeners)
	for _, address := range listeners {
		assert.True(t, address.Addr().IsLoopback(), "listens on %s", address)
	}
	t.Logf("%v", listeners)
}
