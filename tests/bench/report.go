package main

import (
	"fmt"
	"io"
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

func (s spread) String() string { return fmt.Sprintf("%.3g (%.3g to %.3g)", s.median, s.least, s.most) }

// report writes the table and says whether both bars are met.
func report(out io.Writer, o options, series int, results map[string][]measured) (met bool) {
	idle := spreadOf(results["idle"], megabytes).median
	cpu := func(m measured) float64 { return m.cpu.Seconds() * 1000 / float64(max(m.scrapes, 1)) }
	growth := func(m measured) float64 { return megabytes(m) - idle }
	points := func(m measured) float64 { return m.points / float64(max(m.scrapes, 1)) }
	fmt.Fprintf(out, "%d targets, %d series a page, every %v; %d rounds of %v after %v each; median (least to most)\n\n", o.targets, series, o.interval, o.rounds, o.window, o.warmup)
	fmt.Fprintln(out, "| | CPU ms per scrape | RSS, MB | RSS over idle, MB | memory without a file, MB | points per scrape |\n|---|---|---|---|---|---|")
	fmt.Fprintf(out, "| idle | | %v | | %v | |\n", spreadOf(results["idle"], megabytes), spreadOf(results["idle"], own))
	for _, name := range []string{"llm_engine", "prometheus"} {
		all := results[name]
		fmt.Fprintf(out, "| `%s` | %v | %v | %v | %v | %.0f |\n", name,
			spreadOf(all, cpu), spreadOf(all, megabytes), spreadOf(all, growth), spreadOf(all, own), spreadOf(all, points).median)
	}
	ours, peer := results["llm_engine"], results["prometheus"]
	cpuShare := spreadOf(ours, cpu).median / spreadOf(peer, cpu).median
	empty := spreadOf(results["idle"], own).median
	ownShare := (spreadOf(ours, own).median - empty) / (spreadOf(peer, own).median - empty)
	rssShare := spreadOf(ours, growth).median / spreadOf(peer, growth).median
	fmt.Fprintf(out, "| ours to theirs | %.2f (at most %.2f) | | %.2f (at most %.2f) | %.2f over idle | |\n", cpuShare, cpuBar, rssShare, rssBar, ownShare)
	return cpuShare <= cpuBar && rssShare <= rssBar
}

func own(m measured) float64 { return float64(m.own) / 1e6 }

func megabytes(m measured) float64 { return float64(m.rss) / 1e6 }
