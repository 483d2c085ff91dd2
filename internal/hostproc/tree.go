package hostproc // import "github.com/otelcol-inference/otelcol-inference/internal/hostproc"

import (
	"fmt"
	"io/fs"
	"strconv"
)

// maxProcesses bounds a snapshot of the process tree.
const maxProcesses = 1 << 17

// Tree is the processes of one moment. A process that ends while the tree is read may be missing.
type Tree struct {
	byPID    map[int]Process
	children map[int][]int
}

// Tree reads all processes.
func (r *Reader) Tree() (*Tree, error) {
	entries, err := fs.ReadDir(r.proc, ".")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	t := &Tree{byPID: make(map[int]Process), children: make(map[int][]int)}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || len(t.byPID) == maxProcesses {
			continue
		}
		p, err := r.Process(pid)
		if err != nil {
			continue // ended meanwhile, or hidden
		}
		t.byPID[pid] = p
		t.children[p.Parent] = append(t.children[p.Parent], pid)
	}
	return t, nil
}

// Process returns a process of the tree.
func (t *Tree) Process(pid int) (Process, bool) {
	p, ok := t.byPID[pid]
	return p, ok
}

// Descendants returns pid and everything that it started, parents before children; nothing when pid is not in the tree.
func (t *Tree) Descendants(pid int) []int {
	if _, ok := t.byPID[pid]; !ok {
		return nil
	}
	all, seen := []int{pid}, map[int]bool{pid: true}
	for i := 0; i < len(all); i++ {
		for _, child := range t.children[all[i]] {
			if !seen[child] { // a pid that was reused while the tree was read can make a ring
				seen[child] = true
				all = append(all, child)
			}
		}
	}
	return all
}
