//go:build linux

package packaging

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Both packages have the same files, every shipped configuration among them, and no upgrade writes over an edited one.
func TestContents(t *testing.T) {
	dist := pack(t, repository(t), "0.1.0")
	deb, rpm := file(dist, "0.1.0", "deb"), file(dist, "0.1.0", "rpm")
	var inDeb []string
	for _, line := range strings.Split(strings.TrimSpace(must(t, "/", nil, "dpkg-deb", "-c", deb)), "\n") {
		fields := strings.Fields(line)
		if path := strings.TrimPrefix(fields[len(fields)-1], "."); !strings.HasSuffix(path, "/") {
			inDeb = append(inDeb, path)
		}
	}
	conffiles := strings.Fields(must(t, "/", nil, "dpkg-deb", "-I", deb, "conffiles"))
	var inRPM, noReplace []string
	for _, line := range strings.Split(strings.TrimSpace(must(t, "/", nil, "rpm", "-qp", "--qf", "[%{FILENAMES} %{FILEFLAGS:fflags} %{FILEMODES:perms}\n]", rpm)), "\n") {
		fields := strings.Fields(line)
		if strings.HasPrefix(fields[len(fields)-1], "d") {
			continue
		}
		inRPM = append(inRPM, fields[0])
		if strings.Contains(fields[1], "c") && strings.Contains(fields[1], "n") && len(fields) == 3 {
			noReplace = append(noReplace, fields[0])
		}
	}
	assert.ElementsMatch(t, inDeb, inRPM)
	want := []string{"/etc/otelcol-inference/otelcol-inference.env"}
	configs, err := filepath.Glob(filepath.Join(repository(t), "distributions", name, "*.yaml"))
	require.NoError(t, err)
	for _, config := range configs {
		if base := filepath.Base(config); base != "demo.yaml" { // needs the simulator
			want = append(want, "/etc/otelcol-inference/"+base)
		}
	}
	assert.ElementsMatch(t, want, conffiles)
	assert.ElementsMatch(t, want, noReplace)
	for _, path := range []string{"/usr/bin/" + name, "/usr/lib/otelcol-inference/start", "/usr/lib/systemd/system/otelcol-inference.service"} {
		assert.Contains(t, inDeb, path)
	}
	assertChecksums(t, dist)
	assertBill(t, filepath.Join(dist, name+"_0.1.0_linux_amd64.sbom.json"))
}

// assertChecksums holds checksums.txt to the files beside it.
func assertChecksums(t *testing.T, dist string) {
	said := must(t, dist, nil, "sha256sum", "--check", "--strict", "checksums.txt")
	assert.Equal(t, 3, strings.Count(said, ": OK"), said)
}

// assertBill looks for what is known to be in the binary in the list of what is in it.
func assertBill(t *testing.T, path string) {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var bill struct {
		BOMFormat  string
		Components []struct{ Name, Version, PURL string }
	}
	require.NoError(t, json.Unmarshal(text, &bill))
	assert.Equal(t, "CycloneDX", bill.BOMFormat)
	var names []string
	for _, c := range bill.Components {
		names = append(names, c.Name)
	}
	for _, want := range []string{"github.com/NVIDIA/go-nvml", "go.opentelemetry.io/collector/receiver/otlpreceiver", "k8s.io/client-go"} {
		assert.Contains(t, names, want)
	}
	assert.Greater(t, len(names), 300)
}

// The same sources give the same packages, wherever and whenever they are packed. The binary is a small one here; that the collector's own
// is reproducible is shown by `make reproducible`.
func TestPackagesAreReproducible(t *testing.T) {
	var sums [2][]string
	for i := range sums {
		sources, dist := changedSources(t), t.TempDir()
		must(t, sources, []string{"VERSION=1.2.3", "DIST=" + dist, "SOURCE_DATE_EPOCH=1760000000"}, "scripts/packages.sh", "amd64", "bin/fleetsim")
		for _, kind := range []string{"deb", "rpm", "sbom.json"} {
			raw, err := os.ReadFile(file(dist, "1.2.3", kind))
			require.NoError(t, err)
			sums[i] = append(sums[i], fmt.Sprintf("%s %x", kind, sha256.Sum256(raw)))
		}
	}
	assert.Equal(t, sums[0], sums[1])
}

// The unit is one that systemd takes, and is as closed as can be.
func TestUnit(t *testing.T) {
	packaging := filepath.Join(repository(t), "distributions", name, "packaging")
	said, code := command(t, packaging, nil, "systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", name+".service")
	assert.Zero(t, code, "exposure above 2.0: %s", said)
	assert.Contains(t, said, "Overall exposure level")

	// verify wants the programs where the unit says they are.
	unit, err := os.ReadFile(filepath.Join(packaging, name+".service"))
	require.NoError(t, err)
	here := t.TempDir()
	text := strings.ReplaceAll(string(unit), "/usr/lib/otelcol-inference/start", filepath.Join(packaging, "start.sh"))
	require.NoError(t, os.WriteFile(filepath.Join(here, name+".service"), []byte(text), 0o600))
	said, code = command(t, here, nil, "systemd-analyze", "verify", "--man=no", filepath.Join(here, name+".service"))
	assert.Zero(t, code, said)
	assert.Empty(t, strings.TrimSpace(said))

	dropIn, err := os.ReadFile(filepath.Join(packaging, "privileges.conf"))
	require.NoError(t, err)
	var sets []string
	for _, line := range strings.Split(string(dropIn), "\n") {
		if key, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			sets = append(sets, key)
			assert.Equal(t, "CAP_SYS_PTRACE CAP_DAC_READ_SEARCH", value)
		}
	}
	slices.Sort(sets)
	assert.Equal(t, []string{"AmbientCapabilities", "CapabilityBoundingSet"}, sets, "all that the drop-in gives")
}

// What the Makefile pins is what a release is built with, and what is told to people.
func TestToolchain(t *testing.T) {
	pinned := regexp.MustCompile(`(?m)^export GOTOOLCHAIN := go(1\.\d+\.\d+)$`)
	makefile, err := os.ReadFile(filepath.Join(repository(t), "Makefile"))
	require.NoError(t, err)
	found := pinned.FindStringSubmatch(string(makefile))
	require.NotNil(t, found, "Makefile has no line such as %s", pinned)
	for path, says := range map[string]string{
		".goreleaser.yaml": "GOTOOLCHAIN=go" + found[1] + " ", "CONTRIBUTING.md": "Go " + found[1] + ",", "docs/install.md": "Go " + found[1] + " ", "docs/security.md": "Go " + found[1] + ",",
		"README.md": "(" + found[1] + " is fetched once)",
	} {
		text, err := os.ReadFile(filepath.Join(repository(t), path))
		require.NoError(t, err)
		assert.Contains(t, string(text), says, path)
	}
}

// Shell scripts are clean to shellcheck.
func TestScripts(t *testing.T) {
	scripts := strings.Fields(must(t, repository(t), nil, "git", "ls-files", "*.sh", ".ci/run"))
	require.Contains(t, scripts, "scripts/packages.sh")
	said, code := command(t, repository(t), nil, append([]string{"shellcheck", "--external-sources"}, scripts...)...)
	assert.Zero(t, code, said)
}
