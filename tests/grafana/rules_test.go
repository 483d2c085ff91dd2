package grafana

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	shipped "github.com/otelcol-inference/otelcol-inference/internal/grafana"
	"github.com/otelcol-inference/otelcol-inference/internal/grafana/alert"
	fleetrig "github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

func TestRulesFireOnBadDataAndAreSilentOnGood(t *testing.T) {
	t.Parallel()
	promtool := prometheusProgram(t, "promtool")
	rules := filepath.Join(fleetrig.Root(t), "distributions/otelcol-inference/prometheus/alerts.yaml")
	said, err := exec.Command(promtool, "check", "rules", rules).CombinedOutput()
	require.NoError(t, err, string(said))
	said, err = exec.Command(promtool, "check", "config", filepath.Join(filepath.Dir(rules), "prometheus.yaml")).CombinedOutput()
	require.NoError(t, err, string(said))

	groups, err := shipped.Alerts()
	require.NoError(t, err)
	text, err := alert.Tests(rules, groups)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "tests.yaml")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	said, err = exec.Command(promtool, "test", "rules", file).CombinedOutput()
	require.NoError(t, err, string(said))
}
