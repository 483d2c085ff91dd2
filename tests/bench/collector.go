package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// stopWithin bounds the end of a collector, and any request to it.
const stopWithin = 20 * time.Second

// collector is a running one.
type collector struct {
	cmd    *exec.Cmd
	output bytes.Buffer // what it said; complete when stopped
	done   chan error
	own    string // address of its own metrics
	pprof  string // address of its profiles
}

// start runs the binary with the receivers of a configuration in front of an exporter that does nothing.
func start(binary, dir, receivers string, env []string) (*collector, error) {
	c := &collector{done: make(chan error, 1)}
	for _, address := range []*string{&c.own, &c.pprof} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		*address = l.Addr().String()
		if err := l.Close(); err != nil {
			return nil, err
		}
	}
	file := filepath.Join(dir, "collector.yaml")
	if err := os.WriteFile(file, []byte(configuration(receivers, c.own, c.pprof)), 0o600); err != nil {
		return nil, err
	}
	c.cmd = exec.Command(binary, "--config", file)
	c.cmd.Env = append(os.Environ(), env...)
	c.cmd.Stdout, c.cmd.Stderr = &c.output, &c.output
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { c.done <- c.cmd.Wait() }()
	return c, nil
}

func configuration(receivers, own, pprof string) string {
	host, port, _ := net.SplitHostPort(own)
	name, _, _ := strings.Cut(strings.TrimSpace(receivers), ":")
	return fmt.Sprintf(`receivers:
%s
exporters:
  nop:
extensions:
  pprof: {endpoint: %q}
service:
  extensions: [pprof]
  pipelines:
    metrics: {receivers: [%s], exporters: [nop]}
  telemetry:
    metrics:
      level: basic
      readers:
        - pull: {exporter: {prometheus: {host: %q, port: %s}}}
`, receivers, pprof, name, host, port)
}

// get reads a page of the collector.
func (c *collector) get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: HTTP status %d", url, response.StatusCode)
	}
	return io.ReadAll(io.LimitReader(response.Body, 64<<20))
}

// accepted is how many points its receivers have handed on.
func (c *collector) accepted() (float64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	body, err := c.get(ctx, "http://"+c.own+"/metrics")
	if err != nil {
		return 0, err
	}
	return sumOf(string(body), "otelcol_receiver_accepted_metric_points")
}

// sumOf adds up the series of a counter.
func sumOf(body, family string) (sum float64, err error) {
	for text := range strings.Lines(body) {
		rest, found := strings.CutPrefix(text, family)
		if !found {
			continue
		}
		rest = strings.TrimPrefix(rest, "_total")
		if !strings.HasPrefix(rest, "{") && !strings.HasPrefix(rest, " ") {
			continue
		}
		var v float64
		if _, err := fmt.Sscan(rest[strings.LastIndexByte(strings.TrimSpace(rest), ' ')+1:], &v); err != nil {
			return 0, fmt.Errorf("%q: %w", text, err)
		}
		sum += v
	}
	return sum, nil
}

// stop interrupts the collector and waits for it. One that ended by itself is an error with what it said.
func (c *collector) stop() error {
	select {
	case err := <-c.done:
		return fmt.Errorf("the collector ended by itself: %w\n%.2000s", err, c.output.String())
	default:
	}
	if err := c.cmd.Process.Signal(syscall.SIGINT); err != nil {
		return err
	}
	select {
	case err := <-c.done:
		if err != nil {
			return fmt.Errorf("the collector did not stop well: %w\n%.2000s", err, c.output.String())
		}
		return nil
	case <-time.After(stopWithin):
		return errors.Join(errors.New("the collector did not stop"), c.cmd.Process.Kill(), <-c.done)
	}
}
