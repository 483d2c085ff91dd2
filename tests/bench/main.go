// Command bench measures what a scrape costs: the receiver of this distribution against the community's Prometheus receiver, in the
// same binary, on the same pages, in turn. It prints a table in Markdown.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Bars of the ratios of medians, ours to the peer's.
const (
	cpuBar = 0.25
	rssBar = 0.5
)

type options struct {
	binary   string
	page     string
	targets  int
	interval time.Duration
	warmup   time.Duration
	window   time.Duration
	rounds   int
	profiles string // folder for CPU and heap profiles; empty for none
}

func main() {
	var o options
	flag.StringVar(&o.binary, "binary", "../bin/otelcol-inference", "the collector")
	flag.StringVar(&o.page, "page", "engines/recordings/vllm-0.32.0-cpu/metrics-006.prom", "the page that every target serves")
	flag.IntVar(&o.targets, "targets", 200, "engines")
	flag.DurationVar(&o.interval, "interval", time.Second, "between two scrapes of a target")
	flag.DurationVar(&o.warmup, "warmup", 15*time.Second, "of each run, not measured")
	flag.DurationVar(&o.window, "window", 30*time.Second, "of each run, measured")
	flag.IntVar(&o.rounds, "rounds", 3, "of idle, ours, peer")
	flag.StringVar(&o.profiles, "profiles", "", "folder for profiles of each run, which cost some of the time that is measured")
	flag.Parse()
	met, err := run(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	if !met {
		os.Exit(1)
	}
}

// subject is a configuration that is measured.
type subject struct {
	name      string
	receivers func(addresses []string, interval time.Duration) string
}

func subjects() []subject {
	return []subject{
		{"idle", func([]string, time.Duration) string { return `  otlp: {protocols: {http: {endpoint: "127.0.0.1:0"}}}` }},
		{"llm_engine", func(addresses []string, interval time.Duration) string {
			return fmt.Sprintf("  llm_engine: {collection_interval: %s, endpoints: %s}", interval, list(addresses))
		}},
		{"prometheus", func(addresses []string, interval time.Duration) string {
			return fmt.Sprintf(`  prometheus:
    config:
      scrape_configs:
        - {job_name: engines, scrape_interval: %s, scrape_timeout: %[1]s, static_configs: [{targets: %s}]}`, interval, list(addresses))
		}},
	}
}

// list writes addresses in YAML.
func list(addresses []string) string { return `["` + strings.Join(addresses, `", "`) + `"]` }

// measured is what one run cost.
type measured struct {
	cpu     time.Duration // in the window
	rss     int64         // bytes, median of the window
	own     int64         // of those without a file, likewise
	scrapes int64         // in the window
	points  float64       // handed on in the window
}

func run(o options) (met bool, err error) {
	p, err := readPage(o.page)
	if err != nil {
		return false, err
	}
	binary, err := filepath.Abs(o.binary)
	if err != nil {
		return false, err
	}
	results := map[string][]measured{}
	for round := range o.rounds {
		for _, s := range subjects() {
			m, err := measure(o, binary, p, s, round)
			if err != nil {
				return false, fmt.Errorf("%s, round %d: %w", s.name, round+1, err)
			}
			fmt.Fprintf(os.Stderr, "round %d %s: %v of CPU, %d scrapes, %.0f points, %.1f MB, %.1f of its own\n",
				round+1, s.name, m.cpu, m.scrapes, m.points, megabytes(m), float64(m.own)/1e6)
			results[s.name] = append(results[s.name], m)
		}
	}
	return report(os.Stdout, o, p.series(), results), nil
}

// measure runs one collector against a fleet of its own, so that no run finds what another has left.
func measure(o options, binary string, p *page, s subject, round int) (m measured, err error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	f, err := serve(o.targets, p)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	c, err := start(binary, dir, s.receivers(f.addresses, o.interval), []string{"GOGC=100", "GOMEMLIMIT=1GiB", "GOMAXPROCS=2"})
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	time.Sleep(o.warmup)
	profile := c.profile(o, s.name, round)
	if m, err = window(o, c, f); err != nil {
		return m, err
	}
	if err := <-profile; err != nil {
		return m, err
	}
	// A busy machine may delay scrapes; what one costs is still known.
	want := int64(float64(o.targets) * o.window.Seconds() / o.interval.Seconds())
	if s.name != "idle" && (m.scrapes < want/2 || m.points == 0) {
		return m, fmt.Errorf("must scrape %d pages, got %d with %.0f points", want, m.scrapes, m.points)
	}
	return m, nil
}

// window measures from now on.
func window(o options, c *collector, f *fleet) (m measured, err error) {
	pid := c.cmd.Process.Pid
	points, err := c.accepted()
	if err != nil {
		return m, err
	}
	scrapes := f.pages.Load()
	before, err := usageOf(pid)
	if err != nil {
		return m, err
	}
	after := before
	var resident, own []int64
	for end := time.Now().Add(o.window); time.Now().Before(end); {
		time.Sleep(min(200*time.Millisecond, time.Until(end)))
		if after, err = usageOf(pid); err != nil {
			return m, err
		}
		resident, own = append(resident, after.rss), append(own, after.own)
	}
	m.cpu, m.scrapes = after.cpu-before.cpu, f.pages.Load()-scrapes
	slices.Sort(resident)
	slices.Sort(own)
	m.rss, m.own = resident[len(resident)/2], own[len(own)/2]
	handed, err := c.accepted()
	m.points = handed - points
	return m, err
}
