package alert

import (
	"fmt"
	"strings"
)

// Runbook writes the page that says of every alert what it means and what to do first.
func Runbook(groups []Group) []byte {
	var b strings.Builder
	b.WriteString("# Alerts\n\n" +
		"What each rule of `distributions/otelcol-inference/prometheus/alerts.yaml` means, where to look and what to do first. Generated from\n" +
		"`internal/grafana` by `make generate`. How to load the rules: [grafana.md](grafana.md#alerts).\n\n" +
		"*critical*: requests fail or soon will; *warning*: users feel it or will; *info*: something could be better.\n")
	for _, g := range groups {
		fmt.Fprintf(&b, "\n## %s\n\n| alert | severity | for | when |\n|---|---|---|---|\n", g.Title)
		for _, a := range g.Alerts {
			fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s |\n", a.Name, strings.ToLower(a.Name), a.Severity, duration(a.For), plain(a.Summary))
		}
		for _, a := range g.Alerts {
			fmt.Fprintf(&b, "\n### %s\n\n%s\n\n**First look.** %s\n\n**First action.** %s\n\n```promql\n%s\n```\n",
				a.Name, a.Meaning, a.Look, a.Action, a.Expression())
		}
	}
	return []byte(b.String())
}

// plain takes the templates out of a summary: what stands for a label's value is its name.
func plain(summary string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(summary, "{{")
		b.WriteString(before)
		if !found {
			return strings.ReplaceAll(b.String(), "|", "\\|")
		}
		inside, after, _ := strings.Cut(rest, "}}")
		name, _, _ := strings.Cut(strings.TrimSpace(inside), " |")
		name = strings.TrimPrefix(strings.TrimPrefix(name, "$labels."), "$")
		b.WriteString("*" + strings.TrimSpace(name) + "*")
		summary = after
	}
}
