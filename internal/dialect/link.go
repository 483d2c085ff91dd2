package dialect // import "github.com/otelcol-inference/otelcol-inference/internal/dialect"

import (
	"errors"
	"fmt"
	"slices"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// link resolves what f refers to: its alias, the families it yields to and its metric.
func (f *Family) link(byID map[string]*Family, metrics map[string]signal.Metric) error {
	if f.AliasOf != "" {
		target := byID[f.AliasOf]
		if target == nil {
			return fmt.Errorf("alias of the unknown family %s", f.AliasOf)
		}
		row := target.Row
		row.Name, row.ID, row.AliasOf = f.Name, f.ID, f.AliasOf
		row.YieldsTo = append([]string{f.AliasOf}, target.YieldsTo...)
		f.Row = row
	}
	for _, id := range f.YieldsTo {
		if byID[id] == nil {
			return fmt.Errorf("yields to the unknown family %s", id)
		}
	}
	for _, id := range f.Plus {
		if more := byID[id]; more == nil || !more.Spread() || f.Kind != Counter {
			return fmt.Errorf("a %s cannot have the count of %s added", f.Kind, id)
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

func checkMetric(row Row, m signal.Metric) error {
	fits := map[Kind][]signal.Instrument{
		Counter: {signal.Sum}, Gauge: {signal.Gauge, signal.UpDownCounter}, Histogram: {signal.Histogram},
	}
	kind := row.Kind
	switch {
	case row.SumOnly && kind != Histogram:
		return fmt.Errorf("a %s has no sum to take", kind)
	case row.SumOnly:
		kind = Counter
	case row.Blocks != AsIs && kind == Histogram:
		return errors.New("the blocks of a histogram cannot be converted")
	}
	if !slices.Contains(fits[kind], m.Instrument) {
		return fmt.Errorf("a %s cannot become the %s %s", kind, m.Instrument, m.Name)
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
