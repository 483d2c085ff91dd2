package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Sequences of ECMA-48 that every terminal of today knows.
const (
	enter = "\x1b[?1049h\x1b[?25l" // the other screen, without a cursor
	leave = "\x1b[?25h\x1b[?1049l"
	home  = "\x1b[H"
	erase = "\x1b[K"
	below = "\x1b[J"
)

// Keys.
const (
	keyInterrupt = 3
	keyTab       = '\t'
)

// viewer is the program while it runs in a terminal.
type viewer struct {
	options options
	console console
	out     io.Writer

	shown snapshot
	err   error // of the last look
	heard time.Time
}

// live shows a fleet until q is pressed or ctx ends. A collector that does not answer is said above what was known last, and asked again;
// while it is waited for, keys are heard.
func live(ctx context.Context, c *client, o options, t console, out io.Writer) error {
	keys, restore, err := t.keys()
	if err != nil {
		return err
	}
	defer restore()
	if _, err := io.WriteString(out, enter); err != nil {
		return err
	}
	defer func() { _, _ = io.WriteString(out, leave) }()
	v := viewer{options: o, console: t, out: out}
	asking := newAsker(ctx, c)
	defer asking.end()
	asking.ask(v.options.fleet)
	ticker := time.NewTicker(o.every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case key, open := <-keys:
			if !open || key == 'q' || key == 'Q' || key == keyInterrupt {
				return nil
			}
			if v.turn(key) {
				asking.ask(v.options.fleet)
			}
		case <-ticker.C:
			asking.ask(v.options.fleet)
		case l := <-asking.looks:
			asking.free()
			if errors.Is(l.err, errNoSuchFleet) && v.shown.fleet != nil {
				v.options.fleet = "" // it is gone: the one that is worst off
				asking.ask(v.options.fleet)
				continue
			}
			if err := v.see(l); err != nil {
				return err
			}
		}
	}
}

// turn chooses another fleet by a key and reports whether it did.
func (v *viewer) turn(key byte) bool {
	n := len(v.shown.all)
	step := 0
	switch key {
	case keyTab, 'n', 'j':
		step = 1
	case 'p', 'k':
		step = n - 1
	case ' ', '\r':
		return true // look now
	}
	if step == 0 || n < 2 {
		return false
	}
	next := v.shown.all[(v.shown.place-1+step)%n]
	v.options.fleet = next.ID
	return true
}

// see draws what came of a look. What cannot be had is said; only a screen that cannot be written is an error.
func (v *viewer) see(l look) error {
	v.err = l.err
	if l.err == nil {
		v.shown, v.heard = l.snapshot, time.Now()
	}
	width, height, ok := v.console.size()
	if !ok {
		width, height = pipedWidth, 24
	}
	if v.options.width > 0 {
		width = v.options.width
	}
	paint := style{plain: v.options.plain}
	text := ""
	if v.err != nil {
		text = v.lost(width, paint)
	}
	if !v.heard.IsZero() {
		text += draw(v.shown, width, height-1, paint)
	}
	return v.write(text, height)
}

func (v *viewer) lost(width int, paint style) string {
	words := "The collector does not answer: " + v.err.Error()
	if !v.heard.IsZero() {
		words += fmt.Sprintf(" (figures of %s)", v.heard.Format(time.TimeOnly))
	}
	return paint.critical(cut(words, width)) + "\n"
}

// write replaces the screen line by line, so that nothing flickers. In raw mode a new line has to begin at the left itself.
func (v *viewer) write(text string, height int) error {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if len(lines) > height {
		lines = lines[:height]
	}
	_, err := io.WriteString(v.out, home+strings.Join(lines, erase+"\r\n")+erase+below)
	return err
}
