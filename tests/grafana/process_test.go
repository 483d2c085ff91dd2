//go:build linux

// Package grafana runs every query of the shipped dashboards and alert rules against real Prometheus servers that a real collector
// fills, by scrape and by remote write. `make grafana-check` runs it.
package grafana

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	fleetrig "github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

// root is the repository.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	require.NoError(t, err)
	return dir
}

// prometheusProgram is a program of Debian's package prometheus, which run.sh has put where PROMETHEUS says.
func prometheusProgram(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("PROMETHEUS")
	require.NotEmpty(t, dir, "PROMETHEUS: must name the folder of prometheus and promtool; make grafana-check does that")
	path := filepath.Join(dir, name)
	require.FileExists(t, path)
	return path
}

// process is a program that runs beside the test, in a folder of its own choice.
type process struct {
	cmd    *exec.Cmd
	mu     sync.Mutex
	output bytes.Buffer
	done   chan struct{}
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.Write(b)
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// start runs a program until the test ends; a test that failed shows the end of what it said.
func start(t *testing.T, dir string, env []string, name string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(name, args...), done: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = dir, append(os.Environ(), env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // a test that times out cleans up nothing
	p.cmd.Stdout, p.cmd.Stderr = p, p
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGINT)
		select {
		case <-p.done:
		case <-time.After(20 * time.Second):
			_ = p.cmd.Process.Kill()
			<-p.done
		}
		if said := p.said(); t.Failed() {
			t.Logf("%s said, at its end:\n%s", filepath.Base(name), said[max(0, len(said)-4000):])
		}
	})
	return p
}

// freePort is a loopback port that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	return strconv.Itoa(fleetrig.FreePort(t))
}
