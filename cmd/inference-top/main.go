// Command inference-top shows in a terminal what the page of the inference_dashboard exporter shows: what is wrong with a fleet, what to do, and
// its workers. It reads the exporter's API and nothing else.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"
)

// Exit codes.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

const (
	minEvery = 200 * time.Millisecond
	maxEvery = time.Minute
	// pipedWidth is how wide lines are where nobody says: in a pipe.
	pipedWidth = 100
)

// options say what is shown and how.
type options struct {
	url   *url.URL
	fleet string
	once  bool
	every time.Duration
	width int // columns; 0: those of the terminal
	plain bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], terminal{os.Stdin, os.Stdout}, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program.
func run(ctx context.Context, args []string, t console, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		fmt.Fprintln(stderr, "inference-top:", err)
		return exitUsage
	}
	c := newClient(o.url)
	if o.once || !t.interactive() {
		err = once(ctx, c, o, t, stdout)
	} else {
		err = live(ctx, c, o, t, stdout)
	}
	if err != nil {
		fmt.Fprintln(stderr, "inference-top:", err)
		return exitError
	}
	return exitOK
}

func parse(args []string, stderr io.Writer) (o options, err error) {
	f := flag.NewFlagSet("inference-top", flag.ContinueOnError)
	f.SetOutput(stderr)
	address := f.String("url", "http://localhost:8899", "where the inference_dashboard exporter serves")
	f.StringVar(&o.fleet, "fleet", "", "name or id of the fleet; without: the one that is worst off")
	f.BoolVar(&o.once, "once", false, "print once and end; so it is without a terminal too")
	f.DurationVar(&o.every, "every", 2*time.Second, "time between two looks")
	f.IntVar(&o.width, "width", 0, "columns; 0: those of the terminal, or 100 without one")
	f.BoolVar(&o.plain, "plain", os.Getenv("NO_COLOR") != "", "no colours; so it is without a terminal, or with NO_COLOR set")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("takes no arguments (got %q)", f.Arg(0))
	}
	if o.url, err = url.Parse(*address); err != nil || (o.url.Scheme != "http" && o.url.Scheme != "https") || o.url.Host == "" {
		return o, fmt.Errorf("url: must be an http or https address (got %q)", *address)
	}
	if o.every < minEvery || o.every > maxEvery {
		return o, fmt.Errorf("every: must be %s..%s (got %s)", minEvery, maxEvery, o.every)
	}
	if o.width != 0 && (o.width < minWidth || o.width > maxWidth) {
		return o, fmt.Errorf("width: must be 0 or %d..%d (got %d)", minWidth, maxWidth, o.width)
	}
	return o, nil
}

// once prints everything there is of a fleet.
func once(ctx context.Context, c *client, o options, t console, stdout io.Writer) error {
	s, err := c.look(ctx, o.fleet)
	if err != nil {
		return err
	}
	width, _, ok := t.size()
	switch {
	case o.width > 0:
		width = o.width
	case !ok:
		width = pipedWidth
	}
	_, err = io.WriteString(stdout, draw(s, width, 0, style{plain: o.plain || !t.coloured()}))
	return err
}

// console is the terminal that the program runs in.
type console interface {
	interactive() bool // keys can be read and the screen written
	coloured() bool    // the output is a terminal
	size() (width, height int, ok bool)
	keys() (keys <-chan byte, restore func(), err error) // one by one, without waiting for a line
}

// terminal is the real one.
type terminal struct{ in, out *os.File }

func (t terminal) coloured() bool    { return term.IsTerminal(int(t.out.Fd())) }
func (t terminal) interactive() bool { return t.coloured() && term.IsTerminal(int(t.in.Fd())) }

func (t terminal) size() (width, height int, ok bool) {
	w, h, err := term.GetSize(int(t.out.Fd()))
	return w, h, err == nil && w > 0
}

func (t terminal) keys() (<-chan byte, func(), error) {
	before, err := term.MakeRaw(int(t.in.Fd()))
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read single keys: %w", err)
	}
	keys := make(chan byte)
	// It reads until the program ends: a read of a terminal cannot be called off.
	go func() {
		defer close(keys)
		var b [1]byte
		for {
			if n, err := t.in.Read(b[:]); err != nil || n == 0 {
				return
			}
			keys <- b[0]
		}
	}()
	return keys, func() { _ = term.Restore(int(t.in.Fd()), before) }, nil
}
