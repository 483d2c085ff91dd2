package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/words"
)

const (
	minWidth = 30
	maxWidth = 500
	// fewRows is how many workers are shown at least, however low the screen is.
	fewRows = 3
	// mostAdvice is how many recommendations are shown.
	mostAdvice = 3
)

// draw writes a snapshot in lines of at most width columns. With height > 0 it keeps to so many lines by leaving out workers.
func draw(s snapshot, width, height int, paint style) string {
	width = min(max(width, minWidth), maxWidth)
	if s.fleet == nil {
		return strings.Join(wrap("No engine seen yet. Engines of this host are found by their command line; name others in the endpoints of llm_engine.", width), "\n") + "\n"
	}
	lines := head(s, width, paint)
	lines = append(lines, judgement(s.fleet.Verdict, width, paint)...)
	lines = append(lines, recommendations(s.advice, width, paint)...)
	t := newTable(s, width, paint)
	lines = append(lines, "", t.head())
	room := len(s.workers)
	if height > 0 {
		room = max(fewRows, height-len(lines)-1)
	}
	for i, w := range s.workers {
		if i >= room && len(s.workers) > room {
			lines = append(lines, paint.dim(cut(fmt.Sprintf("and %d more", len(s.workers)-i), width)))
			break
		}
		lines = append(lines, t.row(w))
	}
	return strings.Join(lines, "\n") + "\n"
}

// head names the fleet and the moment.
func head(s snapshot, width int, paint style) []string {
	name := s.fleet.Name
	if name == "" {
		name = "unnamed fleet"
	}
	if len(s.all) > 1 {
		name = fmt.Sprintf("%s (fleet %d of %d)", name, s.place, len(s.all))
	}
	w := s.fleet.Workers
	name += fmt.Sprintf("  %d workers", w.Total)
	if w.Down > 0 {
		name += fmt.Sprintf(", %d down", w.Down)
	}
	if w.Stale > 0 {
		name += fmt.Sprintf(", %d silent", w.Stale)
	}
	clock := s.at.Format(time.TimeOnly)
	return []string{paint.dim(pad(name, width-len(clock)-1) + " " + clock), ""}
}

// judgement is the verdict, how sure it is, and the figures behind it.
func judgement(v verdict, width int, paint style) []string {
	tint := paint.bold
	switch v.Code {
	case "prefill_bound":
		tint = paint.prefill
	case "decode_bound":
		tint = paint.decode
	case "workers_down", "tcp_fallback", "kv_storm":
		tint = paint.critical
	case "balanced":
		tint = paint.good
	}
	var lines []string
	for _, line := range wrap(v.Title, width) {
		lines = append(lines, tint(line))
	}
	lines = append(lines, wrap(v.Detail, width)...)
	lines = append(lines, wrap(v.Direction, width)...)
	for _, also := range v.Also {
		for _, line := range wrap("Also: "+also, width) {
			lines = append(lines, paint.dim(line))
		}
	}
	trust := v.Standing
	if v.ConfidenceWord != "" {
		trust = "confidence " + v.ConfidenceWord
		if v.Standing != "final" {
			trust += ", " + v.Standing
		}
	}
	if v.WaitsFor != "" {
		trust += ", waits for " + v.WaitsFor
	}
	if v.Source == "advice" && v.Since > 0 {
		trust += fmt.Sprintf("; since %s, its figures are of %s, those below of now", clock(v.Since), clock(v.Told))
	}
	for _, line := range wrap(trust, width) {
		lines = append(lines, paint.dim(line))
	}
	return append(lines, figures(v.Evidence, width, paint)...)
}

func clock(ms int64) string { return time.UnixMilli(ms).Format(time.TimeOnly) }

// figures writes the evidence side by side, in as many lines as it takes.
func figures(list []evidence, width int, paint style) []string {
	lines := []string{""}
	room := width
	for _, e := range list {
		if e.Value.Value == nil {
			continue
		}
		text, tint := cut(e.Label+" "+amount(e), width), func(s string) string { return s }
		if e.Against != nil && *e.Value.Value > *e.Against {
			tint = paint.critical
		}
		gap := 3
		if room == width {
			gap = 0
		}
		if gap+wide(text) > room {
			lines, room, gap = append(lines, ""), width, 0
		}
		lines[len(lines)-1] += strings.Repeat(" ", gap) + tint(text)
		room -= gap + wide(text)
	}
	if lines[0] == "" {
		return nil
	}
	return append([]string{""}, lines...)
}

func amount(e evidence) string {
	v := *e.Value.Value
	switch {
	case e.Unit == "s":
		text := words.Seconds(v)
		if e.Value.Over {
			text = "> " + text
		}
		if e.Against != nil {
			text += " of " + words.Seconds(*e.Against)
		}
		return text
	case e.Label == "Imbalance":
		return fmt.Sprintf("%+.2f", v)
	case e.Unit == "1":
		return percent(&v)
	}
	return words.Figure(v, 3)
}

// recommendations are the first ones, each with what to copy.
func recommendations(list []advice, width int, paint style) []string {
	if len(list) == 0 {
		return []string{"", paint.dim("No advice stands.")}
	}
	lines := []string{"", paint.bold("What to do")}
	for i, a := range list[:min(mostAdvice, len(list))] {
		title := a.Title
		if title == "" {
			title = strings.ReplaceAll(a.Rule, "-", " ")
		}
		if a.Subject == "worker" {
			title += " (" + a.SubjectName
			if a.others > 0 {
				title += fmt.Sprintf(" and %d more", a.others)
			}
			title += ")"
		}
		if a.AsOf > 0 {
			title += fmt.Sprintf(" (as of %s, no data since)", clock(a.AsOf))
		}
		mark := fmt.Sprintf("%d ", i+1)
		for k, line := range wrap(strings.ToUpper(a.Severity)+" "+title, width-len(mark)) {
			if k > 0 {
				mark = "  "
			}
			lines = append(lines, paint.severity(a.Severity, mark+line))
		}
		lines = indented(lines, a.Action, width)
		for _, change := range strings.Split(a.Change, "\n") {
			if change != "" {
				lines = append(lines, "    "+paint.bold(cut(change, width-4)))
			}
		}
		if p := a.Predicted; p != nil && p.From != nil && p.To != nil {
			lines = indented(lines, fmt.Sprintf("predicted %s: %s to %s", p.Name, quantity(*p.From, p.Unit), quantity(*p.To, p.Unit)), width)
		}
	}
	if more := len(list) - mostAdvice; more > 0 {
		lines = append(lines, paint.dim(fmt.Sprintf("  and %d more", more)))
	}
	return lines
}

func indented(lines []string, text string, width int) []string {
	for _, line := range wrap(text, width-2) {
		lines = append(lines, "  "+line)
	}
	return lines
}
