package engine

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// page writes an exposition in the order and form of the Python client library: per family HELP and TYPE, samples, and for
// counters and histograms a further gauge family with the creation time.
type page struct {
	bytes.Buffer
	created string
}

// label is one name="value" pair.
type label struct{ name, value string }

// labelText renders labels sorted by name, braces included; no labels give no braces.
func labelText(labels ...label) string {
	if len(labels) == 0 {
		return ""
	}
	sorted := slices.Clone(labels)
	slices.SortFunc(sorted, func(a, b label) int { return strings.Compare(a.name, b.name) })
	var b strings.Builder
	for i, l := range sorted {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(l.name + `="` + escapeLabel(l.value) + `"`)
	}
	return "{" + b.String() + "}"
}

// escapeLabel escapes a label value; hardly any needs it.
func escapeLabel(v string) string {
	if !strings.ContainsAny(v, "\\\n\"") {
		return v
	}
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).Replace(v)
}

// point is one value of a family.
type point struct {
	labels []label
	value  float64
}

func (p *page) header(name, kind, help string) {
	fmt.Fprintf(p, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

func (p *page) sample(name, labels string, value float64) {
	p.WriteString(name)
	p.WriteString(labels)
	p.WriteByte(' ')
	p.WriteString(pyFloat(value))
	p.WriteByte('\n')
}

func (p *page) gauge(name, help string, points ...point) {
	p.header(name, "gauge", help)
	for _, s := range points {
		p.sample(name, labelText(s.labels...), s.value)
	}
}

// counter writes a family whose samples end in _total; name is without the suffix.
func (p *page) counter(name, help string, points ...point) {
	p.header(name+"_total", "counter", help)
	for _, s := range points {
		p.sample(name+"_total", labelText(s.labels...), s.value)
	}
	p.creation(name, help, points...)
}

// creation writes the gauge family of creation times.
func (p *page) creation(name, help string, points ...point) {
	p.header(name+"_created", "gauge", help)
	for _, s := range points {
		p.WriteString(name + "_created" + labelText(s.labels...) + " " + p.created + "\n")
	}
}

func (p *page) histogram(name, help string, labels []label, h *histogram) {
	p.header(name, "histogram", help)
	var seen uint64
	for i, n := range h.counts {
		bound := "+Inf"
		if i < len(h.bounds) {
			bound = pyFloat(h.bounds[i])
		}
		seen += n
		p.sample(name+"_bucket", labelText(append(slices.Clone(labels), label{"le", bound})...), float64(seen))
	}
	text := labelText(labels...)
	p.sample(name+"_count", text, float64(h.total))
	p.sample(name+"_sum", text, h.sum)
	p.creation(name, help, point{labels: labels})
}
