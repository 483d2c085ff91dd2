package hostproc // import "github.com/otelcol-inference/otelcol-inference/internal/hostproc"

import (
	"bytes"
	"io/fs"
	"net/netip"
	"slices"
	"strconv"
)

// proxyName is the program by which Docker serves a port of a container at one of the host (docker-proxy.c of moby: -host-port,
// -container-ip, -container-port). There is none where its userland proxy is off.
const proxyName = "docker-proxy"

// Proxy is a port of the host behind which a container listens.
type Proxy struct {
	Port      int            // of the host
	Container netip.AddrPort // in the network of the container
}

// Proxies returns where Docker serves ports of containers, each once, though it listens for IPv4 and IPv6 apart.
func (t *Table) Proxies(r *Reader) (all []Proxy) {
	for pid, p := range t.processes {
		if p.Name != proxyName {
			continue
		}
		if proxy, ok := parseProxy(r.Command(pid)); ok && !slices.Contains(all, proxy) {
			all = append(all, proxy)
		}
	}
	return all
}

func parseProxy(arguments []string) (p Proxy, ok bool) {
	port := func(text string) int {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return 0
		}
		return int(n)
	}
	var address netip.Addr
	inside, tcp := 0, true
	for i := 0; i+1 < len(arguments); i++ {
		switch value := arguments[i+1]; arguments[i] {
		case "-proto":
			tcp = value == "tcp"
		case "-host-port":
			p.Port = port(value)
		case "-container-ip":
			address, _ = netip.ParseAddr(value)
		case "-container-port":
			inside = port(value)
		}
	}
	p.Container = netip.AddrPortFrom(address.Unmap(), uint16(inside))
	return p, tcp && p.Port > 0 && inside > 0 && address.IsValid()
}

// HasAddress reports whether an IPv4 address is one of the network namespace of a process (/proc/PID/net/fib_trie, which everybody may read).
func (r *Reader) HasAddress(pid int, address netip.Addr) bool {
	trie, err := r.readUpTo(strconv.Itoa(pid)+"/net/fib_trie", maxSocketBytes)
	if err != nil {
		return false
	}
	found := false
	for line := range bytes.Lines(trie) {
		line = bytes.TrimSpace(line)
		if leaf, ok := bytes.CutPrefix(line, []byte("|-- ")); ok {
			found = string(leaf) == address.String()
		} else if found && string(line) == "/32 host LOCAL" {
			return true
		}
	}
	return false
}

// Shares reports whether what listens at a port of this table is in the network namespace of a process, which a container has of its own. It
// is true where that cannot be read.
func (t *Table) Shares(r *Reader, pid, port int) bool {
	network := strconv.Itoa(pid) + "/net"
	if _, err := fs.Stat(r.proc, network+"/tcp"); err != nil {
		return true
	}
	own := r.sockets(network)
	return slices.ContainsFunc(t.sockets, func(s socket) bool { return int(s.at.Port()) == port && slices.Contains(own, s) })
}

// Processes returns the numbers of all processes, in order.
func (t *Table) Processes() []int {
	all := make([]int, 0, len(t.processes))
	for pid := range t.processes {
		all = append(all, pid)
	}
	slices.Sort(all)
	return all
}
