// Command bench measures what this distribution costs beside its peers: under the same load, in turn, with tables in Markdown. The
// first is what a scrape costs, against the community's Prometheus receiver in the same binary on the same pages.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Bars of the ratios of medians: ours to the Prometheus receiver's, and to the floor's.
const (
	cpuBar   = 0.25
	rssBar   = 0.5
	floorBar = 2.0
)

type options struct {
	load       string
	binary     string
	page       string
	targets    int
	interval   time.Duration
	warmup     time.Duration
	window     time.Duration
	rounds     int
	profiles   string // folder for CPU and heap profiles; empty for none
	peers      bool
	prometheus string // program of a Prometheus server; empty for none
	python     string // with nvidia-ml-py, for nvml
	reader     string // NIXL's example reader
	rate       int    // transfers per second
	blocks     []int  // KV blocks stored per second, one run after the other
	fleetsim   string // program of the simulator
	wait       time.Duration
	sources    []string // of the demo's verdict
	workers    int      // in each request over OTLP
	each       bool     // each processor alone
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == floorCommand {
		if err := runFloor(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "floor:", err)
			os.Exit(2)
		}
		return
	}
	var o options
	flag.StringVar(&o.load, "load", "scrape", "what is measured: scrape, latency, nixl, nvml, otlp, receivers, agent, start or size")
	flag.StringVar(&o.binary, "binary", "../bin/otelcol-inference", "the collector")
	flag.StringVar(&o.page, "page", "engines/recordings/vllm-0.32.0-cpu/metrics-006.prom", "the page that every target serves")
	flag.IntVar(&o.targets, "targets", 200, "engines")
	flag.DurationVar(&o.interval, "interval", time.Second, "between two scrapes of a target")
	flag.DurationVar(&o.warmup, "warmup", 15*time.Second, "of each run once it is at work, not measured")
	flag.DurationVar(&o.window, "window", 30*time.Second, "of each run, measured")
	flag.IntVar(&o.rounds, "rounds", 3, "of all subjects in turn")
	flag.StringVar(&o.profiles, "profiles", "", "folder for profiles of each run, which cost some of the time that is measured")
	flag.BoolVar(&o.peers, "peers", false, "scrape: also the same renaming by filter and transform, the floor, and -prometheus")
	flag.StringVar(&o.prometheus, "prometheus", "", "scrape with -peers, latency: program of a Prometheus server")
	flag.StringVar(&o.python, "python", "python3", "nixl, nvml: a Python; for nvml with nvidia-ml-py")
	flag.StringVar(&o.reader, "reader", "", "nixl: examples/python/telemetry_reader.py of NIXL's repository")
	flag.IntVar(&o.rate, "rate", 5000, "nixl, agent: transfers per second")
	o.blocks = []int{10_000, agentBusy}
	flag.Func("blocks", "agent: KV blocks stored per second, several with commas between them (default 10000,50000)", func(text string) (err error) {
		o.blocks, err = numbers(text)
		return err
	})
	flag.StringVar(&o.fleetsim, "fleetsim", "../bin/fleetsim", "start: the simulator")
	flag.DurationVar(&o.wait, "wait", 15*time.Minute, "start: for a verdict of high confidence")
	o.sources = []string{fromCounters}
	flag.Func("sources", "start: what the demo tells, several of counters, passes and facts with commas between them (default counters)", func(text string) (err error) {
		o.sources, err = sourcesOf(text)
		return err
	})
	flag.IntVar(&o.workers, "workers", 50, "otlp: engines whose scrapes are in each request")
	flag.BoolVar(&o.each, "each", false, "otlp: also each of our processors alone")
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

// numbers reads positive ones with commas between them.
func numbers(text string) (all []int, err error) {
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n <= 0 {
			return nil, fmt.Errorf("must be positive numbers with commas between them, got %q", text)
		}
		all = append(all, n)
	}
	return all, nil
}

// run measures a load and prints its table.
func run(o options) (met bool, err error) {
	binary, err := filepath.Abs(o.binary)
	if err != nil {
		return false, err
	}
	switch o.load {
	case "scrape":
		return runScrape(o, binary)
	case "latency":
		return true, runLatency(o, binary)
	case "nixl":
		return true, runNIXL(o, binary)
	case "nvml":
		return true, runNVML(o, binary)
	case "otlp":
		return true, runOTLP(o, binary)
	case "receivers":
		return true, runReceivers(o, binary)
	case "size":
		return true, runSize(os.Stdout, binary)
	case "agent":
		return runAgent(o, binary)
	case "start":
		return runStart(o, binary)
	}
	return false, fmt.Errorf("load: must be scrape, latency, nixl, nvml, otlp, receivers, agent, start or size, got %q", o.load)
}

func runScrape(o options, binary string) (met bool, err error) {
	p, err := readPage(o.page)
	if err != nil {
		return false, err
	}
	subjects, err := scrapers(o, binary, p)
	if err != nil {
		return false, err
	}
	results, err := rounds(o, subjects, func() (work, error) { return scrapes(o, p) })
	if err != nil {
		return false, err
	}
	return report(os.Stdout, o, p.series(), subjects, results), nil
}

func runNIXL(o options, binary string) error {
	if _, err := os.Stat(o.reader); err != nil {
		return fmt.Errorf("reader: must be NIXL's telemetry_reader.py: %w", err)
	}
	subjects := ringReaders(o, binary)
	results, err := rounds(o, subjects, func() (work, error) { return transfers(o.rate) })
	if err == nil {
		reportRings(os.Stdout, o, subjects, results)
	}
	return err
}

func runNVML(o options, binary string) (err error) {
	if out, err := exec.Command(o.python, "-c", "import pynvml").CombinedOutput(); err != nil {
		return fmt.Errorf("python: must have nvidia-ml-py: %w\n%s", err, out)
	}
	dir, err := os.MkdirTemp("", "bench-stub")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	stub, err := buildStub(dir)
	if err != nil {
		return err
	}
	subjects := gpuReaders(o, binary)
	results, err := rounds(o, subjects, func() (work, error) { return gpus(stub) })
	if err == nil {
		reportGPUs(os.Stdout, o, subjects, results)
	}
	return err
}

func runOTLP(o options, binary string) error {
	p, err := readPage(o.page)
	if err != nil {
		return err
	}
	points, err := record(binary, o.workers, p)
	if err != nil {
		return err
	}
	subjects := pipelines(binary, o.each)
	for _, what := range []string{"points of engines", "foreign points"} {
		if what == "foreign points" {
			estrange(points)
		}
		results, err := rounds(o, subjects, func() (work, error) { return send(points, o.interval) })
		if err != nil {
			return err
		}
		reportPipelines(os.Stdout, o, what, points.DataPointCount(), subjects, results)
		fmt.Println()
	}
	return nil
}
