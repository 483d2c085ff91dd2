// Command fleetsim runs a simulated fleet of LLM inference workers: every worker is an HTTP server that answers like a real engine,
// beside the engines' other protocols, and a control server tells the truth behind it. See docs/fleetsim.md.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/live"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/scenario"
	"github.com/otelcol-inference/otelcol-inference/internal/wall"
)

// Exit codes.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr, wall.Clock{})
	stop()
	os.Exit(code)
}

// run is the whole program.
func run(ctx context.Context, args []string, stdout, stderr io.Writer, clock live.Clock) int {
	command, args := "run", args
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		command, args = args[0], args[1:]
	}
	var err error
	usage := false
	switch command {
	case "run":
		var o live.Options
		if o, err = parseRun(args, stderr); err == nil {
			o.Clock = clock
			err = simulate(ctx, o, stdout)
		} else {
			usage = true
		}
	case "scenarios":
		err = list(stdout)
	case "show":
		err = show(args, stdout)
	default:
		err, usage = fmt.Errorf("unknown command %q; commands: run, scenarios, show", command), true
	}
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return exitOK
	case usage:
		fmt.Fprintln(stderr, "fleetsim:", err)
		return exitUsage
	}
	fmt.Fprintln(stderr, "fleetsim:", err)
	return exitError
}

// simulate runs a scenario to its end. The addresses appear as one JSON line, the sign that everything listens.
func simulate(ctx context.Context, o live.Options, stdout io.Writer) error {
	rig, err := live.Start(o)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(stdout).Encode(rig.Addresses()); err != nil {
		return errors.Join(err, rig.Close())
	}
	err = errors.Join(rig.Run(ctx), rig.Close())
	if err == nil {
		err = json.NewEncoder(stdout).Encode(rig.Summary())
	}
	return err
}

// show prints the text of a ready scenario, its remedy with it.
func show(args []string, stdout io.Writer) error {
	if len(args) != 1 {
		return errors.New("show: takes the name of one scenario")
	}
	text, err := scenario.Text(args[0])
	if err != nil {
		return err
	}
	_, err = stdout.Write(text)
	return err
}

// list prints the ready scenarios.
func list(stdout io.Writer) error {
	for _, name := range scenario.Names() {
		s, err := scenario.Load(name, scenario.Options{})
		if err != nil {
			return err
		}
		fmt.Fprintf(stdout, "%-34s %s\n", name, s.Description)
	}
	return nil
}
