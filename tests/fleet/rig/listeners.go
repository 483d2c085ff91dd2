package rig

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Listeners are the TCP addresses on which a process listens, and the UDP addresses that it has bound, as the kernel tells.
func Listeners(tb testing.TB, pid int) []netip.AddrPort {
	tb.Helper()
	own := sockets(tb, pid)
	var found []netip.AddrPort
	for _, table := range []struct{ name, state string }{{"tcp", "0A"}, {"tcp6", "0A"}, {"udp", "07"}, {"udp6", "07"}} {
		f, err := os.Open(fmt.Sprintf("/proc/%d/net/%s", pid, table.name))
		require.NoError(tb, err)
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			fields := strings.Fields(lines.Text())
			if len(fields) < 10 || fields[3] != table.state || !own[fields[9]] {
				continue
			}
			address, err := kernelAddress(fields[1])
			require.NoError(tb, err)
			found = append(found, address)
		}
		require.NoError(tb, f.Close())
	}
	return found
}

// sockets are the inodes of a process's sockets.
func sockets(tb testing.TB, pid int) map[string]bool {
	tb.Helper()
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	require.NoError(tb, err)
	own := map[string]bool{}
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil {
			continue // closed since
		}
		if inode, ok := strings.CutPrefix(target, "socket:["); ok {
			own[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return own
}

// kernelAddress reads an address of /proc/net: words of four bytes in the machine's order, and a port.
func kernelAddress(text string) (netip.AddrPort, error) {
	host, port, _ := strings.Cut(text, ":")
	b, err := hex.DecodeString(host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	for word := range slices.Chunk(b, 4) {
		slices.Reverse(word)
	}
	address, ok := netip.AddrFromSlice(b)
	if !ok {
		return netip.AddrPort{}, &net.AddrError{Err: "no address", Addr: text}
	}
	number, err := strconv.ParseUint(port, 16, 16)
	return netip.AddrPortFrom(address.Unmap(), uint16(number)), err
}
