//go:build linux

// Package grafana runs every query of the shipped dashboards and alert rules against real Prometheus servers that a real collector
// fills, by scrape and by remote write. `make grafana-check` runs it.
package grafana

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	fleetrig "github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

// prometheusProgram is a program of Debian's package prometheus, which run.sh has put where PROMETHEUS says.
func prometheusProgram(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("PROMETHEUS")
	require.NotEmpty(t, dir, "PROMETHEUS: must name the folder of prometheus and promtool; make grafana-check does that")
	path := filepath.Join(dir, name)
	require.FileExists(t, path)
	return path
}

// start runs a program in a folder until the test ends.
func start(t *testing.T, dir string, env []string, name string, args ...string) *fleetrig.Process {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // a test that times out cleans up nothing
	return fleetrig.Run(t, filepath.Base(name), cmd)
}

// freePort is a loopback port that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	return strconv.Itoa(fleetrig.FreePort(t))
}
