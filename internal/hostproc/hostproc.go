// Package hostproc says who a process is: its name, its parent, the container and pod that its cgroup names, and where it listens.
// Most of what it reads every user may read (stat, cgroup, cmdline, the tables of sockets), except that a /proc mounted with hidepid
// shows the reader's own processes only, and that a container sees the processes of its own PID namespace unless it shares the host's.
// Only who holds a socket of another user needs CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH.
package hostproc // import "github.com/otelcol-inference/otelcol-inference/internal/hostproc"

import (
	"bytes"
	"fmt"
	"io/fs"
	"strconv"
)

// maxFileBytes bounds what is read of one file of /proc; a cgroup file has a line for each hierarchy, at most a dozen.
const maxFileBytes = 64 << 10

// Reader reads a /proc.
type Reader struct{ proc fs.FS }

// New returns a reader of a /proc: os.DirFS("/proc"), or the host's where it is mounted.
func New(proc fs.FS) *Reader { return &Reader{proc} }

// Process is a process.
type Process struct {
	PID    int
	Parent int    // 0 when it has none in this namespace
	Name   string // as the kernel keeps it, at most 15 bytes
	Start  uint64 // clock ticks since boot; with PID it is unique
}

// Process reads who pid is. The error is fs.ErrNotExist when there is no such process.
func (r *Reader) Process(pid int) (Process, error) {
	stat, err := r.read(pid, "stat")
	if err != nil {
		return Process{}, err
	}
	p, err := parseStat(stat)
	if err != nil {
		return Process{}, fmt.Errorf("stat of process %d: %w", pid, err)
	}
	return p, nil
}

// Workload reads the container and the pod of pid from its cgroup; both are empty for a process outside containers.
func (r *Reader) Workload(pid int) (Workload, error) {
	cgroup, err := r.read(pid, "cgroup")
	if err != nil {
		return Workload{}, err
	}
	return parseCgroup(string(cgroup)), nil
}

func (r *Reader) read(pid int, name string) ([]byte, error) {
	return r.readUpTo(strconv.Itoa(pid)+"/"+name, maxFileBytes)
}

// parseStat reads fields 1, 2, 4 and 22 of proc_pid_stat(5). The name is in parentheses and may hold any byte, these included.
func parseStat(stat []byte) (Process, error) {
	from, to := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if from < 0 || to < from {
		return Process{}, fmt.Errorf("no name in parentheses (got %.40q)", stat)
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(stat[:from])))
	if err != nil {
		return Process{}, fmt.Errorf("pid must be a number (got %.40q)", stat[:from])
	}
	rest := bytes.Fields(stat[to+1:])
	const parent, start = 4 - 3, 22 - 3 // rest begins with field 3
	if len(rest) <= start {
		return Process{}, fmt.Errorf("must have 22 fields (got %d)", len(rest)+2)
	}
	p := Process{PID: pid, Name: string(stat[from+1 : to])}
	if p.Parent, err = strconv.Atoi(string(rest[parent])); err != nil {
		return Process{}, fmt.Errorf("parent must be a number (got %q)", rest[parent])
	}
	if p.Start, err = strconv.ParseUint(string(rest[start]), 10, 64); err != nil {
		return Process{}, fmt.Errorf("start time must be a number (got %q)", rest[start])
	}
	return p, nil
}
