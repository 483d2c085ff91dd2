package engine

import (
	"cmp"
	"slices"
	"strings"
)

// label is one name="value" pair.
type label struct{ name, value string }

// labelText renders labels, braces included; no labels give no braces.
func labelText(labels []label, sorted bool) string {
	if len(labels) == 0 {
		return ""
	}
	if sorted {
		labels = sortedLabels(labels)
	}
	var b strings.Builder
	for i, l := range labels {
		b.WriteByte("{,"[min(i, 1)])
		b.WriteString(l.name + `="` + escapeLabel(l.value) + `"`)
	}
	return b.String() + "}"
}

// sortedLabels returns labels sorted by name.
func sortedLabels(labels []label) []label {
	return slices.SortedFunc(slices.Values(labels), func(a, b label) int { return cmp.Compare(a.name, b.name) })
}

// escapeLabel escapes a label value; hardly any needs it.
func escapeLabel(v string) string {
	if !strings.ContainsAny(v, "\\\n\"") {
		return v
	}
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).Replace(v)
}

// and returns labels and more of them, in a list of its own.
func and(labels []label, more ...label) []label { return slices.Concat(labels, more) }
