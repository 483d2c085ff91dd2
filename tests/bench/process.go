package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// usage is what a process has used.
type usage struct {
	cpu time.Duration // user and system
	rss int64         // bytes, resident now
	own int64         // of those, the ones that no file is behind: the rest is code, and comes and goes with the page cache
}

// usageOf asks the kernel for a process: its clock of CPU time, which counts all its threads in nanoseconds where /proc has ticks of 10 ms,
// and /proc for memory.
func usageOf(pid int) (u usage, err error) {
	var now unix.Timespec
	if err := unix.ClockGettime(cpuClock(pid), &now); err != nil {
		return u, fmt.Errorf("CPU time of process %d: %w", pid, err)
	}
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return u, err
	}
	u, err = parseMemory(string(statm), int64(os.Getpagesize()))
	u.cpu = time.Duration(now.Nano())
	return u, err
}

// cpuClock is the clock of a process' CPU time as clock_getcpuclockid(3) makes it: the complement of the id, and the kind of clock (2,
// scheduled time of all threads) in the lowest three bits.
func cpuClock(pid int) int32 { return int32(^pid)<<3 | 2 }

// parseMemory reads fields 2 and 3 of statm, see proc(5).
func parseMemory(statm string, pageSize int64) (u usage, err error) {
	pages := strings.Fields(statm)
	if len(pages) < 3 {
		return usage{}, fmt.Errorf("statm must have 3 fields, got %q", statm)
	}
	resident, err := strconv.ParseInt(pages[1], 10, 64)
	if err != nil {
		return usage{}, err
	}
	shared, err := strconv.ParseInt(pages[2], 10, 64)
	u.rss, u.own = resident*pageSize, (resident-shared)*pageSize
	return u, err
}
