package processmemoryextension // import "github.com/otelcol-inference/otelcol-inference/extension/processmemoryextension"

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// mapping is a part of the program's file in memory, as /proc/PID/smaps tells of it, see proc_pid_smaps(5).
type mapping struct {
	start, end uintptr
	resident   int64 // bytes
}

// self is the program's file.
const self = "/proc/self/exe"

// giveBack gives back the pages of the program's own file: code, constants, tables of functions. Those that are needed are read again when
// they are next touched.
//
// They are unmapped first and then dropped from the page cache, as MADV_PAGEOUT would do by itself: for pages of a file the kernel obeys
// that only from the file's owner or somebody who may write it, which a service is not of its program. Unmapped alone they come back in
// whole folios, since Linux 6.18 all of one that is touched: up to 2 MiB of a file that was just installed. What another process has mapped
// stays in the cache.
func giveBack() (g given, err error) {
	before, err := program()
	if err != nil {
		return g, err
	}
	var errs []error
	for _, m := range before {
		g.before += m.resident
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, m.start, m.end-m.start, unix.MADV_DONTNEED); errno != 0 {
			errs = append(errs, fmt.Errorf("madvise of %x-%x: %w", m.start, m.end, errno))
		}
	}
	errs = append(errs, uncache(self))
	after, err := program()
	for _, m := range after {
		g.after += m.resident
	}
	return g, errors.Join(append(errs, err)...)
}

// uncache has the kernel drop those pages of a file from its cache that nobody has mapped.
func uncache(file string) (err error) {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		return fmt.Errorf("fadvise of %s: %w", file, err)
	}
	return nil
}

// program are the mappings of this program's file that can be dropped.
func program() (all []mapping, err error) {
	file, err := os.Readlink(self)
	if err != nil {
		return nil, err
	}
	smaps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, smaps.Close()) }()
	return droppable(smaps, file)
}

// droppable are the mappings of a file that are private, not writable, in memory, and have no page of their own: one that was written once,
// such as what the dynamic linker has filled in, or a breakpoint, would be read from the file again, without what was written. Such a page
// may be swapped out, where it does not count as anonymous. An emulator of another processor (newer QEMU) tells of zeros
// only: what is not said to be in memory stays as it is.
func droppable(smaps io.Reader, file string) (all []mapping, err error) {
	var m mapping
	candidate, own := false, map[string]int64{}
	end := func() {
		anonymous, told := own["Anonymous"]
		swapped, both := own["Swap"]
		if candidate && told && both && anonymous == 0 && swapped == 0 && m.resident > 0 {
			all = append(all, m)
		}
	}
	lines := bufio.NewScanner(smaps)
	for lines.Scan() {
		line := lines.Text()
		key, value, isField := strings.Cut(line, ": ")
		if !isField || strings.ContainsRune(key, ' ') {
			end()
			if m, candidate, err = parseMapping(line, file); err != nil {
				return nil, err
			}
			clear(own)
			continue
		}
		if !candidate || key != "Rss" && key != "Anonymous" && key != "Swap" {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("smaps: %s: %w", key, err)
		}
		if key == "Rss" {
			m.resident = kib << 10
		} else {
			own[key] = kib
		}
	}
	end()
	return all, lines.Err()
}

// parseMapping reads the first line of a mapping: its range, rights, offset, device, inode and file.
func parseMapping(line, file string) (m mapping, candidate bool, err error) {
	fields := strings.Fields(line)
	if len(fields) < 5 {
		return m, false, fmt.Errorf("smaps: a mapping must have at least 5 fields, got %q", line)
	}
	if rights := fields[1]; rights != "r--p" && rights != "r-xp" || !strings.HasSuffix(line, " "+file) {
		return m, false, nil
	}
	from, to, _ := strings.Cut(fields[0], "-")
	start, err := strconv.ParseUint(from, 16, strconv.IntSize)
	if err != nil {
		return m, false, fmt.Errorf("smaps: %w", err)
	}
	end, err := strconv.ParseUint(to, 16, strconv.IntSize)
	if err != nil {
		return m, false, fmt.Errorf("smaps: %w", err)
	}
	return mapping{start: uintptr(start), end: uintptr(end)}, true, nil
}
