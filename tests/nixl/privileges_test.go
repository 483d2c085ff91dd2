package nixl_test

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// readerEnvironment makes the test binary a collector that reads a directory, and says what it told last.
const readerEnvironment = "NIXL_TEST_READER"

// TestReaderProcess is that collector; on its own it reads nothing.
func TestReaderProcess(t *testing.T) {
	dir := os.Getenv(readerEnvironment)
	if dir == "" {
		dir = t.TempDir()
	}
	r := read(t, dir, map[string]any{"collection_interval": "100ms", "rescan_interval": "1s"})
	wanted := signal.NIXLAgents
	if os.Getenv(readerEnvironment) != "" {
		wanted = signal.NIXLTransferCount
	}
	r.eventually(func() bool { _, told := r.value(wanted); return told }, "something is told")
	r.mu.Lock()
	defer r.mu.Unlock()
	if out := os.NewFile(3, "told"); os.Getenv(readerEnvironment) != "" {
		require.NoError(t, json.NewEncoder(out).Encode(r.last))
	}
}

// TestWithoutPrivileges reads, as a user who owns nothing, what another user's agents write: rings are observed, stores are refused,
// owners stay unknown, and each of these is said.
func TestWithoutPrivileges(t *testing.T) {
	if os.Getuid() != 0 {
		require.Empty(t, os.Getenv("CI"), "CI runs as root, so that this is shown there")
		t.Skip("only root can become another user")
	}
	top := t.TempDir()
	for at := top; at != filepath.Dir(os.TempDir()) && at != "/"; at = filepath.Dir(at) {
		if at != os.TempDir() {
			require.NoError(t, os.Chmod(at, 0o755))
		}
	}
	dir := filepath.Join(top, "nixl")
	require.NoError(t, os.Mkdir(dir, 0o755))
	for _, store := range []bool{false, true} {
		p := start(t, order{Dir: dir, Agents: 1, Store: store, Transfers: 10, Rate: 10_000})
		p.begin()
		p.done()
	}
	before, err := os.ReadFile(filepath.Join(dir, "agent-0"))
	require.NoError(t, err)
	told := readAs(t, 65534, top, dir)
	after, err := os.ReadFile(filepath.Join(dir, "agent-0"))
	require.NoError(t, err)
	assert.Equal(t, before, after, "nothing is written, though it was asked to consume")
	assert.Equal(t, 10.0, told[signal.NIXLTransferCount], "the ring is read, the store is not")
	assert.NotContains(t, told, signal.NIXLAgentUp, "nobody knows whether it lives")
	assert.Equal(t, 4.0, told[signal.SourceMissing], "the owner, the write access, the store, the network of the owner")
}

// readAs runs a copy of the test binary as another user.
func readAs(t *testing.T, uid uint32, top, dir string) (told map[string]float64) {
	program := filepath.Join(top, "reader")
	raw, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(program, raw, 0o755))
	in, out, err := os.Pipe()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestReaderProcess$")
	cmd.Dir = dir
	cmd.Env = []string{readerEnvironment + "=" + dir, "TMPDIR=/nowhere"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid, NoSetGroups: true}}
	cmd.ExtraFiles = []*os.File{out}
	said, err := cmd.CombinedOutput()
	require.NoError(t, err, string(said))
	require.NoError(t, out.Close())
	answer, err := io.ReadAll(in)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(answer, &told))
	return told
}

// TestTheReceiverBringsNoGPULibrary: who builds a collector with this receiver alone gets neither NVML nor a client of Kubernetes.
func TestTheReceiverBringsNoGPULibrary(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver").Output()
	require.NoError(t, err)
	for _, name := range []string{"go-nvml", "k8s.io/", "fleetsim", "zmq"} {
		assert.NotContains(t, string(out), name)
	}
	assert.Greater(t, strings.Count(string(out), "\n"), 50)
}
