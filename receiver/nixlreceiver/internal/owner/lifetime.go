package owner // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/owner"

import (
	"bytes"
	"io"
	"io/fs"
	"strconv"
	"time"
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

// Began is when a process started, to a second; zero when that is not told.
func (f *Finder) Began(p Process) time.Time {
	const perSecond = 100 // USER_HZ, which the kernel has in all of /proc
	file, err := f.proc.Open("stat")
	if err != nil {
		return time.Time{}
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, maxFileBytes))
	if err != nil {
		return time.Time{}
	}
	for line := range bytes.Lines(raw) {
		if seconds, ok := bytes.CutPrefix(line, []byte("btime ")); ok {
			if boot, err := strconv.ParseInt(string(bytes.TrimSpace(seconds)), 10, 64); err == nil {
				return time.Unix(boot, 0).Add(time.Duration(p.Start) * (time.Second / perSecond))
			}
		}
	}
	return time.Time{}
}
