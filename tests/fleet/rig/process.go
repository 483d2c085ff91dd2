package rig

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Patience bounds every wait; these tests assert what happens, not how fast.
const Patience = 90 * time.Second

// Root is the repository.
func Root(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	require.NoError(tb, err)
	for dir != "/" {
		if _, err := os.Stat(filepath.Join(dir, "builder-config.yaml")); err == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	tb.Fatal("no builder-config.yaml above the test")
	return ""
}

// Built is the path of a program that `make build` made.
func Built(tb testing.TB, name string) string {
	tb.Helper()
	path := filepath.Join(Root(tb), "bin", name)
	require.FileExists(tb, path, "run make build first")
	return path
}

// Process is a program that runs beside the test until the test ends.
type Process struct {
	Name   string
	cmd    *exec.Cmd
	output tail
	done   chan struct{}
}

// Run starts a program.
func Run(tb testing.TB, name string, cmd *exec.Cmd) *Process {
	tb.Helper()
	return run(tb, name, cmd, func() { require.NoError(tb, cmd.Start()) })
}

func run(tb testing.TB, name string, cmd *exec.Cmd, start func()) *Process {
	tb.Helper()
	p := &Process{Name: name, cmd: cmd, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.output, &p.output
	start()
	go func() {
		defer close(p.done)
		_ = cmd.Wait()
	}()
	tb.Cleanup(func() {
		p.Stop(tb)
		if said := p.Output(); tb.Failed() {
			tb.Logf("%s said last:\n%s", name, said[max(0, len(said)-shownBytes):])
		}
	})
	return p
}

// PID is that of the program.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Output is what the program printed; of much, the end.
func (p *Process) Output() string { return p.output.String() }

// Running tells whether the program has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Kill ends the program as a crash would.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// Signal sends the program a signal, if it has not ended.
func (p *Process) Signal(s os.Signal) { _ = p.cmd.Process.Signal(s) }

// Wait waits for the end of a program that ends by itself, and returns its exit code.
func (p *Process) Wait(tb testing.TB) int {
	tb.Helper()
	Eventually(tb, p.Name+" ends", func() bool { return !p.Running() })
	return p.cmd.ProcessState.ExitCode()
}

// Stop asks the program to end, waits for it and returns its exit code.
func (p *Process) Stop(tb testing.TB) int {
	tb.Helper()
	p.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(Patience):
		p.Kill()
		tb.Errorf("%s did not stop when asked to", p.Name)
	}
	return p.cmd.ProcessState.ExitCode()
}

// Usage is what a process takes at one moment.
type Usage struct {
	Resident  int64 // bytes
	Anonymous int64 // of them, without a file: heap and stacks, and not the queue on the disk, which the program maps
	Peak      int64 // bytes, the most that was resident so far
	CPU       time.Duration
}

// Usage reads /proc.
func (p *Process) Usage(tb testing.TB) Usage {
	tb.Helper()
	var u Usage
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	require.NoError(tb, err)
	for line := range strings.Lines(string(status)) {
		for name, to := range map[string]*int64{"VmRSS:": &u.Resident, "RssAnon:": &u.Anonymous, "VmHWM:": &u.Peak} {
			if value, ok := strings.CutPrefix(line, name); ok {
				_, err := fmt.Sscanf(value, "%d", to)
				require.NoError(tb, err)
				*to <<= 10
			}
		}
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID()))
	require.NoError(tb, err)
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	var user, system int64
	_, err = fmt.Sscan(fields[11]+" "+fields[12], &user, &system)
	require.NoError(tb, err)
	u.CPU = time.Duration(user+system) * (time.Second / 100) // USER_HZ is 100 on Linux
	return u
}

// tail keeps the end of what is written.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const (
	tailBytes  = 1 << 20 // kept: programs say at their start where they listen
	shownBytes = 1 << 13
)

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if len(t.b) > 2*tailBytes {
		t.b = append([]byte(nil), t.b[len(t.b)-tailBytes:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}
