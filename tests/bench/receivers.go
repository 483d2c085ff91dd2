package main

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// many are the same engines by one receiver and by a receiver each, as receiver_creator makes them.
func many(o options, binary string) []subject {
	of := func(name string, targetsEach int) subject {
		return collector(name, binary, func(at site) pipeline {
			var all, names []string
			for i := 0; i < len(at.targets); i += targetsEach {
				name := fmt.Sprintf("llm_engine/%d", i)
				names = append(names, name)
				all = append(all, fmt.Sprintf("  %s: {collection_interval: %s, endpoints: %s}", name, o.interval, list(at.targets[i:min(i+targetsEach, len(at.targets))])))
			}
			return pipeline{receiver: strings.Join(all, "\n"), receivers: names}
		})
	}
	return []subject{collectorIdle(binary), of("one receiver", o.targets), of("a receiver each", 1)}
}

func runReceivers(o options, binary string) error {
	p, err := readPage(o.page)
	if err != nil {
		return err
	}
	subjects := many(o, binary)
	results, err := rounds(o, subjects, func() (work, error) { return scrapes(o, p) })
	if err != nil {
		return err
	}
	heading(os.Stdout, fmt.Sprintf("%d engines, %d series a page, every %v", o.targets, p.series(), o.interval), o)
	table(os.Stdout, subjects, results, []column{
		{head: "CPU ms per scrape", of: func(all []measured) string { return spreadOf(all, cpuEach).String() }},
		{head: "points per scrape", of: func(all []measured) string {
			return fmt.Sprintf("%.1f", spreadOf(all, func(m measured) float64 { return m.points / float64(max(m.done, 1)) }).median)
		}},
		{head: "goroutines", idle: true, of: func(all []measured) string {
			return spreadOf(all, func(m measured) float64 { return float64(m.goroutines) }).String()
		}},
		{head: "live heap, MB", idle: true, of: func(all []measured) string {
			return spreadOf(all, func(m measured) float64 { return float64(m.live) / 1e6 }).String()
		}},
		{head: "scrapes made", of: made},
	})
	return nil
}

// inside asks a collector's profiler for the goroutines that there are, and for the bytes that live on the heap after a collection.
func (c *program) inside() (goroutines int, live int64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	all, err := c.get(ctx, "http://"+c.site.pprof+"/debug/pprof/goroutine?debug=1")
	if err != nil {
		return 0, 0, err
	}
	if _, err := fmt.Sscanf(string(all), "goroutine profile: total %d", &goroutines); err != nil {
		return 0, 0, fmt.Errorf("goroutines: %w", err)
	}
	heap, err := c.get(ctx, "http://"+c.site.pprof+"/debug/pprof/heap?debug=1&gc=1")
	if err != nil {
		return 0, 0, err
	}
	_, rest, _ := strings.Cut(string(heap), "# HeapAlloc = ")
	if _, err := fmt.Sscan(rest, &live); err != nil {
		return 0, 0, fmt.Errorf("heap: %w", err)
	}
	return goroutines, live, nil
}
