package link // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/link"

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
)

// maxDevBytes bounds what is read of one net/dev; a line has about 130 bytes, and a large node some hundred interfaces.
const maxDevBytes = 1 << 20

// Namespace returns the network namespace of a process, such as "net:[4026531840]". It takes the rights of a debugger.
func Namespace(proc fs.FS, pid int) (string, error) {
	return fs.ReadLink(proc, strconv.Itoa(pid)+"/ns/net")
}

// Own returns the network namespace of this process, if it is in that /proc.
func Own(proc fs.FS) (string, error) { return fs.ReadLink(proc, "self/ns/net") }

// ReadNamespace returns the interfaces that a process sees, virtual ones as well: os.DirFS("/proc"). /sys has those of one namespace
// only. An error means that some may be missing.
func ReadNamespace(proc fs.FS, pid int) (links []Link, err error) {
	name := strconv.Itoa(pid) + "/net/dev"
	f, err := proc.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rest := &io.LimitedReader{R: f, N: maxDevBytes}
	lines := bufio.NewScanner(rest)
	for n := 0; lines.Scan(); n++ {
		if n < 2 {
			continue // the head
		}
		l, err := device(lines.Text())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		links = append(links, l)
	}
	if rest.N == 0 {
		return nil, fmt.Errorf("%s must have less than %d bytes", name, maxDevBytes)
	}
	return links, lines.Err()
}

// device reads a line of proc_pid_net(5): the name, eight numbers of what was received, eight of what was sent, bytes first.
func device(line string) (Link, error) {
	const numbers, sent = 16, 8
	name, rest, ok := strings.Cut(line, ":")
	fields := strings.Fields(rest)
	if !ok || len(fields) < numbers {
		return Link{}, fmt.Errorf("a line must have %d numbers (got %d in %.40q)", numbers, len(fields), line)
	}
	l := Link{Name: strings.TrimSpace(name), Kind: Ethernet}
	if l.Name == "lo" {
		l.Kind = Loopback
	}
	var err error
	if l.Receive, err = strconv.ParseUint(fields[0], 10, 64); err != nil {
		return Link{}, err
	}
	l.Transmit, err = strconv.ParseUint(fields[sent], 10, 64)
	return l, err
}
