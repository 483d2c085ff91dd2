package owner // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/owner"

import (
	"bytes"
	"io/fs"
	"strconv"
)

// Proc is the /proc that is looked through.
func (f *Finder) Proc() fs.FS { return f.proc }

// InnerPID is the number that a process has for itself, in the innermost of its PID namespaces; pid where that is not told.
func (f *Finder) InnerPID(pid int) int {
	raw, err := f.read(pid, "status")
	if err != nil {
		return pid
	}
	for line := range bytes.Lines(raw) {
		numbers, ok := bytes.CutPrefix(line, []byte("NSpid:"))
		if !ok {
			continue
		}
		all := bytes.Fields(numbers)
		if len(all) == 0 {
			return pid
		}
		if inner, err := strconv.Atoi(string(all[len(all)-1])); err == nil {
			return inner
		}
	}
	return pid
}
