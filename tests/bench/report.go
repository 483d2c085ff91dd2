package main

import (
	"fmt"
	"io"
	"math"
	"slices"
)

// spread is the median of some runs with the least and the most of them.
type spread struct{ least, median, most float64 }

func spreadOf(all []measured, value func(measured) float64) spread {
	values := make([]float64, len(all))
	for i, m := range all {
		values[i] = value(m)
	}
	slices.Sort(values)
	n := len(values)
	return spread{values[0], (values[(n-1)/2] + values[n/2]) / 2, values[n-1]}
}

func (s spread) String() string {
	return fmt.Sprintf("%s (%s to %s)", digits(s.median), digits(s.least), digits(s.most))
}

// digits writes three digits that count, or all before the point.
func digits(v float64) string {
	if math.Abs(v) >= 1000 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// heading says what was measured how.
func heading(out io.Writer, what string, o options) {
	fmt.Fprintf(out, "%s; %d rounds of %v after %v each; median (least to most)\n\n", what, o.rounds, o.window, o.warmup)
}

// column is one of a table, over all rounds of a subject.
type column struct {
	head string
	idle bool // idle has a value too
	of   func([]measured) string
}

// table writes a row for each subject: the columns, and its memory. How much of a binary is resident differs between runs by tens of
// megabytes, so what no file is behind is beside it.
func table(out io.Writer, subjects []subject, results map[string][]measured, columns []column) {
	columns = append(slices.Clip(columns),
		column{head: "RSS, MB", idle: true, of: func(all []measured) string { return spreadOf(all, megabytes).String() }},
		column{head: "memory without a file, MB", idle: true, of: func(all []measured) string { return spreadOf(all, own).String() }})
	head, rule := "|", "|---|"
	for _, c := range columns {
		head, rule = head+" | "+c.head, rule+"---|"
	}
	fmt.Fprintf(out, "%s |\n%s\n", head, rule)
	for _, s := range subjects {
		fmt.Fprintf(out, "| `%s` |", s.name)
		for _, c := range columns {
			if s.name == idle && !c.idle {
				fmt.Fprint(out, " |")
			} else {
				fmt.Fprintf(out, " %s |", c.of(results[s.name]))
			}
		}
		fmt.Fprintln(out)
	}
}

// report writes the table of the scrapes and says whether all bars are met.
func report(out io.Writer, o options, series int, subjects []subject, results map[string][]measured) (met bool) {
	heading(out, fmt.Sprintf("%d targets, %d series a page, every %v", o.targets, series, o.interval), o)
	base := spreadOf(results[idle], megabytes).median
	growth := func(m measured) float64 { return megabytes(m) - base }
	points := func(m measured) float64 { return m.points / float64(max(m.done, 1)) }
	fmt.Fprintln(out, "| | CPU ms per scrape | RSS, MB | RSS over idle, MB | memory without a file, MB | points per scrape | scrapes made |\n|---|---|---|---|---|---|---|")
	for _, s := range subjects {
		all := results[s.name]
		if s.name == idle {
			fmt.Fprintf(out, "| idle | | %v | | %v | | |\n", spreadOf(all, megabytes), spreadOf(all, own))
			continue
		}
		grown := ""
		if !s.other {
			grown = spreadOf(all, growth).String()
		}
		fmt.Fprintf(out, "| `%s` | %v | %v | %s | %v | %.0f | %s |\n", s.name, spreadOf(all, cpuEach), spreadOf(all, megabytes), grown,
			spreadOf(all, own), spreadOf(all, points).median, made(all))
	}
	ours, peer := results["llm_engine"], results["prometheus"]
	cpuShare := spreadOf(ours, cpuEach).median / spreadOf(peer, cpuEach).median
	empty := spreadOf(results[idle], own).median
	ownShare := (spreadOf(ours, own).median - empty) / (spreadOf(peer, own).median - empty)
	rssShare := spreadOf(ours, growth).median / spreadOf(peer, growth).median
	fmt.Fprintf(out, "| `llm_engine` to `prometheus` | %.2f (at most %.2f) | | %.2f (at most %.2f) | %.2f over idle | | |\n", cpuShare, cpuBar, rssShare, rssBar, ownShare)
	met = cpuShare <= cpuBar && rssShare <= rssBar
	if least := results[floorCommand]; least != nil {
		times := spreadOf(ours, cpuEach).median / spreadOf(least, cpuEach).median
		fmt.Fprintf(out, "| `llm_engine` to `floor` | %.2f (at most %.2f) | | | | | |\n", times, floorBar)
		met = met && times <= floorBar
	}
	return met
}

// made is which part of the scrapes that were due was made, in the worst run: a peer that falls behind is not under the same load.
func made(all []measured) string {
	worst := spreadOf(all, func(m measured) float64 { return float64(m.done) / float64(max(m.due, 1)) }).least
	if worst >= 0.98 { // a window cuts one scrape of each target at either end
		return "all"
	}
	return fmt.Sprintf("**missed: %.0f %% of what was due**", 100*worst)
}

// cpuEach is CPU in milliseconds for each piece of work.
func cpuEach(m measured) float64 { return m.cpu.Seconds() * 1000 / float64(max(m.done, 1)) }

func own(m measured) float64 { return float64(m.own) / 1e6 }

func megabytes(m measured) float64 { return float64(m.rss) / 1e6 }
