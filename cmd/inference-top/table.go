package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/words"
)

// column is one column of the table of workers.
type column struct {
	title string
	width int
	from  int // columns of the screen from which on it is shown
	left  bool
	cell  func(t table, w worker) string
}

// barWidth is the width of the bar of worker time.
const barWidth = 20

// allColumns are the columns, the worker's name apart, which takes what is left.
func allColumns() []column {
	return []column{
		{"ROLE", 10, 84, true, func(_ table, w worker) string { return w.Identity.Role }},
		{"RUN", 5, 60, false, func(_ table, w worker) string { return whole(w.Load.Running) }},
		{"WAIT", 5, 0, false, func(_ table, w worker) string { return whole(w.Load.Waiting) }},
		{"█ PREFILL ▒ DECODE", barWidth, 100, true, nil},
		{"TTFT", 8, 0, false, func(t table, w worker) string { return latency(w.TTFT, t.fleet.Objectives.TTFT) }},
		{"ITL", 8, 48, false, func(t table, w worker) string { return latency(w.ITL, t.fleet.Objectives.ITL) }},
		{"KV", 5, 0, false, func(_ table, w worker) string { return percent(w.Load.KV) }},
	}
}

// table lays the workers out.
type table struct {
	fleet   *fleet
	at      time.Time
	paint   style
	name    int // width of the worker's name
	columns []column
}

func newTable(s snapshot, width int, paint style) table {
	t := table{fleet: s.fleet, at: s.at, paint: paint, name: width}
	for _, c := range allColumns() {
		if width >= c.from {
			t.columns = append(t.columns, c)
			t.name -= c.width + 1
		}
	}
	return t
}

func (t table) head() string {
	line := pad("WORKER", t.name)
	for _, c := range t.columns {
		line += " " + align(c, c.title)
	}
	return t.paint.dim(line)
}

func align(c column, text string) string {
	if c.left {
		return pad(text, c.width)
	}
	return padLeft(text, c.width)
}

// row is one worker. One that does not count says so in place of its figures.
func (t table) row(w worker) string {
	name := pad(w.Identity.Instance, t.name)
	if w.State.State != "ok" {
		return t.quiet(w, name)
	}
	var line strings.Builder
	line.WriteString(name)
	for _, c := range t.columns {
		line.WriteByte(' ')
		if c.cell == nil {
			line.WriteString(t.bar(w))
			continue
		}
		text := align(c, c.cell(t, w))
		switch {
		case c.title == "TTFT" && late(w.TTFT, t.fleet.Objectives.TTFT), c.title == "ITL" && late(w.ITL, t.fleet.Objectives.ITL):
			text = t.paint.critical(text)
		case c.title == "KV" && orZero(w.Load.KV) >= 0.9:
			text = t.paint.warning(text)
		}
		line.WriteString(text)
	}
	return line.String()
}

func (t table) quiet(w worker, name string) string {
	rest := 0
	for _, c := range t.columns {
		rest += c.width + 1
	}
	if w.State.State == "down" {
		return name + t.paint.critical(pad(" down: its last scrape failed", rest))
	}
	silent := t.at.Sub(time.UnixMilli(w.State.LastHeard)).Round(time.Second)
	return t.paint.dim(name + pad(fmt.Sprintf(" silent for %s", silent), rest))
}

// bar is where the worker's time goes: prefill, decode, idle, and what nobody can tell. Without colours the signs tell them apart.
func (t table) bar(w worker) string {
	if w.Phase.Prefill == nil {
		return t.paint.dim(pad("no estimate yet", barWidth))
	}
	left := barWidth
	part := func(share *float64, sign string) string {
		n := min(left, int(orZero(share)*barWidth+0.5))
		left -= n
		return strings.Repeat(sign, n)
	}
	prefill, decode := part(w.Phase.Prefill, "█"), part(w.Phase.Decode, "▒")
	idle := part(w.Phase.Idle, "·")
	return t.paint.prefill(prefill) + t.paint.decode(decode) + t.paint.dim(idle+strings.Repeat(" ", left))
}

// latency is the percentile nearest to the objective's.
func latency(l map[string]quantile, o objective) string {
	q := l[nearest(o.Quantile)]
	if q.Value == nil {
		return "–"
	}
	if q.Over {
		return ">" + words.Seconds(*q.Value)
	}
	return words.Seconds(*q.Value)
}

func late(l map[string]quantile, o objective) bool {
	q := l[nearest(o.Quantile)]
	return q.Value != nil && o.Max != nil && *q.Value > *o.Max
}

func nearest(q float64) string {
	switch {
	case q >= 0.95:
		return "p99"
	case q >= 0.7 || q == 0:
		return "p90"
	}
	return "p50"
}
