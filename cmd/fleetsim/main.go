// Command fleetsim runs a simulated fleet of LLM inference workers: every worker is an HTTP server that answers like vLLM, and a
// control server tells the truth behind it. See docs/fleetsim.md.
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

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
)

// Exit codes.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr, wallClock{})
	stop()
	os.Exit(code)
}

// run is the whole program.
func run(ctx context.Context, args []string, stdout, stderr io.Writer, clk clock) int {
	opts, err := parseOptions(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		fmt.Fprintln(stderr, "fleetsim:", err)
		return exitUsage
	}
	if err := simulate(ctx, opts, stdout, clk); err != nil {
		fmt.Fprintln(stderr, "fleetsim:", err)
		return exitError
	}
	return exitOK
}

// simulate sets everything up, runs to the end, and writes the files.
func simulate(ctx context.Context, opts options, stdout io.Writer, clk clock) (err error) {
	requests, err := openRequestLog(opts.requests)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, requests.close()) }()
	if opts.requests != "" {
		opts.fleet.OnRequest = requests.write
	}
	opts.fleet.StartTime = clk.Now()
	fleet, err := fleetsim.New(opts.fleet)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fleet.Close()) }()

	d := &driver{clock: clk, speed: opts.speed, limit: opts.duration, start: opts.fleet.StartTime, fleet: fleet}
	servers, err := listen(opts, d)
	if err != nil {
		return err
	}
	servers.serve()
	if err := announce(stdout, servers, fleet); err != nil {
		return errors.Join(err, servers.shutdown())
	}
	err = errors.Join(d.run(ctx), servers.shutdown())
	if opts.ledger != "" {
		err = errors.Join(err, writeLedger(opts.ledger, fleet))
	}
	return err
}

// announce prints the addresses as one JSON line, the sign that everything listens.
func announce(stdout io.Writer, s *serverGroup, fleet *fleetsim.Fleet) error {
	return json.NewEncoder(stdout).Encode(struct {
		Workers []string `json:"workers"`
		Control string   `json:"control"`
		Model   string   `json:"model"`
	}{s.addresses[1:], s.addresses[0], fleet.ServedModel()})
}

func writeLedger(path string, fleet *fleetsim.Fleet) error {
	b, err := json.MarshalIndent(fleet.Ledger(), "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}
