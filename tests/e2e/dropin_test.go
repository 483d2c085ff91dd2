//go:build linux

package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

// Configurations as users of the contrib and k8s distributions have them, of the components that are carried, start unchanged: same options,
// same defaults, names from before components were renamed.
func TestConfigurationsOfOtherDistributionsStartUnchanged(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "dropin", "*.yaml"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 5)
	api := newKubernetes(t)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			path, err := filepath.Abs(file)
			require.NoError(t, err)
			// They use the usual ports, on all addresses: in a network of their own, which has only loopback.
			cmd := exec.Command("unshare", "--map-root-user", "--net", "sh", "-c", `ip link set lo up; exec "$0" "$@"`, collector(t), "--config", path)
			cmd.Env = append(cmd.Environ(), "STATE="+t.TempDir(), "KUBECONFIG="+api.config(t))
			p := rig.Run(t, "collector", cmd)
			require.Eventually(t, func() bool {
				return !p.Running() || strings.Contains(p.Output(), "Everything is ready")
			}, patience, 100*time.Millisecond)
			assert.Contains(t, p.Output(), "Everything is ready")
		})
	}
}
