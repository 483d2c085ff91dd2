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
type Set struct{ dialects []*Dialect }

// Load compiles the tables of all engines. An error is a mistake in a table.
func Load() (*Set, error) {
	d, err := Compile(vllm())
	if err != nil {
		return nil, err
	}
	return &Set{dialects: []*Dialect{d}}, nil
}

// Of returns the dialect whose engine owns the family or series name, or nil.
func (s *Set) Of(name string) *Dialect {
	for _, d := range s.dialects {
		if d.Owns(name) {
			return d
		}
	}
	return nil
}

// Dialect is a compiled table. It is read-only and may be shared.
type Dialect struct {
	table    Table
	families []*Family
	byName   map[string]*Family
	prefixes []string // of ignored families
}

// Family is a compiled row.
type Family struct {
	Row
	Index  int           // from 0 to Len()-1, in the order of the metrics in the vocabulary
	Metric signal.Metric // the zero Metric for Info and ignored families
	Yields []int         // indexes of the families it yields to

	facts []signal.Metric // of Facts, in their order; the zero Metric for attributes
}

// Engine returns the value of llm.engine.name.
func (d *Dialect) Engine() string { return d.table.Engine }

// Len returns the number of families.
func (d *Dialect) Len() int { return len(d.families) }

// Owns reports whether a name belongs to this engine.
func (d *Dialect) Owns(name string) bool {
	return slices.ContainsFunc(d.table.Prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// Compile checks t against the vocabulary.
func Compile(t Table) (*Dialect, error) {
	d := &Dialect{table: t, byName: make(map[string]*Family, len(t.Rows))}
	var errs []error
	for _, row := range t.Rows {
		if prefix, ok := strings.CutSuffix(row.Name, "*"); ok {
			if row.Ignored == "" {
				errs = append(errs, fmt.Errorf("%s: a prefix can only be ignored", row.Name))
			}
			d.prefixes = append(d.prefixes, prefix)
			continue
		}
		if row.Name != trimTotal(row.Name) {
			errs = append(errs, fmt.Errorf("%s: must be without _total", row.Name))
		}
		if d.byName[row.Name] != nil {
			errs = append(errs, fmt.Errorf("%s: is there twice", row.Name))
		}
		f := &Family{Row: row}
		d.byName[row.Name] = f
		d.families = append(d.families, f)
	}
	metrics := signal.Index(signal.EngineMetrics())
	for _, f := range d.families {
		if err := d.link(f, metrics); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.Name, err))
		}
	}
	d.order()
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("dialect %s: %w", t.Engine, err)
	}
	return d, nil
}

// link resolves what f refers to: its alias, the families it yields to and its metric.
func (d *Dialect) link(f *Family, metrics map[string]signal.Metric) error {
	if f.AliasOf != "" {
		target := d.byName[f.AliasOf]
		if target == nil {
			return fmt.Errorf("alias of the unknown family %s", f.AliasOf)
		}
		row := target.Row
		row.Name, row.AliasOf, row.YieldsTo = f.Name, f.AliasOf, append([]string{f.AliasOf}, target.YieldsTo...)
		f.Row = row
	}
	for _, name := range f.YieldsTo {
		if d.byName[name] == nil {
			return fmt.Errorf("yields to the unknown family %s", name)
		}
	}
	if f.Ignored != "" {
		return nil
	}
	if f.Kind == Info {
		return f.linkFacts(metrics)
	}
	m, ok := metrics[f.Row.Metric]
	if !ok {
		return fmt.Errorf("metric %q is not in the vocabulary", f.Row.Metric)
	}
	f.Metric = m
	return checkMetric(f.Row, m)
}

// order numbers the families so that those of one metric follow each other.
func (d *Dialect) order() {
	position := make(map[string]int)
	for i, m := range signal.EngineMetrics() {
		position[m.Name] = i
	}
	slices.SortStableFunc(d.families, func(a, b *Family) int { return cmp.Compare(position[a.Metric.Name], position[b.Metric.Name]) })
	for i, f := range d.families {
		f.Index = i
	}
	for _, f := range d.families {
		for _, name := range f.YieldsTo {
			if other := d.byName[name]; other != nil {
				f.Yields = append(f.Yields, other.Index)
			}
		}
	}
}

func checkMetric(row Row, m signal.Metric) error {
	fits := map[Kind][]signal.Instrument{
		Counter: {signal.Sum}, Gauge: {signal.Gauge, signal.UpDownCounter}, Histogram: {signal.Histogram},
	}
	if !slices.Contains(fits[row.Kind], m.Instrument) {
		return fmt.Errorf("a %s cannot become the %s %s", row.Kind, m.Instrument, m.Name)
	}
	for _, l := range row.Labels {
		if !slices.Contains(m.Attributes, l.To) {
			return fmt.Errorf("%s has no attribute %s", m.Name, l.To)
		}
	}
	return checkFixed(row.Fixed, m)
}

func (f *Family) linkFacts(metrics map[string]signal.Metric) error {
	if len(f.Facts) == 0 {
		return errors.New("an info family needs facts")
	}
	f.facts = make([]signal.Metric, len(f.Facts))
	for i, fact := range f.Facts {
		if fact.Attribute != "" {
			if !slices.Contains(metrics[signal.EngineInfo].Attributes, fact.Attribute) {
				return fmt.Errorf("%s has no attribute %s", signal.EngineInfo, fact.Attribute)
			}
			continue
		}
		m, ok := metrics[fact.Metric]
		if !ok || m.Instrument != signal.Gauge && m.Instrument != signal.UpDownCounter {
			return fmt.Errorf("metric %q is no gauge of the vocabulary", fact.Metric)
		}
		if err := checkFixed(fact.Fixed, m); err != nil {
			return err
		}
		f.facts[i] = m
	}
	return nil
}

func checkFixed(fixed []Attribute, m signal.Metric) error {
	for _, a := range fixed {
		if !slices.Contains(m.Attributes, a.Key) {
			return fmt.Errorf("%s has no attribute %s", m.Name, a.Key)
		}
	}
	return nil
}
