package ucxlog

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// printed is what UCX 1.23.0 of the wheel nixl-cu12 1.5.1 prints with UCX_TLS=tcp.
const printed = `
[1795602129.024950] [vm:25627:0]   +--------+-------------+-----------------------------------+
[1795602129.024950] [vm:25627:0]   | a self cfg#0                                             |
[1795602129.024950] [vm:25627:0]   | remote memory write by ucp_put* from host memory to host |
[1795602129.024950] [vm:25627:0]   +--------+-------------+-----------------------------------+
[1795602129.024950] [vm:25627:0]   | Range  | Description |              Config               |
[1795602129.024950] [vm:25627:0]   +--------+-------------+-----------------------------------+
[1795602129.024950] [vm:25627:0]   | 0..inf | zero-copy   | cma/memory                        |
[1795602129.034766] [vm:25627:0]   | b intra-node cfg#1                                                     |
[1795602129.034766] [vm:25627:0]   | active message by ucp_am_send* with reply flag(multi) from host memory |
[1795602129.034766] [vm:25627:0]   |  Range   |    Description     |                 Config                 |
[1795602129.034766] [vm:25627:0]   |   0..626 | short              | tcp/lo                                 |
[1795602129.034766] [vm:25627:0]   | 627..inf | multi-frag copy-in | tcp/lo                                 |
[1795602129.039079] [vm:25627:0]   +--------+-------------+------------------------------------------+
[1795602129.039079] [vm:25627:0]   | a intra-node cfg#1                                              |
[1795602129.039079] [vm:25627:0]   | remote memory write by ucp_put*(multi) from host memory to host |
[1795602129.039079] [vm:25627:0]   +--------+-------------+------------------------------------------+
[1795602129.039079] [vm:25627:0]   | Range  | Description |                  Config                  |
[1795602129.039079] [vm:25627:0]   +--------+-------------+------------------------------------------+
[1795602129.039079] [vm:25627:0]   | 0..inf | zero-copy   | 52% on tcp/lo and 48% on tcp/eth0        |
[1795602129.039079] [vm:25627:0]   +--------+-------------+------------------------------------------+
[1795602129.064730] [vm:25627:0]   | a intra-node cfg#1                                               |
[1795602129.064730] [vm:25627:0]   | remote memory read by ucp_get*(multi) into host memory from host |
[1795602129.064730] [vm:25627:0]   | Range  |    Description     |               Config               |
[1795602129.064730] [vm:25627:0]   | 0..inf | software emulation | tcp/lo                             |
[1795602129.429958] [vm:25627:1]          tcp_ep.c:1260 UCX  DIAG  tcp_ep 0x5579a539ed80 (state=CONNECTED): recv(43) failed
`

func choices(lines string) (all []Choice) {
	p := NewParser()
	for line := range strings.Lines(lines) {
		if c, ok := p.Line(strings.TrimRight(line, "\n")); ok {
			all = append(all, c)
		}
	}
	return all
}

func TestOnlyPayloadRowsCount(t *testing.T) {
	want := []Choice{
		{Agent: "a", PID: 25627, Write: true, Transport: TCP, Lanes: "52% on tcp/lo and 48% on tcp/eth0", Time: time.Unix(1795602129, 39079000)},
		{Agent: "a", PID: 25627, Transport: TCP, Lanes: "tcp/lo", Time: time.Unix(1795602129, 64730000)},
	}
	assert.Equal(t, want, choices(printed))
	docker, kubernetes := "", ""
	for line := range strings.Lines(printed) {
		entry, err := json.Marshal(map[string]string{"log": line, "stream": "stderr", "time": "2026-11-25T10:00:00.5Z"})
		require.NoError(t, err)
		docker += string(entry) + "\n"
		kubernetes += "2026-11-25T10:00:00.5Z stderr F " + line
	}
	assert.Equal(t, want, choices(docker), "as Docker keeps it")
	assert.Equal(t, want, choices(kubernetes), "as the CRI keeps it")
}

// TestTheOlderTableIsRead: UCX 1.20 and before, in the wheel nixl-cu12 1.2.0, has the operation beside the endpoint, and no names.
func TestTheOlderTableIsRead(t *testing.T) {
	got := choices(`
[1795604337.215151] [vm:17486:0]   +--------------------------+-------------------------+-----------------------------------+
[1795604337.215181] [vm:17486:0]   | ucp_context_0 self cfg#0 | remote memory write by ucp_put* from host memory to host    |
[1795604337.215183] [vm:17486:0]   +--------------------------+-------------------------+-----------------------------------+
[1795604337.215185] [vm:17486:0]   |                   0..inf | zero-copy               | cma/memory                        |
[1795604337.313240] [vm:17486:0]   | ucp_context_0 intra-node cfg#1 | remote memory read by ucp_get* into host memory from host |
[1795604337.313242] [vm:17486:0]   +--------------------------+-------------------------+-----------------------------------+
[1795604337.313244] [vm:17486:0]   |                   0..inf | software emulation      | tcp/lo                            |
[1795604337.412185] [vm:17486:0]   | ucp_context_0 intra-node cfg#1 | active message by ucp_am_send* from host memory |
[1795604337.412187] [vm:17486:0]   |               65529..inf | multi-frag copy-in      | tcp/lo                            |
`)
	assert.Equal(t, []Choice{{PID: 17486, Transport: TCP, Lanes: "tcp/lo", Time: time.Unix(1795604337, 313244000)}}, got)
}

func TestLanesAreClassified(t *testing.T) {
	p := NewParser()
	for lanes, want := range map[string]Transport{
		"rc_mlx5/mlx5_0:1/path0":                              RDMA,
		"50% on rc_mlx5/mlx5_0:1 and 50% on rc_mlx5/mlx5_1:1": RDMA,
		"srd/rdmap0s31:1":                                     RDMA,
		"tcp/bond0":                                           TCP,
		"cuda_ipc/cuda":                                       Local,
		"sysv/memory":                                         Local,
		"cuda_copy/cuda, rc_mlx5/mlx5_0:1":                    RDMA,
		"cuda_copy/cuda":                                      Local,
		"52% on tcp/eth0 and 48% on rc_mlx5/m_0:1":            Unknown,
		"new/thing":                                           Unknown,
		"":                                                    Unknown,
	} {
		assert.Equal(t, want, p.classify(lanes), lanes)
	}
}

func TestProcessesThatShareALogAreKeptApart(t *testing.T) {
	got := choices(`
[1.0] [h:1    :0] | x inter-node cfg#1 |
[1.0] [h:2:0] | y inter-node cfg#1 |
[1.0] [h:1:0] | remote memory read by ucp_get* into cuda/GPU0 from cuda |
[1.0] [h:2:0] | remote memory write by ucp_put* from cuda/GPU0 to cuda |
[1.0] [h:2:0] | 0..inf | zero-copy | rc_mlx5/mlx5_0:1/path0 |
[1.0] [h:1:0] | 0..inf | software emulation | tcp/bond0 |
`)
	assert.Equal(t, []Choice{
		{Agent: "y", PID: 2, Write: true, Transport: RDMA, Lanes: "rc_mlx5/mlx5_0:1/path0", Time: time.Unix(1, 0)},
		{Agent: "x", PID: 1, Transport: TCP, Lanes: "tcp/bond0", Time: time.Unix(1, 0)},
	}, got)
}

func TestALogIsFollowed(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "engine.log")
	tail := NewTail([]string{filepath.Join(dir, "*.log"), filepath.Join(dir, "e*")})
	read := func() []Choice {
		got, err := tail.Read()
		require.NoError(t, err)
		return got
	}
	assert.Empty(t, read(), "there is none yet")
	head, rest := printed[:len(printed)/2], printed[len(printed)/2:]
	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("noise\n", 300_000)+head), 0o600))
	n := len(read())
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(rest)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	assert.Equal(t, 2, n+len(read()), "lines that come in two pieces are read once and whole")
	assert.Empty(t, read())
	require.NoError(t, os.WriteFile(path, []byte(printed[:1000]), 0o600))
	assert.Empty(t, read(), "it was cut")
	require.NoError(t, os.Remove(path))
	assert.Empty(t, read())
	require.NoError(t, os.WriteFile(path, []byte(printed), 0o600))
	assert.Len(t, read(), 2, "it was rotated")
}

func TestABadGlobCostsItselfOnly(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.log"), []byte(printed), 0o600))
	got, err := NewTail([]string{"[", filepath.Join(dir, "a.log")}).Read()
	assert.ErrorContains(t, err, `"["`)
	assert.Len(t, got, 2)
}

func FuzzLine(f *testing.F) {
	for line := range strings.Lines(printed) {
		f.Add(line, printed)
	}
	f.Fuzz(func(_ *testing.T, one, many string) {
		p := NewParser()
		for line := range strings.Lines(one + "\n" + many) {
			p.Line(line)
		}
	})
}
