package link

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const dev = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       5    0    0    0     0          0         0      100       5    0    0    0     0       0          0
 veth1: 7000000      50    0    0    0     0          0         0 8000000      60    0    0    0     0       0          0
  cni0:7000001      50    0    0    0     0          0         0 8000001      60    0    0    0     0       0          0
`

func TestEveryInterfaceOfANamespaceIsRead(t *testing.T) {
	proc := fstest.MapFS{
		"7/net/dev": {Data: []byte(dev)},
		"7/ns/net":  {Data: []byte("net:[4026531840]"), Mode: fs.ModeSymlink},
		"8/net/dev": {Data: []byte(dev + "eth0: 1 2\n")},
		"9/net/dev": {Data: []byte(dev + strings.Repeat("x: 1 0 0 0 0 0 0 0 1 0 0 0 0 0 0 0\n", maxDevBytes/30))},
	}
	links, err := ReadNamespace(proc, 7)
	require.NoError(t, err)
	assert.Equal(t, []Link{
		{Name: "lo", Kind: Loopback, Transmit: 100, Receive: 100},
		{Name: "veth1", Kind: Ethernet, Transmit: 8000000, Receive: 7000000},
		{Name: "cni0", Kind: Ethernet, Transmit: 8000001, Receive: 7000001},
	}, links)
	id, err := Namespace(proc, 7)
	require.NoError(t, err)
	assert.Equal(t, "net:[4026531840]", id)
	_, err = ReadNamespace(proc, 8)
	assert.ErrorContains(t, err, "16 numbers (got 2")
	_, err = ReadNamespace(proc, 9)
	assert.Error(t, err, "some may be missing")
	_, err = ReadNamespace(proc, 10)
	assert.ErrorIs(t, err, fs.ErrNotExist)
}

func TestTheOwnNamespaceIsRead(t *testing.T) {
	proc := os.DirFS("/proc")
	id, err := Namespace(proc, os.Getpid())
	require.NoError(t, err)
	assert.Regexp(t, `^net:\[\d+\]$`, id)
	own, err := Own(proc)
	require.NoError(t, err)
	assert.Equal(t, id, own)
	_, err = ReadNamespace(proc, os.Getpid())
	assert.NoError(t, err)
}

func FuzzDevice(f *testing.F) {
	for line := range strings.Lines(dev) {
		f.Add(line)
	}
	f.Fuzz(func(_ *testing.T, line string) { _, _ = device(line) })
}
