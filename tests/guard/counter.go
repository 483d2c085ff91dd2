package main

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// counter counts the instructions of a program in user space.
type counter struct {
	name    string
	command []string // that the program's is put behind
	count   *regexp.Regexp
}

// counters are those that there are, the best first. perf asks the processor, which many virtual machines do not let it.
func counters() []counter {
	return []counter{
		{"perf", []string{"perf", "stat", "-x,", "-e", "instructions:u", "--"}, regexp.MustCompile(`(?m)^(\d+),[^,]*,instructions:u`)},
		{"valgrind", []string{"valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"},
			regexp.MustCompile(`(?m)^==\d+== I +refs: +([\d,]+)`)},
	}
}

// works reports whether the counter can count here.
func (c counter) works() bool {
	out, err := exec.Command(c.command[0], append(c.command[1:len(c.command):len(c.command)], "true")...).CombinedOutput()
	if err != nil {
		return false
	}
	n, err := c.read(string(out))
	return err == nil && n > 0
}

// read finds the count in what was said.
func (c counter) read(out string) (float64, error) {
	found := c.count.FindAllStringSubmatch(out, -1)
	if len(found) != 1 {
		return 0, fmt.Errorf("%s must say one count (got %d)", c.name, len(found))
	}
	return strconv.ParseFloat(strings.ReplaceAll(found[0][1], ",", ""), 64)
}
