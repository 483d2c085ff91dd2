package dialect // import "github.com/otelcol-inference/otelcol-inference/internal/dialect"

import (
	"slices"
	"strings"
)

// Part says what a series is in its family.
type Part uint8

const (
	// Value is the value of a counter, a gauge or an info family.
	Value Part = iota
	// Bucket is one cumulative bucket of a histogram.
	Bucket
	// Sum is the sum of a histogram.
	Sum
	// Count is the count of a histogram.
	Count
	// Created is the time a counter or histogram began, in seconds since 1970. It is no metric of its own.
	Created
)

// Verdict says whether a name is mapped.
type Verdict uint8

const (
	// Unknown means the engine's prefix, but not in its table, or not of the kind that the table says.
	Unknown Verdict = iota
	// Ignored on purpose; the table has the reason.
	Ignored
	// Known means that Family and Part are set.
	Known
)

// Match is what the name of a series resolves to.
type Match struct {
	Verdict Verdict
	Family  *Family
	Part    Part
	Base    string // name of the family, without the suffixes of its parts
}

// Resolve finds the family of a raw series. declared is the type that the page gives the family ("counter", "gauge",
// "histogram", "summary", "info"), or anything else when it gives none. A counter's name matches with any number of _total.
func (d *Dialect) Resolve(name, declared string) Match {
	if f := d.byName[trimTotal(name)]; f != nil && f.Kind != Histogram {
		return match(f, Value, declared)
	}
	for suffix, part := range map[string]Part{"_bucket": Bucket, "_sum": Sum, "_count": Count, "_created": Created} {
		base, ok := strings.CutSuffix(name, suffix)
		if !ok {
			continue
		}
		f := d.byName[trimTotal(base)]
		switch {
		case f == nil:
		case part == Created:
			return match(f, Created, "")
		case f.Kind == Histogram:
			return match(f, part, declared)
		}
	}
	if slices.ContainsFunc(d.prefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
		return Match{Verdict: Ignored}
	}
	return Match{Verdict: Unknown, Base: baseOf(name, declared)}
}

func match(f *Family, part Part, declared string) Match {
	m := Match{Verdict: Known, Family: f, Part: part, Base: f.Name}
	switch {
	case f.Ignored != "":
		m.Verdict = Ignored
	case !f.Kind.accepts(declared):
		m.Verdict = Unknown
	}
	return m
}

// accepts reports whether a family of this kind may be declared so. No declaration, and one that says nothing, is accepted.
func (k Kind) accepts(declared string) bool {
	switch declared {
	case "counter":
		return k == Counter
	case "gauge":
		return k == Gauge || k == Info
	case "info":
		return k == Info
	case "histogram":
		return k == Histogram
	case "summary", "gaugehistogram", "stateset":
		return false
	}
	return true
}

// baseOf guesses the family of a name that no table knows.
func baseOf(name, declared string) string {
	name = strings.TrimSuffix(name, "_created")
	if declared != "counter" && declared != "gauge" {
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			name = strings.TrimSuffix(name, suffix)
		}
	}
	return trimTotal(name)
}

func trimTotal(name string) string {
	for {
		short, ok := strings.CutSuffix(name, "_total")
		if !ok {
			return name
		}
		name = short
	}
}
