package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

// Somebody else's manifest, outside this repository, takes one component of a release, with no `path` and no `replaces`: only what that needs is linked.
func TestForeignManifestWithOnlyNIXL(t *testing.T) {
	dir, version := t.TempDir(), published(t)
	manifest := fmt.Sprintf(`
dist: {name: foreign, module: example.com/foreign, version: 1.0.0, output_path: %[1]q}
receivers:
  - {gomod: github.com/otelcol-inference/otelcol-inference %[2]s, import: github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver}
exporters:
  - {gomod: go.opentelemetry.io/collector/exporter/debugexporter %[3]s}
providers:
  - {gomod: go.opentelemetry.io/collector/confmap/provider/envprovider %[4]s}
  - {gomod: go.opentelemetry.io/collector/confmap/provider/fileprovider %[4]s}
  - {gomod: go.opentelemetry.io/collector/confmap/provider/yamlprovider %[4]s}
`, filepath.Join(dir, "out"), version, moduleVersion(t, "exporter/debugexporter"), moduleVersion(t, "confmap/provider/fileprovider"))
	file := filepath.Join(dir, "manifest.yaml")
	require.NoError(t, os.WriteFile(file, []byte(manifest), 0o600))
	said, code := outside(t, dir, filepath.Join(rig.Root(t), "bin", "tools", "builder"), "--config", file)
	require.Zero(t, code, said)

	binary := filepath.Join(dir, "out", "foreign")
	components, code := outside(t, dir, binary, "components")
	require.Zero(t, code, components)
	assert.Contains(t, components, "name: nixl")
	assert.NotContains(t, components, "name: nvml")
	config := filepath.Join(dir, "config.yaml")
	require.NoError(t, os.WriteFile(config, []byte(
		"receivers: {nixl: }\nexporters: {debug: }\nservice: {pipelines: {metrics: {receivers: [nixl], exporters: [debug]}}}\n"), 0o600))
	said, code = outside(t, dir, binary, "validate", "--config", config)
	assert.Zero(t, code, said)

	modules, code := outside(t, dir, "go", "version", "-m", binary)
	require.Zero(t, code, modules)
	require.Contains(t, modules, "\tdep\t"+ourModule+"\t"+version+"\t")
	assert.NotContains(t, modules, "\t=>\t", "modules that are replaced")
	for _, heavy := range []string{"github.com/NVIDIA/go-nvml", "k8s.io/kubelet", "github.com/go-zeromq/zmq4"} {
		assert.Zero(t, strings.Count(modules, heavy), heavy)
	}
	// The collector's core links client-go by itself: its telemetry detects EKS. The component does not.
	needed, code := outside(t, filepath.Join(dir, "out"), "go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}",
		"github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver")
	require.Zero(t, code, needed)
	require.Contains(t, needed, "go.opentelemetry.io/collector/receiver\n")
	assert.NotRegexp(t, `(?m)^(k8s\.io/|github\.com/NVIDIA/)`, needed)
}

// outside runs a program in a directory that is not of this repository.
func outside(t *testing.T, dir, program string, args ...string) (said string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=-buildvcs=false", "GOWORK=off", "CGO_ENABLED=1") // as make build has it, whose build cache serves here
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		require.NoError(t, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// moduleVersion is the version of a core module in the manifest of the distribution.
func moduleVersion(t *testing.T, module string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(rig.Root(t), "builder-config.yaml"))
	require.NoError(t, err)
	found := regexp.MustCompile(regexp.QuoteMeta("go.opentelemetry.io/collector/"+module) + ` (v\S+)`).FindStringSubmatch(string(text))
	require.Len(t, found, 2, "%s is in builder-config.yaml", module)
	return strings.TrimSpace(found[1])
}
