package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of times in /proc: USER_HZ is 100 on every architecture that Go runs on.
const clockTick = 10 * time.Millisecond

// usage is what a process has used.
type usage struct {
	cpu time.Duration // user and system
	rss int64         // bytes, resident now
	own int64         // of those, the ones that no file is behind: the rest is code, and comes and goes with the page cache
}

// usageOf reads /proc of a process.
func usageOf(pid int) (usage, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return usage{}, err
	}
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return usage{}, err
	}
	return parseUsage(string(stat), string(statm), int64(os.Getpagesize()))
}

// parseUsage reads fields 14 and 15 of stat and fields 2 and 3 of statm, see proc(5).
func parseUsage(stat, statm string, pageSize int64) (u usage, err error) {
	// The name of the program, in parentheses, may hold spaces.
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	pages := strings.Fields(statm)
	if len(fields) < 13 || len(pages) < 3 {
		return usage{}, fmt.Errorf("stat must have 15 fields and statm 3, got %q and %q", stat, statm)
	}
	for _, ticks := range fields[11:13] {
		n, err := strconv.ParseInt(ticks, 10, 64)
		if err != nil {
			return usage{}, err
		}
		u.cpu += time.Duration(n) * clockTick
	}
	resident, err := strconv.ParseInt(pages[1], 10, 64)
	if err != nil {
		return usage{}, err
	}
	shared, err := strconv.ParseInt(pages[2], 10, 64)
	u.rss, u.own = resident*pageSize, (resident-shared)*pageSize
	return u, err
}
