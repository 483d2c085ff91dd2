// Package owner finds the processes behind files of NIXL telemetry. An agent closes its file after mapping it, so that it is found in
// /proc/<pid>/maps and not among open files.
package owner // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/owner"

import (
	"errors"
	"io/fs"
	"os"
	"strconv"

	"github.com/otelcol-inference/otelcol-inference/internal/hostproc"
	"github.com/otelcol-inference/otelcol-inference/internal/nixl"
)

// Process is the process of an agent. What the privileges do not suffice for stays zero.
type Process struct {
	hostproc.Process
	hostproc.Workload
	Engine      string            // vllm, sglang, tensorrt_llm or dynamo, by the command line; else ""
	LocalRank   string            // number of the process on its host, by its title or its environment; else ""
	ServingPort int               // of the engine's API server, where its metrics are; 0 when it is not seen
	Environment map[string]string // the allowed variables; nil when it cannot be read
	Verbs       Verbs
}

// Verbs says whether a process has opened an RDMA device.
type Verbs int

// Values of Verbs.
const (
	VerbsUnknown Verbs = iota // the open files cannot be read
	VerbsClosed
	VerbsOpen
)

// File is a file of telemetry.
type File struct {
	ID   nixl.FileID
	Base string // last part of its name
}

// Found is what a look through all processes has found.
type Found struct {
	Owners map[nixl.FileID]Process
	// Readers says of files that a process maps them to write that is neither the owner nor forked from it.
	Readers map[nixl.FileID]bool
	// Silent processes have loaded NIXL and map none of the files.
	Silent []Process
	// Complete says that every process of the host was seen, so that a file without an owner has none.
	Complete bool
}

// Finder looks through a /proc.
type Finder struct {
	proc fs.FS
	host *hostproc.Reader
}

// New returns a finder in a /proc: os.DirFS("/proc"), or the host's where it is mounted.
func New(proc fs.FS) *Finder { return &Finder{proc: proc, host: hostproc.New(proc)} }

// Find looks for the owners of files.
func (f *Finder) Find(files []File) (Found, error) {
	entries, err := fs.ReadDir(f.proc, ".")
	if err != nil {
		return Found{}, err
	}
	found := Found{Owners: make(map[nixl.FileID]Process), Readers: make(map[nixl.FileID]bool), Complete: f.isHost()}
	wanted := make(map[uint64][]File, len(files))
	for _, file := range files {
		wanted[file.ID.Inode] = append(wanted[file.ID.Inode], file)
	}
	self, _ := fs.ReadLink(f.proc, "self")
	mappers := make(map[nixl.FileID][]Process)
	loaded := make(map[nixl.FileID]bool) // the owner has loaded NIXL
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || e.Name() == self {
			continue
		}
		m, err := f.maps(pid, wanted)
		if errors.Is(err, os.ErrPermission) && pid != initPID {
			found.Complete = false
		}
		if err != nil || !m.library && len(m.files) == 0 {
			continue
		}
		p, err := f.describe(pid)
		if err != nil {
			continue // it ended meanwhile
		}
		if len(m.files) == 0 {
			found.Silent = append(found.Silent, p)
		}
		for id := range m.files {
			mappers[id] = append(mappers[id], p)
			old, taken := found.Owners[id]
			// Other readers map a file as well, but load no NIXL; a forked child maps what its parent does, but is younger.
			if !taken || m.library && !loaded[id] || m.library == loaded[id] && p.Start < old.Start {
				found.Owners[id], loaded[id] = p, m.library
			}
		}
	}
	for id, all := range mappers {
		for _, p := range all {
			found.Readers[id] = found.Readers[id] || !f.descends(p, found.Owners[id].PID)
		}
	}
	return found, nil
}

// maxForks bounds the way from a process to its ancestor.
const maxForks = 64

// descends says whether a process is another, or was forked by it: a child keeps the mappings of its parent.
func (f *Finder) descends(p Process, ancestor int) bool {
	who := p.Process
	for range maxForks {
		if who.PID == ancestor {
			return true
		}
		if who.Parent <= initPID {
			return false
		}
		var err error
		if who, err = f.host.Process(who.Parent); err != nil {
			return false
		}
	}
	return false
}

// initPID is the host's first process, which may guard itself even from root, and is no agent.
const initPID = 1

// isHost says whether this /proc has the processes of the whole host: only that one has kernel threads.
func (f *Finder) isHost() bool {
	const kthreadd = 2
	p, err := f.host.Process(kthreadd)
	return err == nil && p.Name == "kthreadd"
}

// Alive says whether a process still runs.
func (f *Finder) Alive(p Process) bool {
	now, err := f.host.Process(p.PID)
	return err == nil && now.Start == p.Start
}

// describe reads who a process is. Only its end is an error.
func (f *Finder) describe(pid int) (Process, error) {
	who, err := f.host.Process(pid)
	if err != nil {
		return Process{}, err
	}
	command := f.host.Command(pid)
	p := Process{Process: who, Verbs: f.Verbs(pid), Engine: engineOf(command)}
	p.Environment = f.environment(who, p.Engine)
	p.LocalRank = rankOf(command, p.Environment)
	p.ServingPort = f.servingPort(who)
	if w, err := f.host.Workload(pid); err == nil {
		p.Workload = w
	}
	return p, nil
}
