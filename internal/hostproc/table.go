package hostproc // import "github.com/otelcol-inference/otelcol-inference/internal/hostproc"

import (
	"io/fs"
	"net/netip"
	"slices"
	"strconv"
)

// Table is the processes of a host at one moment, and which of them listen where. It is not changed after it was made.
type Table struct {
	processes map[int]Process
	children  map[int][]int // in the order of their numbers
	sockets   []socket
	holders   map[string][]int // by socket.file
	hidden    []int            // processes whose open files cannot be seen
}

// Table looks through all processes. Those that end meanwhile are left out, and those whose open files cannot be seen hold nothing.
func (r *Reader) Table() (*Table, error) {
	entries, err := fs.ReadDir(r.proc, ".")
	if err != nil {
		return nil, err
	}
	t := &Table{processes: make(map[int]Process), children: make(map[int][]int), holders: make(map[string][]int), sockets: r.hostSockets()}
	for _, s := range t.sockets {
		t.holders[s.file()] = nil
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		p, err := r.Process(pid)
		if err != nil {
			continue
		}
		t.processes[pid] = p
		t.children[p.Parent] = append(t.children[p.Parent], pid)
		_, seen := r.OpenFile(pid, func(name string) bool {
			if all, listens := t.holders[name]; listens && !slices.Contains(all, pid) {
				t.holders[name] = append(all, pid)
			}
			return false
		})
		if !seen {
			t.hidden = append(t.hidden, pid)
		}
	}
	for _, list := range t.children {
		slices.Sort(list)
	}
	return t, nil
}

// hostSockets are the sockets of the reader's own network namespace, or of init's where the reader is not in this /proc.
func (r *Reader) hostSockets() []socket {
	if all := r.sockets("self/net"); len(all) > 0 {
		return all
	}
	return r.sockets("1/net")
}

// Listening returns the processes that hold a socket that listens at a port of an address, or of every address. An address that is
// not valid is any. listens says that there is such a socket, be its holder in sight or not.
func (t *Table) Listening(address netip.Addr, port int) (pids []int, listens bool) {
	for _, s := range t.sockets {
		if int(s.at.Port()) != port || address.IsValid() && s.at.Addr() != address.Unmap() && !s.at.Addr().IsUnspecified() {
			continue
		}
		listens = true
		for _, pid := range t.holders[s.file()] {
			if !slices.Contains(pids, pid) {
				pids = append(pids, pid)
			}
		}
	}
	return pids, listens
}

// Hidden returns the processes whose open files cannot be seen, so that nobody knows whether they listen: those of other users, without
// privileges.
func (t *Table) Hidden() []int { return t.hidden }

// Orphaned reports whether there is a socket that listens at a wanted port and whose holder is not in sight.
func (t *Table) Orphaned(wanted func(port int) bool) bool {
	return slices.ContainsFunc(t.sockets, func(s socket) bool { return len(t.holders[s.file()]) == 0 && wanted(int(s.at.Port())) })
}

// Process returns a process of the table.
func (t *Table) Process(pid int) (p Process, ok bool) {
	p, ok = t.processes[pid]
	return p, ok
}

// Descendants returns a process and all that descend from it, parents first.
func (t *Table) Descendants(pid int) (all []Process) {
	p, ok := t.processes[pid]
	if !ok {
		return nil
	}
	all = append(all, p)
	seen := map[int]bool{pid: true}
	for i := 0; i < len(all); i++ {
		for _, child := range t.children[all[i].PID] {
			if !seen[child] { // a number that was given twice while the table was made
				seen[child] = true
				all = append(all, t.processes[child])
			}
		}
	}
	return all
}
