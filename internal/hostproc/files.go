package hostproc // import "github.com/otelcol-inference/otelcol-inference/internal/hostproc"

import (
	"errors"
	"io"
	"io/fs"
	"strconv"
	"strings"
)

// Bounds of what is read of one process.
const (
	maxCommandBytes = 1 << 20
	maxFiles        = 1 << 16
)

// Command returns the arguments of a process, nil when they cannot be read. A process that overwrites them with a title has one.
func (r *Reader) Command(pid int) []string {
	raw, err := r.readUpTo(strconv.Itoa(pid)+"/cmdline", maxCommandBytes)
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimRight(string(raw), "\x00"), "\x00")
}

// OpenFile says whether a process has an open file whose name is wanted, and whether its files can be seen at all: to list those of other
// users needs CAP_DAC_READ_SEARCH, which root has, and to read what they are CAP_SYS_PTRACE, which root in a container has not.
func (r *Reader) OpenFile(pid int, wanted func(name string) bool) (found, seen bool) {
	dir := strconv.Itoa(pid) + "/fd"
	entries, ok := r.files(dir)
	if !ok {
		return false, false
	}
	for _, e := range entries {
		name, err := fs.ReadLink(r.proc, dir+"/"+e.Name())
		if errors.Is(err, fs.ErrPermission) {
			return false, false
		}
		if err == nil && wanted(name) {
			return true, true
		}
	}
	return false, true
}

// files lists a directory of open files, at most maxFiles of them.
func (r *Reader) files(dir string) (entries []fs.DirEntry, ok bool) {
	d, err := r.proc.Open(dir)
	if err != nil {
		return nil, false
	}
	defer d.Close()
	list, ok := d.(fs.ReadDirFile)
	if !ok {
		return nil, false
	}
	entries, err = list.ReadDir(maxFiles)
	if err != nil && len(entries) == 0 && !errors.Is(err, io.EOF) {
		return nil, false
	}
	return entries, true
}

// readUpTo reads at most limit bytes of a file of /proc.
func (r *Reader) readUpTo(name string, limit int64) ([]byte, error) {
	f, err := r.proc.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}
