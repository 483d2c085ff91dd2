package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// patience bounds each program that is run.
const patience = 10 * time.Minute

// cost is what one iteration costs.
type cost struct {
	Allocations  float64            `json:"allocations"`
	Instructions map[string]float64 `json:"instructions,omitempty"` // in user space, by what counted them
}

// build compiles the test binaries into dir. The paths are trimmed as the distribution's are, so that its packages serve both.
func build(root, dir string, all []loop) error {
	packages := make(map[string][]string)
	for _, l := range all {
		packages[l.module] = append(packages[l.module], "./"+l.pkg)
	}
	for module, of := range packages {
		args := append([]string{"test", "-c", "-trimpath", "-o", dir + string(filepath.Separator)}, of...)
		if _, err := output(filepath.Join(root, module), nil, "go", args...); err != nil {
			return err
		}
	}
	return nil
}

// measureAll measures the loops, some at a time: what is looked at does not depend on what else runs.
func measureAll(root, dir string, all []loop, jobs int, count counter) ([]cost, error) {
	costs, errs := make([]cost, len(all)), make([]error, len(all))
	var wait sync.WaitGroup
	free := make(chan struct{}, jobs)
	for i, l := range all {
		wait.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			p := program{filepath.Join(dir, l.binary()), filepath.Join(root, l.module, l.pkg), nil}
			costs[i], errs[i] = measure(l, p, count)
		})
	}
	wait.Wait()
	return costs, errors.Join(errs...)
}

// program is a test binary.
type program struct {
	path string
	dir  string   // of its package
	env  []string // beside the usual
}

func measure(l loop, p program, count counter) (c cost, err error) {
	out, err := p.run(l, allocationRuns, nil)
	if err != nil {
		return c, err
	}
	if c.Allocations, err = allocationsOf(out); err != nil {
		return c, fmt.Errorf("%s: %w\n%s", l.name(), err, out)
	}
	if l.alone || count.name == "" {
		return c, nil
	}
	var counts [2]float64
	for i, n := range []int{l.few, l.many} {
		out, err := p.run(l, n, count.command)
		if err != nil {
			return c, err
		}
		if counts[i], err = count.read(out); err != nil {
			return c, fmt.Errorf("%s: %w\n%s", l.name(), err, out)
		}
	}
	c.Instructions = map[string]float64{count.name: (counts[1] - counts[0]) / float64(l.many-l.few)}
	return c, nil
}

// run runs n iterations, under another command where there is one. Nothing is collected or preempted, so that two runs do the same.
func (p program) run(l loop, n int, under []string) (string, error) {
	parts := strings.Split("Benchmark"+l.benchmark, "/")
	for i, part := range parts {
		parts[i] = "^" + regexp.QuoteMeta(part) + "$"
	}
	args := append(under, p.path, "-test.run=^$", "-test.bench="+strings.Join(parts, "/"), fmt.Sprintf("-test.benchtime=%dx", n), "-test.benchmem")
	env := append([]string{"GOMAXPROCS=1", "GOGC=off", "GOMEMLIMIT=off", "GODEBUG=asyncpreemptoff=1"}, p.env...)
	return output(p.dir, env, args[0], args[1:]...)
}

// output runs a program and returns what it says. What it says is in the error, too.
func output(dir string, env []string, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// allocationsOf reads what a benchmark says. Exactly one must have run.
func allocationsOf(out string) (float64, error) {
	found := regexp.MustCompile(`(?m)^Benchmark.*\s(\d+) allocs/op`).FindAllStringSubmatch(out, -1)
	if len(found) != 1 {
		return 0, fmt.Errorf("one benchmark must say its allocations (got %d)", len(found))
	}
	return strconv.ParseFloat(found[0][1], 64)
}
