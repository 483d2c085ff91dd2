package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func someLoop() loop { return loop{pkg: "guard/testdata/loop", benchmark: "Loop", few: 10, many: 110} }

// TestARegressionIsCaught measures a loop, makes it cost more in one way and then in another, and asks the guard.
func TestARegressionIsCaught(t *testing.T) {
	tests, err := filepath.Abs("..")
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, build(tests, dir, []loop{someLoop()}))
	known := map[string]cost{someLoop().name(): {Instructions: map[string]float64{"perf": 1, "valgrind": 1}}}
	count, err := chooseCounter(known, false)
	require.NoError(t, err, "in CI one is needed")
	costing := func(work, allocations string) []cost {
		p := program{filepath.Join(dir, someLoop().binary()), filepath.Join(tests, someLoop().pkg),
			[]string{"LOOP_WORK=" + work, "LOOP_ALLOCATIONS=" + allocations}}
		c, err := measure(someLoop(), p, count)
		require.NoError(t, err)
		return []cost{c}
	}
	allowed := tolerance{Allocations: 0.02, Instructions: 0.05}
	was := costing("10000", "3")
	assert.Equal(t, 3.0, was[0].Allocations)
	known[someLoop().name()] = was[0]
	held := func(costs []cost) (bool, string) {
		var out strings.Builder
		met := compare(&out, allowed, count.name, []loop{someLoop()}, known, costs)
		return met, out.String()
	}
	met, table := held(costing("10000", "3"))
	assert.True(t, met, "the same again: %s", table)
	met, table = held(costing("10000", "4"))
	assert.False(t, met, "one allocation more: %s", table)
	assert.Contains(t, table, "**allocations**")
	if count.name == "" {
		t.Log("nothing counts instructions here")
		return
	}
	met, table = held(costing("11000", "3"))
	assert.False(t, met, "a tenth more work: %s", table)
	assert.Contains(t, table, "**instructions**")
	met, table = held(costing("9000", "0"))
	assert.True(t, met, "less is no failure: %s", table)
}

func TestCompare(t *testing.T) {
	all := []loop{{pkg: "a", benchmark: "A"}, {pkg: "b", benchmark: "B", alone: true}}
	known := map[string]cost{"a A": {Allocations: 100, Instructions: map[string]float64{"perf": 1000, "valgrind": 1100}}, "b B": {}}
	of := func(allocations, instructions float64) []cost {
		return []cost{{allocations, map[string]float64{"valgrind": instructions}}, {}}
	}
	for name, c := range map[string]struct {
		known map[string]cost
		costs []cost
		met   bool
	}{
		"at the tolerance":          {known, of(102, 1150), true},
		"too many allocations":      {known, of(103, 1150), false},
		"too many instructions":     {known, of(100, 1160), false},
		"one where there was none":  {known, []cost{of(100, 1100)[0], {Allocations: 1}}, false},
		"nobody has looked at it":   {map[string]cost{"b B": {}}, of(0, 0), false},
		"not with this counter yet": {map[string]cost{"a A": {Allocations: 100}, "b B": {}}, of(100, 1100), false},
		"nothing counts":            {known, []cost{{Allocations: 100}, {}}, true},
	} {
		var out strings.Builder
		assert.Equal(t, c.met, compare(&out, tolerance{0.02, 0.05}, "valgrind", all, c.known, c.costs), "%s\n%s", name, out.String())
	}
}

func TestCountersAreRead(t *testing.T) {
	for name, out := range map[string]string{
		"perf":     "PASS\n34529746,,instructions:u,56789,100.00,,\n",
		"valgrind": "==7== Cachegrind\nBenchmarkA 20\n==7== \n==7== I   refs:      34,529,746\n",
	} {
		for _, c := range counters() {
			n, err := c.read(out)
			if c.name != name {
				assert.Error(t, err)
				continue
			}
			require.NoError(t, err)
			assert.Equal(t, 34_529_746.0, n)
		}
	}
	for _, c := range counters() {
		_, err := c.read("<not supported>,,instructions:u,0,100.00,,")
		assert.Error(t, err)
	}
}

func TestAllocationsOf(t *testing.T) {
	n, err := allocationsOf("goos: linux\nBenchmarkA/b-2 \t 120\t 22866608 ns/op\t 24063 B/op\t 452 allocs/op\nPASS\n")
	require.NoError(t, err)
	assert.Equal(t, 452.0, n)
	_, err = allocationsOf("PASS\n")
	assert.Error(t, err, "a benchmark that is no longer there must not pass")
}

// TestBaseline: it is written as it is read, keeps what other counters counted, and drops loops that are no more.
func TestBaseline(t *testing.T) {
	file := filepath.Join(t.TempDir(), "baseline.json")
	b, err := readBaseline(file)
	require.NoError(t, err)
	assert.Nil(t, b.of("go1.26/amd64"))
	all := []loop{{pkg: "a", benchmark: "A"}, {pkg: "b", benchmark: "B"}}
	perf := []cost{{1, map[string]float64{"perf": 10}}, {2, map[string]float64{"perf": 20}}}
	require.NoError(t, b.write(file, "go1.26/amd64", "perf", all, perf))
	b, err = readBaseline(file)
	require.NoError(t, err)
	require.NoError(t, b.write(file, "go1.26/amd64", "valgrind", all[:1], []cost{{3, map[string]float64{"valgrind": 11.4}}}))
	b, err = readBaseline(file)
	require.NoError(t, err)
	assert.Equal(t, map[string]cost{"a A": {3, map[string]float64{"perf": 10, "valgrind": 11}}}, b.of("go1.26/amd64"))
	require.NoError(t, os.WriteFile(file, []byte("{"), 0o600))
	_, err = readBaseline(file)
	assert.Error(t, err)
}

// TestTheBaselineIsWhole: each loop that is guarded has a baseline on each platform, and nothing else has.
func TestTheBaselineIsWhole(t *testing.T) {
	b, err := readBaseline("baseline.json")
	require.NoError(t, err)
	require.NotEmpty(t, b.Platforms)
	for platform, known := range b.Platforms {
		assert.Len(t, known, len(loops()), platform)
		for _, l := range loops() {
			assert.Contains(t, known, l.name(), platform)
			if !l.alone {
				assert.NotEmpty(t, known[l.name()].Instructions, "%s: %s", platform, l.name())
			}
		}
	}
}
