package hostproc

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestProxies(t *testing.T) {
	sys := host()
	for pid, command := range map[int]string{
		// As Docker starts them: for IPv4 and IPv6, and as releases before 28 did.
		40: "/usr/bin/docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port 9000 -container-ip 172.17.0.2 -container-port 8000 -use-listen-fd",
		41: "/usr/bin/docker-proxy -proto tcp -host-ip :: -host-port 9000 -container-ip 172.17.0.2 -container-port 8000 -use-listen-fd",
		42: "/usr/sbin/docker-proxy -proto udp -host-ip 0.0.0.0 -host-port 53 -container-ip 172.17.0.2 -container-port 53",
		43: "/usr/bin/docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port 70000 -container-ip 172.17.0.2 -container-port 8000",
		44: "/usr/bin/docker-proxy -proto tcp -host-port 9001 -container-ip nowhere -container-port 8000",
		45: "/usr/bin/docker-proxy -host-port",
	} {
		sys[strconv.Itoa(pid)+"/stat"] = stat(pid, 1, "docker-proxy")
		sys[strconv.Itoa(pid)+"/cmdline"] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(command, " ", "\x00") + "\x00")}
	}
	r := New(sys)
	table, err := r.Table()
	require.NoError(t, err)
	assert.Equal(t, []Proxy{{Port: 9000, Container: netip.MustParseAddrPort("172.17.0.2:8000")}}, table.Proxies(r))
}

// TestTheOwnNetwork: what this kernel says of this process.
func TestTheOwnNetwork(t *testing.T) {
	r, pid := New(os.DirFS("/proc")), os.Getpid()
	assert.True(t, r.HasAddress(pid, netip.MustParseAddr("127.0.0.1")))
	assert.False(t, r.HasAddress(pid, netip.MustParseAddr("127.0.0.0")), "a network")
	assert.False(t, r.HasAddress(pid, netip.MustParseAddr("203.0.113.7")))
	assert.False(t, r.HasAddress(1<<30, netip.MustParseAddr("127.0.0.1")), "nobody")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	port := ln.Addr().(*net.TCPAddr).Port
	table, err := r.Table()
	require.NoError(t, err)
	assert.True(t, table.Shares(r, pid, port))
	assert.Contains(t, table.Processes(), pid)

	sys := host()
	sys["20/net/tcp"] = &fstest.MapFile{Data: []byte("   0: 00000000:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 99 1\n")}
	r = New(sys)
	table, err = r.Table()
	require.NoError(t, err)
	assert.False(t, table.Shares(r, 20, 8000), "another socket at the same port")
	assert.True(t, table.Shares(r, 21, 8000), "that cannot be read")
	sys["20/net/tcp"] = &fstest.MapFile{}
	assert.False(t, table.Shares(r, 20, 8000), "nobody listens there")
}

// TestAnotherNetwork: what the kernel tells of a process in a network namespace of its own.
func TestAnotherNetwork(t *testing.T) {
	child := exec.CommandContext(t.Context(), "sleep", "60")
	child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if err := child.Start(); errors.Is(err, syscall.EPERM) {
		require.Empty(t, os.Getenv("CI"), "CI runs as root, so that this is shown there")
		t.Skip("only root makes a network namespace")
	} else {
		require.NoError(t, err)
	}
	defer func() { _ = child.Process.Kill(); _ = child.Wait() }()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	r := New(os.DirFS("/proc"))
	table, err := r.Table()
	require.NoError(t, err)
	assert.False(t, table.Shares(r, child.Process.Pid, ln.Addr().(*net.TCPAddr).Port))
	assert.False(t, r.HasAddress(child.Process.Pid, netip.MustParseAddr("127.0.0.1")), "its loopback is down")
}
