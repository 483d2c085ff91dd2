package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
)

// baseline is what the loops cost when they were last looked at.
type baseline struct {
	Tolerance tolerance                  `json:"tolerance"`
	Platforms map[string]map[string]cost `json:"platforms"` // by platform and loop
}

// tolerance is by how much of the baseline a cost may be above it. What makes no allocation must make none.
type tolerance struct {
	Allocations  float64 `json:"allocations"`
	Instructions float64 `json:"instructions"`
}

// readBaseline reads a file; one that is not there is an empty baseline.
func readBaseline(file string) (*baseline, error) {
	b := &baseline{Tolerance: tolerance{Allocations: 0.02, Instructions: 0.08}, Platforms: make(map[string]map[string]cost)}
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, b); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return b, nil
}

// of returns the costs on a platform, nil where there are none.
func (b *baseline) of(platform string) map[string]cost { return b.Platforms[platform] }

// write puts costs in the place of those on a platform. What other counters counted stays, as far as the loop is still there.
func (b *baseline) write(file, platform, counted string, all []loop, costs []cost) error {
	old, renewed := b.of(platform), make(map[string]cost, len(all))
	for i, l := range all {
		c := cost{Allocations: costs[i].Allocations, Instructions: make(map[string]float64)}
		for name, n := range old[l.name()].Instructions {
			if name != counted {
				c.Instructions[name] = n
			}
		}
		for name, n := range costs[i].Instructions {
			c.Instructions[name] = math.Round(n)
		}
		renewed[l.name()] = c
	}
	b.Platforms[platform] = renewed
	raw, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(raw, '\n'), 0o600)
}

// compare writes the table and says whether no loop costs too much. A loop without a baseline is one that nobody has looked at.
func compare(out io.Writer, allowed tolerance, counted string, all []loop, known map[string]cost, costs []cost) (met bool) {
	met = true
	fmt.Fprintf(out, "| loop | allocations | at most | instructions (%s) | baseline | change |\n|---|---|---|---|---|---|\n", counted)
	for i, l := range all {
		was, ok := known[l.name()]
		now := costs[i]
		limit := math.Floor(was.Allocations * (1 + allowed.Allocations))
		verdict := ""
		if !ok {
			verdict = " **no baseline**"
		} else if now.Allocations > limit {
			verdict = " **allocations**"
		}
		before, after := was.Instructions[counted], now.Instructions[counted]
		change := ""
		if after > 0 {
			change = fmt.Sprintf("%+.1f %%", 100*(after/before-1))
			if ok && before == 0 {
				change, verdict = "", verdict+" **no baseline**"
			} else if after > before*(1+allowed.Instructions) {
				verdict += " **instructions**"
			}
		}
		met = met && verdict == ""
		fmt.Fprintf(out, "| %s%s | %.0f | %.0f | %.0f | %.0f | %s |\n", l.name(), verdict, now.Allocations, limit, after, before, change)
	}
	return met
}
