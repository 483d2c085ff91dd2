package hostproc // import "github.com/otelcol-inference/otelcol-inference/internal/hostproc"

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strconv"
)

// maxSocketBytes bounds what is read of one table of sockets. The kernel lists those that listen first.
const maxSocketBytes = 4 << 20

// socket is a TCP socket that listens.
type socket struct {
	inode string
	at    netip.AddrPort
}

// Listens says whether a process holds a TCP socket that listens at a port of its network namespace.
func (r *Reader) Listens(pid, port int) bool {
	for _, s := range r.sockets(strconv.Itoa(pid) + "/net") {
		if int(s.at.Port()) != port {
			continue
		}
		if found, _ := r.OpenFile(pid, func(name string) bool { return name == s.file() }); found {
			return true
		}
	}
	return false
}

// file is the name of the socket among the open files of a process.
func (s socket) file() string { return "socket:[" + s.inode + "]" }

// sockets reads the sockets that listen from the tables of a network namespace.
func (r *Reader) sockets(dir string) (all []socket) {
	for _, table := range []string{"/tcp", "/tcp6"} {
		raw, err := r.readUpTo(dir+table, maxSocketBytes)
		if err != nil {
			continue
		}
		for line := range bytes.Lines(raw) {
			if s, ok := parseSocket(line); ok {
				all = append(all, s)
			}
		}
	}
	return all
}

// parseSocket reads a line of /proc/net/tcp or tcp6 (proc_net_tcp(5)), if it is of a socket in state LISTEN.
func parseSocket(line []byte) (s socket, ok bool) {
	const local, state, node, listen = 1, 3, 9, "0A"
	fields := bytes.Fields(line)
	if len(fields) <= node || string(fields[state]) != listen {
		return socket{}, false
	}
	address, port, ok := bytes.Cut(fields[local], []byte(":"))
	if !ok {
		return socket{}, false
	}
	p, err := strconv.ParseUint(string(port), 16, 16)
	if err != nil {
		return socket{}, false
	}
	a, ok := parseAddress(string(address))
	if !ok {
		return socket{}, false
	}
	return socket{string(fields[node]), netip.AddrPortFrom(a, uint16(p))}, true
}

// parseAddress reads an address in hexadecimal words of 32 bits, each in the order of the machine.
func parseAddress(text string) (netip.Addr, bool) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw)%4 != 0 {
		return netip.Addr{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		binary.BigEndian.PutUint32(raw[i:], binary.NativeEndian.Uint32(raw[i:]))
	}
	a, ok := netip.AddrFromSlice(raw)
	return a.Unmap(), ok
}
