package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// page is a recorded metrics page whose counters grow.
type page struct {
	lines []line
	now   func() time.Time // where a family tells the time
}

// line is the text before a value, with its value, or a whole line with its break where nothing changes.
type line struct {
	text    string
	value   float64
	growing bool
	stamp   bool // the value is the time, in microseconds since 1970
}

// readPage reads a page in the text format.
func readPage(path string) (*page, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p := &page{}
	kind := ""
	for text := range strings.Lines(string(raw)) {
		if strings.HasPrefix(text, "#") {
			if f := strings.Fields(text); len(f) == 4 && f[1] == "TYPE" {
				kind = f[3]
			}
			p.lines = append(p.lines, line{text: text})
			continue
		}
		end := strings.LastIndexByte(text, ' ')
		if end < 0 {
			return nil, fmt.Errorf("%s: %q is no sample", path, text)
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(text[end:]), 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %q: %w", path, text, err)
		}
		if kind != "counter" && kind != "histogram" {
			p.lines = append(p.lines, line{text: text})
			continue
		}
		p.lines = append(p.lines, line{text: text[:end+1], value: v, growing: true})
	}
	return p, nil
}

// stamp returns the page with a gauge that tells when it was written. A double holds microseconds of this century.
func (p *page) stamp(gauge string, now func() time.Time) (*page, error) {
	stamped := &page{lines: slices.Clone(p.lines), now: now}
	found := false
	for i, l := range stamped.lines {
		if strings.HasPrefix(l.text, gauge+"{") && !l.growing {
			stamped.lines[i] = line{text: l.text[:strings.LastIndexByte(l.text, ' ')+1], stamp: true}
			found = true
		}
	}
	if !found {
		return nil, fmt.Errorf("the page must have the gauge %s", gauge)
	}
	return stamped, nil
}

// series is how many samples the page has.
func (p *page) series() (n int) {
	for _, l := range p.lines {
		if !strings.HasPrefix(l.text, "#") {
			n++
		}
	}
	return n
}

// types are the families of the page with the types that it declares.
func (p *page) types() map[string]string {
	all := make(map[string]string)
	for _, l := range p.lines {
		if f := strings.Fields(l.text); len(f) == 4 && f[0] == "#" && f[1] == "TYPE" {
			all[f[2]] = f[3]
		}
	}
	return all
}

// write writes the page as it is after n further times what the recorded engine had done. Every counter and every part of a histogram
// grows by the same factor, so that they still fit each other.
func (p *page) write(out *bytes.Buffer, n int64) {
	for _, l := range p.lines {
		out.WriteString(l.text)
		value := l.value * float64(1+n)
		switch {
		case l.stamp:
			value = float64(p.now().UnixMicro())
		case !l.growing:
			continue
		}
		b := strconv.AppendFloat(out.AvailableBuffer(), value, 'f', -1, 64)
		if bytes.IndexByte(b, '.') < 0 {
			b = append(b, '.', '0') // as the Python client writes it
		}
		out.Write(append(b, '\n'))
	}
}
