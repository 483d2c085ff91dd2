// Command guard holds what the hot loops cost against a baseline: allocations and instructions, which are the same on a busy machine,
// where time is not. It prints a table in Markdown and exits with 1 where a loop costs more than the tolerance allows.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

func main() {
	root := flag.String("root", "..", "the repository")
	file := flag.String("baseline", "guard/baseline.json", "what the loops cost when they were last looked at")
	jobs := flag.Int("jobs", runtime.NumCPU(), "programs at a time")
	update := flag.Bool("update", false, "write the baseline instead")
	flag.Parse()
	met, err := run(*root, *file, *jobs, *update)
	if err != nil {
		fmt.Fprintln(os.Stderr, "guard:", err)
		os.Exit(2)
	}
	if !met {
		os.Exit(1)
	}
}

func run(root, file string, jobs int, update bool) (met bool, err error) {
	base, err := readBaseline(file)
	if err != nil {
		return false, err
	}
	known := base.of(platform())
	if known == nil && !update {
		return false, fmt.Errorf("%s has no baseline of %s: -update writes one, after a look at the costs", file, platform())
	}
	count, err := chooseCounter(known, update)
	if err != nil {
		return false, err
	}
	dir, err := os.MkdirTemp("", "guard")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	all := loops()
	if root, err = filepath.Abs(root); err != nil {
		return false, err
	}
	if err := build(root, dir, all); err != nil {
		return false, err
	}
	costs, err := measureAll(root, dir, all, jobs, count)
	if err != nil {
		return false, err
	}
	if update {
		return true, base.write(file, platform(), count.name, all, costs)
	}
	return compare(os.Stdout, base.Tolerance, count.name, all, known, costs), nil
}

// platform is what the compiler's output depends on: the release of Go, without its patch level, and the architecture.
func platform() string {
	version := runtime.Version()
	if first := strings.IndexByte(version, '.'); first >= 0 {
		if second := strings.IndexByte(version[first+1:], '.'); second >= 0 {
			version = version[:first+1+second]
		}
	}
	return version + "/" + runtime.GOARCH
}

// chooseCounter takes perf where it can count and the baseline has its counts, else valgrind. Without either only allocations are
// looked at, which is not enough in CI.
func chooseCounter(known map[string]cost, update bool) (counter, error) {
	var found []string
	for _, c := range counters() {
		if !c.works() {
			continue
		}
		found = append(found, c.name)
		if update {
			return c, nil
		}
		for _, k := range known {
			if k.Instructions[c.name] > 0 {
				return c, nil
			}
		}
	}
	if os.Getenv("CI") != "" {
		return counter{}, fmt.Errorf("instructions must be counted, by perf or valgrind (works here: %q)", found)
	}
	fmt.Fprintln(os.Stderr, "guard: neither perf nor valgrind counts instructions here, so that only allocations are looked at")
	return counter{}, nil
}
