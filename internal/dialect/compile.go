package dialect // import "github.com/otelcol-inference/otelcol-inference/internal/dialect"

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// Set holds the dialects of all engines. It is read-only and may be shared.
type Set struct {
	dialects []*Dialect
	families []*Family       // by Index
	begin    [256][]*Dialect // those with a prefix that begins with the byte: most names of strangers begin like nobody's
}

// Load compiles the tables of all engines. An error is a mistake in a table.
func Load() (*Set, error) { return Compile(Tables()...) }

// Tables lists the engines, and then what serves beside them. Of two that own a name the first that knows it reads it.
func Tables() []Table {
	return []Table{
		vllm(), sglang(), tensorRT(), tgi(), llamaCpp(), lmdeploy(), triton(),
		dynamoFrontend(), dynamoComponent(), // the page of a front end also has what its router says as a component
		vllmRouter(), sglangRouter(), lmcache(), mooncake(), nixl(), dynamoKVBM(),
	}
}

// Len returns the number of families of all dialects.
func (s *Set) Len() int { return len(s.families) }

// Of returns the first dialect that owns the family or series name, or nil.
func (s *Set) Of(name string) *Dialect {
	if name == "" {
		return nil
	}
	for _, d := range s.begin[name[0]] {
		if d.Owns(name) {
			return d
		}
	}
	return nil
}

// Dialect is a compiled table. It is read-only and may be shared.
type Dialect struct {
	table    Table
	rank     int // place in the set: of the dialects on a page the lowest is that of the engine
	families []*Family
	byID     map[string]*Family
	values   map[string][]*Family // counters, gauges and info families by name
	spreads  map[string][]*Family // histograms by name
	prefixes []string             // of ignored families
}

// Family is a compiled row.
type Family struct {
	Row
	Dialect *Dialect
	Index   int           // from 0 to the set's Len()-1, in the order of the metrics in the vocabulary
	Metric  signal.Metric // the zero Metric for Info and ignored families
	Yields  []int         // indexes of the families it yields to
	Adds    []int         // indexes of the families of Plus

	facts []signal.Metric // of Facts, in their order; the zero Metric for attributes
}

// Spread reports whether the family becomes a histogram.
func (f *Family) Spread() bool { return f.Kind == Histogram && !f.SumOnly }

// Engine returns the value of llm.engine.name.
func (d *Dialect) Engine() string { return d.table.Engine }

// Before reports whether d rather than other is the engine of a page that shows both.
func (d *Dialect) Before(other *Dialect) bool { return other == nil || d.rank < other.rank }

// Companion reports whether the dialect's families serve beside an engine on the engine's page.
func (d *Dialect) Companion() bool { return d.table.Companion }

// Observer returns the value of llm.observer, which is empty for engines.
func (d *Dialect) Observer() string { return d.table.Observer }

// Role returns the role of a program that has only one, or "".
func (d *Dialect) Role() string { return d.table.Role.Always }

// About returns the pages on which the engine tells of itself.
func (d *Dialect) About() []About { return d.table.About }

// Owns reports whether a name belongs to this dialect.
func (d *Dialect) Owns(name string) bool {
	begins := slices.ContainsFunc(d.table.Prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
	return begins && (!d.table.Closed || d.spreads[trimTotal(name)] != nil || d.Resolve(name, "").Verdict != Unknown)
}

// Compile checks tables against the vocabulary.
func Compile(tables ...Table) (*Set, error) {
	s := &Set{}
	metrics := signal.Index(signal.EngineMetrics())
	var errs []error
	for i, t := range tables {
		d, err := compile(t, metrics)
		if err != nil {
			errs = append(errs, fmt.Errorf("dialect %s: %w", t.Engine, err))
		}
		d.rank = i
		s.dialects = append(s.dialects, d)
		s.families = append(s.families, d.families...)
		for _, p := range t.Prefixes {
			if p == "" {
				errs = append(errs, fmt.Errorf("dialect %s: a prefix is empty", t.Engine))
				continue
			}
			if begin := &s.begin[p[0]]; !slices.Contains(*begin, d) {
				*begin = append(*begin, d)
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	s.order()
	return s, nil
}

func compile(t Table, metrics map[string]signal.Metric) (*Dialect, error) {
	d := &Dialect{
		table: t, byID: make(map[string]*Family), values: make(map[string][]*Family), spreads: make(map[string][]*Family),
	}
	var errs []error
	for _, row := range t.Rows {
		if prefix, ok := strings.CutSuffix(row.Name, "*"); ok {
			if row.Ignored == "" {
				errs = append(errs, fmt.Errorf("%s: a prefix can only be ignored", row.Name))
			}
			d.prefixes = append(d.prefixes, prefix)
			continue
		}
		row.ID = cmp.Or(row.ID, row.Name)
		if row.Name != trimTotal(row.Name) {
			errs = append(errs, fmt.Errorf("%s: must be without _total", row.Name))
		}
		if d.byID[row.ID] != nil {
			errs = append(errs, fmt.Errorf("%s: is there twice", row.ID))
		}
		f := &Family{Row: row, Dialect: d}
		d.byID[row.ID] = f
		d.families = append(d.families, f)
	}
	for _, f := range d.families {
		if err := f.link(d.byID, metrics); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.ID, err))
		}
		if f.Kind == Histogram {
			d.spreads[f.Name] = append(d.spreads[f.Name], f)
		} else {
			d.values[f.Name] = append(d.values[f.Name], f)
		}
	}
	return d, errors.Join(errs...)
}

// order numbers the families of all dialects so that those of one metric follow each other, and links who yields to whom.
func (s *Set) order() {
	position := make(map[string]int)
	for i, m := range signal.EngineMetrics() {
		position[m.Name] = i
	}
	slices.SortStableFunc(s.families, func(a, b *Family) int { return cmp.Compare(position[a.Metric.Name], position[b.Metric.Name]) })
	for i, f := range s.families {
		f.Index = i
	}
	tellers := make(map[string][]*Family) // by metric
	for _, f := range s.families {
		tellers[f.Metric.Name] = append(tellers[f.Metric.Name], f)
		for _, fact := range f.Facts {
			tellers[fact.Metric] = append(tellers[fact.Metric], f)
		}
	}
	for _, f := range s.families {
		for _, id := range f.Plus {
			f.Adds = append(f.Adds, f.Dialect.byID[id].Index)
		}
		for _, id := range f.YieldsTo {
			f.Yields = append(f.Yields, f.Dialect.byID[id].Index)
		}
		if !f.Dialect.table.Companion || f.Metric.Name == "" {
			continue
		}
		for _, better := range tellers[f.Metric.Name] {
			if better.Dialect.rank < f.Dialect.rank {
				f.Yields = append(f.Yields, better.Index)
			}
		}
	}
}

// Families returns all families by their Index. The caller must not change it.
func (s *Set) Families() []*Family { return s.families }

// Owns reports whether a dialect owns the name.
func (s *Set) Owns(name string) bool { return s.Of(name) != nil }

// Has reports whether a family, by the name it has on the page, is among the shown ones.
func (d *Dialect) Has(family string, shown []bool) bool {
	name := trimTotal(family)
	return slices.ContainsFunc(slices.Concat(d.values[name], d.spreads[name]), func(f *Family) bool { return shown[f.Index] })
}
