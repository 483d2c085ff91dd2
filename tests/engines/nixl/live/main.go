// Command live runs the nixl receiver while two agents of a real NIXL move memory, and holds what it tells against what the agents
// themselves say of each transfer (get_xfer_telemetry). It ends with status 1 when a byte, a count or a microsecond differs.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

func main() {
	python := flag.String("python", "python3", "Python with a wheel of NIXL and numpy")
	script := flag.String("script", "engines/nixl/transfer.py", "what moves the memory")
	transfers := flag.Int("transfers", 2000, "how many transfers")
	mode := flag.String("mode", "consume", "mode of the receiver: auto, consume or observe")
	tls := flag.String("tls", "tcp,sm,self", "UCX_TLS of the agents; with tcp alone the receiver must infer tcp, else local")
	store := flag.Bool("store", false, "prometheus_mp stores in the place of rings; 1.5 and later")
	flag.Parse()
	if err := run(*python, *script, *mode, *tls, *transfers, *store); err != nil {
		fmt.Fprintln(os.Stderr, "live:", err)
		os.Exit(1)
	}
}

func run(python, script, mode, tls string, transfers int, store bool) (err error) {
	dir, err := os.MkdirTemp("", "nixl-live-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	telemetry := filepath.Join(dir, "telemetry")
	if err := os.Mkdir(telemetry, 0o700); err != nil {
		return err
	}
	log := filepath.Join(dir, "engine.log")
	reading, err := startReceiver(telemetry, log, mode, store)
	if err != nil {
		return err
	}
	agents, told, err := startAgents(python, script, telemetry, log, tls, transfers, store)
	if err != nil {
		return errors.Join(err, reading.stop(), tail(log))
	}
	during, alive := reading.points(), agents.pid()
	if err := agents.end(); err != nil {
		return errors.Join(err, reading.stop())
	}
	dead := reading.waitFor(func(p points) bool { return p.value(signal.NIXLAgentUp, nil) == 0 })
	if err := reading.stop(); err != nil {
		return err
	}
	report := check{points: reading.points(), want: told.truth()}
	report.totals()
	report.histograms(store)
	report.that("the owner is found while it lives", during.has(signal.NIXLAgentInfo, "process.pid", alive))
	report.that("its end is seen", dead)
	report.transport(reading, tls)
	return report.end(told.Version, transfers)
}

// tail gives the end of the agents' log with an error.
func tail(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	return errors.New(strings.Join(lines[max(0, len(lines)-5):], "\n"))
}

// agents is the process of both.
type agents struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	cancel context.CancelFunc
}

// patience bounds a run.
const patience = 5 * time.Minute

// startAgents returns when all transfers are done.
func startAgents(python, script, dir, log, tls string, transfers int, store bool) (*agents, *told, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, nil, err
	}
	defer out.Close()
	read, write, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer read.Close()
	args := []string{script, "--dir", dir, "--transfers", fmt.Sprint(transfers)}
	if store {
		args = append(args, "--store")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	a := &agents{cmd: exec.CommandContext(ctx, python, args...), cancel: cancel}
	a.cmd.Env = append(os.Environ(), "UCX_TLS="+tls)
	a.cmd.Stdout, a.cmd.Stderr, a.cmd.ExtraFiles = out, out, []*os.File{write}
	if a.in, err = a.cmd.StdinPipe(); err == nil {
		err = a.cmd.Start()
	}
	if err = errors.Join(err, write.Close()); err != nil {
		cancel()
		return nil, nil, err
	}
	t := new(told)
	line, err := bufio.NewReader(read).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, t)
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("the agents told nothing: %w", err), a.end())
	}
	return a, t, nil
}

func (a *agents) pid() int64 { return int64(a.cmd.Process.Pid) }

func (a *agents) end() error {
	defer a.cancel()
	return errors.Join(a.in.Close(), a.cmd.Wait())
}
