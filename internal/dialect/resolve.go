package dialect // import "github.com/otelcol-inference/otelcol-inference/internal/dialect"

import (
	"iter"
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
	// Known means that there are rows for the name.
	Known
	// Foreign means that no dialect owns the name.
	Foreign
)

// Match is what the name of a series resolves to.
type Match struct {
	Verdict Verdict
	Part    Part
	Base    string // name of the family, without the suffixes of its parts

	dialect    *Dialect
	certain    bool
	candidates []*Family // rows of the name; the labels of a series decide between them
}

// Find finds the row of a raw series among all dialects, and reads its labels through it. declared is the type that the page
// gives the family. A series of a known family that no row is for, or that a router wrote, has no Rows.
func (s *Set) Find(name, declared string, labels iter.Seq2[string, string]) (Match, Series) {
	first, owners := Match{Verdict: Foreign}, 0
	for _, d := range s.dialects {
		if !d.Owns(name) {
			continue
		}
		owners++
		m := d.Resolve(name, declared)
		if m.Verdict == Known {
			series := d.Read(m, labels)
			if series.Ours {
				m.certain = true
				return m, series
			}
		}
		if first.Verdict == Foreign || first.Verdict == Unknown && m.Verdict != Unknown {
			first = m
		}
	}
	first.certain = first.Verdict == Ignored && owners == 1
	return first, Series{}
}

// Dialect returns the dialect that the name belongs to, or nil.
func (m Match) Dialect() *Dialect { return m.dialect }

// Certain reports whether the series shows that the program of the dialect wrote the page: not a name that several own, nor one that
// nobody knows.
func (m Match) Certain() bool { return m.certain }

// Alike reports whether all series of the name share one row, so that none of them need be read to know its metric.
func (m Match) Alike() (*Family, bool) {
	if len(m.candidates) != 1 || m.candidates[0].Only.Label != "" {
		return nil, false
	}
	return m.candidates[0], true
}

// Resolve finds the family of a raw series. declared is the type that the page gives the family ("counter", "gauge",
// "histogram", "summary", "info"), or anything else when it gives none. A counter's name matches with any number of _total.
func (d *Dialect) Resolve(name, declared string) Match {
	for _, r := range d.table.Renamed {
		if rest, ok := strings.CutPrefix(name, r.Old); ok {
			name = r.New + rest
			break
		}
	}
	if rows := d.values[trimTotal(name)]; rows != nil {
		return d.match(rows, Value, declared)
	}
	for _, p := range [...]struct {
		suffix string
		part   Part
	}{{"_bucket", Bucket}, {"_sum", Sum}, {"_count", Count}, {"_created", Created}} {
		base, ok := strings.CutSuffix(name, p.suffix)
		if !ok {
			continue
		}
		base = trimTotal(base)
		if rows := d.spreads[base]; rows != nil {
			return d.match(rows, p.part, declared)
		}
		if rows := d.values[base]; rows != nil && (p.part == Created || verdictOf(rows) == Ignored) {
			return d.match(rows, p.part, "")
		}
	}
	if rows := d.spreads[trimTotal(name)]; rows != nil { // a histogram's name with another type's form
		return Match{Verdict: verdictOf(rows), Base: rows[0].Name, dialect: d}
	}
	if slices.ContainsFunc(d.prefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
		return Match{Verdict: Ignored, dialect: d}
	}
	return Match{Verdict: Unknown, Base: baseOf(name, declared), dialect: d}
}

// match keeps the rows that are not ignored and may be declared so.
func (d *Dialect) match(rows []*Family, part Part, declared string) Match {
	m := Match{Verdict: verdictOf(rows), Part: part, Base: rows[0].Name, dialect: d}
	for _, f := range rows {
		if f.Ignored != "" || part != Created && !f.accepts(declared) {
			continue
		}
		m.Verdict = Known
		m.candidates = append(m.candidates, f)
	}
	if m.Verdict == Known && m.candidates[0].SumOnly {
		switch part {
		case Sum:
			m.Part = Value
		case Bucket, Count:
			return Match{Verdict: Ignored, Base: m.Base, dialect: d}
		}
	}
	return m
}

// verdictOf is the verdict on rows none of which can be taken.
func verdictOf(rows []*Family) Verdict {
	if slices.ContainsFunc(rows, func(f *Family) bool { return f.Ignored != "" }) {
		return Ignored
	}
	return Unknown
}

// accepts reports whether the family may be declared so.
func (f *Family) accepts(declared string) bool {
	return f.Kind.accepts(declared) || f.Lies != "" && declared == f.Lies
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
