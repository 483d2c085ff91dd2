package hostproc

import (
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// row is a line of /proc/net/tcp.
func row(address string, port int, state, inode string) string {
	return fmt.Sprintf("   0: %s:%04X 00000000:0000 %s 00000000:00000000 00:00000000 00000000     0        0 %s 1 0000 100 0 0 10 0\n",
		address, port, state, inode)
}

const (
	loopback4 = "0100007F"
	loopback6 = "00000000000000000000000001000000"
	every6    = "00000000000000000000000000000000"
)

func link(name string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(name), Mode: fs.ModeSymlink}
}

// host has a server with two children, one of which shares its socket, and a stranger on another address of the same port.
func host() fstest.MapFS {
	return fstest.MapFS{
		"1/stat": stat(1, 0, "init"), "20/stat": stat(20, 1, "vllm"), "21/stat": stat(21, 20, "EngineCore"), "22/stat": stat(22, 21, "Worker"),
		"30/stat": stat(30, 1, "other"), "31/stat": {Data: []byte("gone")}, "x/stat": stat(7, 1, "no number"),
		"self/net/tcp":  {Data: []byte("  sl  local_address ...\n" + row(loopback4, 8000, "0A", "71") + row(loopback4, 8000, "01", "72") + row("0101010A", 8000, "0A", "73"))},
		"self/net/tcp6": {Data: []byte(row(every6, 9000, "0A", "74") + row(loopback6, 9001, "0A", "75"))},
		"20/fd/3":       link("socket:[71]"), "20/fd/4": link("socket:[71]"), "21/fd/9": link("socket:[71]"),
		"30/fd/1": link("socket:[73]"), "30/fd/2": link("socket:[74]"), "30/fd/3": link("/dev/null"),
	}
}

func TestWhoListens(t *testing.T) {
	table, err := New(host()).Table()
	require.NoError(t, err)
	for _, c := range []struct {
		address string
		port    int
		want    []int
		listens bool
	}{
		{"127.0.0.1", 8000, []int{20, 21}, true},
		{"::ffff:127.0.0.1", 8000, []int{20, 21}, true},
		{"10.1.1.1", 8000, []int{30}, true},
		{"", 8000, []int{20, 21, 30}, true},
		{"127.0.0.1", 9000, []int{30}, true},
		{"::1", 9001, nil, true},
		{"127.0.0.1", 9001, nil, false},
		{"127.0.0.1", 1, nil, false},
	} {
		address, _ := netip.ParseAddr(c.address)
		pids, listens := table.Listening(address, c.port)
		assert.ElementsMatch(t, c.want, pids, "%s:%d", c.address, c.port)
		assert.Equal(t, c.listens, listens, "%s:%d", c.address, c.port)
	}
	_, ok := table.Process(31)
	assert.False(t, ok, "one that cannot be read is left out")
	var tree []int
	for _, p := range table.Descendants(20) {
		tree = append(tree, p.PID)
	}
	assert.Equal(t, []int{20, 21, 22}, tree)
	assert.Empty(t, table.Descendants(31))
	assert.ElementsMatch(t, []int{1, 22}, table.Hidden(), "whose open files cannot be seen")
	at := func(port int) func(int) bool { return func(p int) bool { return p == port } }
	assert.True(t, table.Orphaned(at(9001)), "nobody in sight holds it")
	assert.False(t, table.Orphaned(at(8000)))
}

// unprivileged is a /proc in which links of one process cannot be read, though they are listed: as root sees it without CAP_SYS_PTRACE.
type unprivileged struct {
	fstest.MapFS
	pid string
}

func (u unprivileged) ReadLink(name string) (string, error) {
	if strings.HasPrefix(name, u.pid+"/fd/") {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrPermission}
	}
	return u.MapFS.ReadLink(name)
}

func TestFilesThatAreListedAndNotReadAreNotSeen(t *testing.T) {
	r := New(unprivileged{host(), "20"})
	found, seen := r.OpenFile(20, func(string) bool { return true })
	assert.False(t, found)
	assert.False(t, seen)
	table, err := r.Table()
	require.NoError(t, err)
	assert.ElementsMatch(t, []int{1, 20, 22}, table.Hidden())
}

func TestSocketsOfAnotherNamespaceOfProcesses(t *testing.T) {
	sys := host()
	sys["1/net/tcp"] = sys["self/net/tcp"]
	delete(sys, "self/net/tcp")
	delete(sys, "self/net/tcp6")
	table, err := New(sys).Table()
	require.NoError(t, err)
	pids, _ := table.Listening(netip.Addr{}, 8000)
	assert.ElementsMatch(t, []int{20, 21, 30}, pids)
	_, err = New(os.DirFS(t.TempDir() + "/none")).Table()
	assert.ErrorIs(t, err, fs.ErrNotExist)
}

func TestACircleOfParentsEnds(t *testing.T) {
	table, err := New(fstest.MapFS{"5/stat": stat(5, 6, "a"), "6/stat": stat(6, 5, "b")}).Table()
	require.NoError(t, err)
	assert.Len(t, table.Descendants(5), 2)
}

func TestARealListenerIsSeen(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	at := ln.Addr().(*net.TCPAddr).AddrPort()
	r := New(os.DirFS("/proc"))
	assert.True(t, r.Listens(os.Getpid(), int(at.Port())))
	table, err := r.Table()
	require.NoError(t, err)
	pids, listens := table.Listening(at.Addr(), int(at.Port()))
	assert.Equal(t, []int{os.Getpid()}, pids)
	assert.True(t, listens)
	require.NoError(t, ln.Close())
	assert.False(t, r.Listens(os.Getpid(), int(at.Port())))
	assert.Equal(t, os.Args[0], r.Command(os.Getpid())[0])
	assert.Nil(t, r.Command(-1))
}

func TestATitleIsOneArgument(t *testing.T) {
	r := New(fstest.MapFS{"7/cmdline": {Data: []byte("VLLM::EngineCore_DP1\x00\x00\x00")}, "8/cmdline": {Data: []byte("vllm\x00serve\x00m\x00")}})
	assert.Equal(t, []string{"VLLM::EngineCore_DP1"}, r.Command(7))
	assert.Equal(t, "vllm serve m", strings.Join(r.Command(8), " "))
}

func FuzzSocket(f *testing.F) {
	f.Add([]byte(row(loopback4, 8000, "0A", "71")))
	f.Add([]byte(row(loopback6, 8000, "0A", "71")))
	f.Fuzz(func(t *testing.T, line []byte) {
		if s, ok := parseSocket(line); ok != s.at.IsValid() {
			t.Fatal(s)
		}
	})
}
