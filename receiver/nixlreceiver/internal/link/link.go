// Package link reads what the network links of a host carry, from sysfs: RDMA ports (InfiniBand, RoCE, EFA) and network interfaces.
// RDMA bytes do not show in the counters of a network interface.
package link // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/link"

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// Kind is what a link is.
type Kind string

// Kinds of links.
const (
	InfiniBand Kind = "infiniband"
	RoCE       Kind = "roce"
	EFA        Kind = "efa"
	Ethernet   Kind = "ethernet" // a network interface with a device behind it, or any where none has one
	Loopback   Kind = "loopback"
)

// RDMA says whether the kind moves memory past the kernel.
func (k Kind) RDMA() bool { return k == InfiniBand || k == RoCE || k == EFA }

// Link is a port of an RDMA device or a network interface. Counters are those of the kernel; they begin anew with the driver.
type Link struct {
	Name              string // mlx5_0:1, as UCX calls a port; eth0
	Kind              Kind
	Up                bool
	Rate              float64 // bytes per second and direction; 0 when not known
	Transmit, Receive uint64  // bytes
	// Served are remote reads and writes that this port answered: proof of RDMA on a host whose agents tell of no transfer.
	Served uint64
	Errors []Counter
}

// Counter is a counter of faults or of congestion, as the driver calls it.
type Counter struct {
	Name  string
	Value uint64
}

// Bounds of what is read.
const (
	maxLinks     = 256
	maxFileBytes = 4096
)

// Read returns the links in a /sys: os.DirFS("/sys"). A link that cannot be read is left out. A host without RDMA has none of these.
func Read(sys fs.FS) []Link {
	links := readPorts(sys)
	return append(links, readInterfaces(sys)...)
}

func readInterfaces(sys fs.FS) (links []Link) {
	const class = "class/net"
	var virtual []Link
	physical := 0
	for _, name := range names(sys, class) {
		dir := path.Join(class, name)
		transmit, err := number(sys, path.Join(dir, "statistics/tx_bytes"))
		if err != nil {
			continue
		}
		receive, err := number(sys, path.Join(dir, "statistics/rx_bytes"))
		if err != nil {
			continue
		}
		l := Link{Name: name, Kind: Ethernet, Transmit: transmit, Receive: receive, Up: text(sys, path.Join(dir, "operstate")) != "down"}
		// In Mb/s; -1 or an error where there is no such thing.
		if speed, err := strconv.ParseInt(text(sys, path.Join(dir, "speed")), 10, 64); err == nil && speed > 0 {
			l.Rate = float64(speed) * 1e6 / 8
		}
		if _, err := fs.Stat(sys, path.Join(dir, "device")); err == nil {
			links = append(links, l)
			physical++
		} else if name == "lo" {
			l.Kind = Loopback
			links = append(links, l)
		} else {
			virtual = append(virtual, l)
		}
	}
	// Bonds, bridges and tunnels carry the bytes of the interfaces below once more. In a container there is nothing else.
	if physical == 0 {
		links = append(links, virtual...)
	}
	return links
}

// names lists a directory, in order.
func names(sys fs.FS, dir string) (all []string) {
	entries, err := fs.ReadDir(sys, dir)
	if err != nil {
		return nil
	}
	for _, e := range entries[:min(len(entries), maxLinks)] {
		all = append(all, e.Name())
	}
	return all
}

// text is the content of a file without the end of its line; "" when it cannot be read.
func text(sys fs.FS, name string) string {
	s, err := read(sys, name)
	if err != nil {
		return ""
	}
	return s
}

func number(sys fs.FS, name string) (uint64, error) {
	s, err := read(sys, name)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s must be a number (got %.40q)", name, s)
	}
	return n, nil
}

func read(sys fs.FS, name string) (string, error) {
	f, err := sys.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxFileBytes))
	return strings.TrimSpace(string(raw)), err
}
