package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/live"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/scenario"
)

// defaultScenario runs when none is named.
const defaultScenario = "aggregated-mixed"

// overrides are values of --set.
type overrides []scenario.Override

func (o *overrides) String() string { return "" }

func (o *overrides) Set(text string) error {
	path, value, ok := strings.Cut(text, "=")
	if !ok || path == "" {
		return fmt.Errorf("must be path=value, is %q", text)
	}
	*o = append(*o, scenario.Override{Path: path, Value: value})
	return nil
}

// parseRun reads the arguments of run; usage and errors of the flags go to stderr.
func parseRun(args []string, stderr io.Writer) (live.Options, error) {
	name := defaultScenario
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	}
	o := live.DefaultOptions(scenario.Scenario{})
	var read scenario.Options
	var duration time.Duration
	fs := flag.NewFlagSet("fleetsim run [SCENARIO]", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	help := func() {
		fs.SetOutput(stderr)
		fmt.Fprintln(stderr, "fleetsim run [SCENARIO] [flags]   run a ready scenario, or a file; aggregated-mixed by default")
		fmt.Fprintln(stderr, "fleetsim scenarios                list the ready ones")
		fmt.Fprintln(stderr, "fleetsim show SCENARIO            print one, its remedy with it")
		fs.PrintDefaults()
	}
	fs.Var((*overrides)(&read.Overrides), "set", "path=value: replace a value of the scenario, such as pools[0].workers=2; may be repeated")
	fs.BoolVar(&read.Remedy, "remedy", false, "apply the scenario's remedy: the fleet after the advice it calls for")
	fs.StringVar(&o.Listen, "listen", o.Listen, "address of the first worker; worker i listens on port + i, port 0 takes free ports")
	fs.StringVar(&o.Control, "control", o.Control, "address of the control server: GET /truth, /scenario, /faults, /healthz; POST /faults")
	fs.BoolVar(&o.AllowRemote, "allow-remote", false, "allow listening on addresses that are not loopback")
	fs.BoolVar(&o.NoServers, "no-servers", false, "do not listen at all: no pages, no ZeroMQ; NIXL files, NVML state and spans as the scenario says")
	fs.Float64Var(&o.Speed, "speed", o.Speed, "simulated seconds per second; 0: as fast as possible")
	fs.DurationVar(&duration, "duration", 0, "simulated time after which to stop; 0: what the scenario says")
	fs.StringVar(&o.Endpoints, "endpoints", "", "file for the workers as endpoints of an llm_engine receiver, written when everything listens")
	fs.StringVar(&o.Ledger, "ledger", "", "file for the truth as JSON, written at exit")
	fs.StringVar(&o.Requests, "requests", "", "file for one JSON line per finished request")
	fs.StringVar(&o.Steps, "steps", "", "file for one JSON line per engine step")
	fs.StringVar(&o.Transfers, "transfers", "", "file for one JSON line per KV transfer")
	fs.StringVar(&o.Truth, "truth", "", "file for one JSON line of cumulative truth per interval")
	fs.DurationVar(&o.TruthEvery, "truth-every", o.TruthEvery, "that interval, in simulated time")
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		help()
		return o, err
	} else if err != nil {
		return o, fmt.Errorf("%w; fleetsim --help lists the flags", err)
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	var err error
	if o.Scenario, err = scenario.Load(name, read); err != nil {
		return o, err
	}
	switch {
	case duration < 0:
		return o, fmt.Errorf("duration: must be at least 0s, is %s", duration)
	case duration > 0:
		o.Scenario.Duration = duration
	}
	if o.Speed == 0 && o.Scenario.Duration == 0 && endless(o.Scenario.Fleet.Workload) {
		return o, errors.New("speed: 0 (as fast as possible) needs a duration (--duration or the scenario's) or a trace that ends")
	}
	return o, nil
}

// endless tells workloads that never run out.
func endless(w fleetsim.Workload) bool {
	trace, ok := w.(fleetsim.Trace)
	return !ok || trace.Loop
}
