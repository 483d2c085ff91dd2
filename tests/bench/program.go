package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// stopWithin bounds the end of a program, and any request to it.
const stopWithin = 20 * time.Second

// program is a running one.
type program struct {
	cmd    *exec.Cmd
	output bytes.Buffer // what it said; complete when stopped
	done   chan error
	site   site
}

// site is what a program finds: its folder, what it shall look at, and where it may listen.
type site struct {
	dir     string
	targets []string // host:port each
	own     string   // address of its own metrics
	pprof   string   // address of its profiles, at /debug/pprof
}

// newSite finds addresses that are free.
func newSite(dir string, targets []string) (site, error) {
	s := site{dir: dir, targets: targets}
	for _, address := range []*string{&s.own, &s.pprof} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return s, err
		}
		*address = l.Addr().String()
		if err := l.Close(); err != nil {
			return s, err
		}
	}
	return s, nil
}

// start runs a subject with the limits that all have in common, or with its own.
func start(s subject, at site) (*program, error) {
	cmd, err := s.command(at)
	if err != nil {
		return nil, err
	}
	c := &program{cmd: cmd, site: at, done: make(chan error, 1)}
	limits := s.limits
	if limits == nil {
		limits = []string{"GOGC=100", "GOMEMLIMIT=1GiB", "GOMAXPROCS=2"}
	}
	c.cmd.Env = append(c.cmd.Environ(), limits...)
	if s.silent {
		c.cmd.Stdout, c.cmd.Stderr = nil, nil
	} else {
		c.cmd.Stdout, c.cmd.Stderr = &c.output, &c.output
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { c.done <- c.cmd.Wait() }()
	return c, nil
}

// get reads a page of the program.
func (c *program) get(ctx context.Context, url string) ([]byte, error) {
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

// counted is the sum of a counter's series on the program's own page.
func (c *program) counted(family string) (float64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	body, err := c.get(ctx, "http://"+c.site.own+"/metrics")
	if err != nil {
		return 0, err
	}
	return sumOf(string(body), family)
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

// stop interrupts the program and waits for it. One that ended by itself is an error with what it said.
func (c *program) stop() error {
	select {
	case err := <-c.done:
		return fmt.Errorf("the program ended by itself: %w\n%.2000s", err, c.output.String())
	default:
	}
	if err := c.cmd.Process.Signal(syscall.SIGINT); err != nil {
		return err
	}
	select {
	case err := <-c.done:
		if err != nil {
			return fmt.Errorf("the program did not stop well: %w\n%.2000s", err, c.output.String())
		}
		return nil
	case <-time.After(stopWithin):
		return errors.Join(errors.New("the program did not stop"), c.cmd.Process.Kill(), <-c.done)
	}
}
