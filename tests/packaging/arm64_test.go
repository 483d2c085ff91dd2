//go:build linux && arm64emulated

package packaging

import (
	"fmt"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

// The arm64 binary, emulated: it tells its version, takes every shipped configuration, scrapes an engine, derives from it and shows it; and it is
// packed as what it is.
func TestARM64(t *testing.T) {
	binary := rig.Built(t, "arm64/"+name)
	emulated := []string{"qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu", binary}
	assert.Contains(t, must(t, "/", nil, append(emulated, "--version")...), name+" version ")
	shipped := filepath.Join(repository(t), "distributions", name)
	for _, config := range []string{"config.yaml", "agent.yaml", "gateway.yaml", "kubernetes.yaml"} {
		must(t, "/", []string{"POD_IP=127.0.0.1"}, append(emulated, "validate", "--config", filepath.Join(shipped, config))...)
	}

	c := rig.NewCollector(t, "arm64", "config.yaml")
	c.Program = emulated
	prometheus := rig.Local(rig.FreePort(t))
	c.Overlay = fmt.Sprintf(`
receivers: {llm_engine/fleet: {collection_interval: 1s, endpoints: %s}}
processors: {phase_attribution: {window: 1s}}
exporters: {inference_dashboard: {endpoint: "%s"}, prometheus: {endpoint: "%s"}}
service: {pipelines: {metrics: {receivers: [llm_engine/fleet, nvml, nixl]}}}
`, rig.NewFleet(t, "pd-balanced").Entries, rig.Local(rig.FreePort(t)), prometheus)
	c.Start(t)
	for _, series := range []string{`^llm_engine_tokens_generated_total`, `^llm_phase_worker_time_seconds_total\{.*llm_phase="decode"`} {
		rig.Eventually(t, series, func() bool {
			page, _ := rig.Get("http://" + prometheus + "/metrics")
			return rig.Sum(page, regexp.MustCompile(series)) > 0
		})
	}

	dist := t.TempDir()
	must(t, repository(t), []string{"VERSION=0.1.0", "DIST=" + dist, "SOURCE_DATE_EPOCH=1760000000"}, "scripts/packages.sh", "arm64", binary)
	deb := filepath.Join(dist, name+"_0.1.0_linux_arm64.deb")
	require.FileExists(t, deb)
	assert.Contains(t, must(t, "/", nil, "dpkg-deb", "-f", deb, "Architecture"), "arm64")
}
