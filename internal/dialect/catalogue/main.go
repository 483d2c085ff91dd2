// Command catalogue prints docs/engines.md from the tables in internal/dialect.
package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
)

func main() {
	if err := write(os.Stdout, dialect.Tables()); err != nil {
		fmt.Fprintln(os.Stderr, "catalogue:", err)
		os.Exit(1)
	}
}

const introduction = `# Engines

What the llm_engine receiver and the llm_engine_normalizer processor read of each program's metrics, and what it becomes
([vocabulary](vocabulary.md)). Generated from ` + "`internal/dialect`" + ` by ` + "`make generate`" + `.

A family is named without the ` + "`_total`" + ` by which clients differ. *yields to* means: left out when that family is on the page, which
says the same better. *blocks* are converted with the engine's own block size; where it tells none there is no point. A family
under a program's prefix that is neither here nor ignored is counted by ` + "`llm.source.drift`" + `.

Programs with an *observer* watch engines or serve beside them: their resources have ` + "`llm.observer`" + ` and no ` + "`llm.engine.name`" + `, so that
nobody adds them to the engines. Where they share a page with an engine, a metric that the engine tells too is taken from the engine.
`

func write(out io.Writer, tables []dialect.Table) error {
	var b strings.Builder
	b.WriteString(introduction)
	for _, t := range tables {
		engine(&b, t)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func engine(b *strings.Builder, t dialect.Table) {
	fmt.Fprintf(b, "\n## %s: %s\n\n", t.Engine, strings.Join(quoted(t.Prefixes), ", "))
	facts := [][2]string{
		{"observer", t.Observer},
		{"rank", code(t.RankLabel)},
		{"model", strings.Join(quoted(t.ModelLabel), ", ")},
		{"role", role(t.Role)},
		{"same figure from several processes, the lowest counts", strings.Join(quoted(t.Replicas), ", ")},
		{"asked of itself once per start", asked(t.About)},
	}
	for _, r := range t.Renamed {
		facts = append(facts, [2]string{"prefix " + code(r.Old), "read as " + code(r.New)})
	}
	for _, f := range facts {
		if f[1] != "" {
			fmt.Fprintf(b, "- %s: %s\n", f[0], f[1])
		}
	}
	b.WriteString("\n| family | becomes | how |\n|---|---|---|\n")
	for _, r := range t.Rows {
		if r.Ignored == "" {
			fmt.Fprintf(b, "| %s | %s | %s |\n", family(r), becomes(r), escape(strings.Join(how(r), "; ")))
		}
	}
	ignored(b, t.Rows)
	inputs(b, t)
}

// inputs says how to switch on what an engine does not tell unasked, and why something cannot be.
func inputs(b *strings.Builder, t dialect.Table) {
	if len(t.Inputs) > 0 {
		b.WriteString("\nInputs that may be off:\n\n")
	}
	for _, h := range t.Inputs {
		fmt.Fprintf(b, "- %s%s: %s\n", h.Source, since(h), code(h.Text))
	}
	if len(t.Lacks) > 0 {
		b.WriteString("\nInputs that there are not:\n\n")
	}
	for _, l := range t.Lacks {
		fmt.Fprintf(b, "- %s: %s\n", l.Source, l.Why)
	}
}

func since(h dialect.Input) string {
	if first := h.First(); first != "" {
		return " (from " + first + ")"
	}
	return ""
}

func family(r dialect.Row) string {
	text := code(r.Name)
	if r.Only.Label != "" {
		values := r.Only.Is
		sign := "="
		if len(values) == 0 {
			values, sign = r.Only.Not, "≠"
		}
		text += fmt.Sprintf(" with %s%s%s", code(r.Only.Label), sign, strings.Join(quoted(values), ", "))
	}
	return text
}

func becomes(r dialect.Row) string {
	if r.AliasOf != "" {
		return "as " + code(r.AliasOf)
	}
	if r.Kind != dialect.Info {
		return code(r.Metric)
	}
	var all []string
	for _, f := range r.Facts {
		all = append(all, code(cmp.Or(f.Metric, f.Attribute)))
	}
	return strings.Join(slices.Compact(all), ", ")
}

func how(r dialect.Row) (notes []string) {
	for _, a := range r.Fixed {
		notes = append(notes, code(a.Key)+"="+a.Value)
	}
	for _, l := range r.Labels {
		notes = append(notes, code(l.To)+" from "+strings.Join(quoted(l.From), " or "))
	}
	if r.Scale.Num != 0 {
		notes = append(notes, fmt.Sprintf("× %g", r.Scale.Num))
	}
	if r.Scale.Den != 0 {
		notes = append(notes, fmt.Sprintf("/ %g", r.Scale.Den))
	}
	switch r.Blocks {
	case dialect.ToTokens:
		notes = append(notes, "blocks to tokens")
	case dialect.ToBlocks:
		notes = append(notes, "tokens to blocks")
	}
	if r.SumOnly {
		notes = append(notes, "sum of the histogram")
	}
	if len(r.Plus) > 0 {
		notes = append(notes, "plus the count of "+strings.Join(quoted(r.Plus), " or, by rank, of "))
	}
	if r.Lies != "" {
		notes = append(notes, "declared "+r.Lies)
	}
	if len(r.YieldsTo) > 0 {
		notes = append(notes, "yields to "+strings.Join(quoted(r.YieldsTo), ", "))
	}
	return notes
}

// ignored lists what is left out on purpose, by reason.
func ignored(b *strings.Builder, rows []dialect.Row) {
	var reasons []string
	names := make(map[string][]string)
	for _, r := range rows {
		if r.Ignored == "" {
			continue
		}
		if names[r.Ignored] == nil {
			reasons = append(reasons, r.Ignored)
		}
		if !slices.Contains(names[r.Ignored], r.Name) {
			names[r.Ignored] = append(names[r.Ignored], r.Name)
		}
	}
	if len(reasons) == 0 {
		return
	}
	b.WriteString("\nIgnored:\n\n")
	for _, reason := range reasons {
		fmt.Fprintf(b, "- %s: %s\n", strings.Join(quoted(names[reason]), ", "), reason)
	}
}

func role(r dialect.Role) string {
	if r.Always != "" {
		return r.Always
	}
	if len(r.Labels) == 0 {
		return ""
	}
	var all []string
	for theirs, ours := range r.Values {
		all = append(all, theirs+" is "+ours)
	}
	slices.Sort(all)
	return strings.Join(quoted(r.Labels), " or ") + ", where " + strings.Join(all, ", ")
}

func asked(pages []dialect.About) string {
	var all []string
	for _, p := range pages {
		text := code(p.Path)
		if p.Detail != "" {
			text += " where " + code(p.Detail) + " is on the page"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

func quoted(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		if out[i] = code(name); name == "" {
			out[i] = "nothing"
		}
	}
	return out
}

func escape(text string) string { return strings.ReplaceAll(text, "|", "\\|") }
