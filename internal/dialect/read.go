package dialect // import "github.com/otelcol-inference/otelcol-inference/internal/dialect"

import (
	"cmp"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// Series is what the labels of a series of a known family mean.
type Series struct {
	Ours    bool   // false for a series that a router wrote under the engine's names
	Rank    string // data-parallel rank; empty where the engine tells none
	Model   string
	Role    string // in our words; empty where the series tells none
	Bound   string // the le label of a bucket
	Process string // the pid label: one of several processes that each tell the same
	Replica int64  // place among the processes that each tell the same of one engine core; the lowest counts
	Rows    []Reading
}

// Reading is a series read through a row that is for it.
type Reading struct {
	Family     *Family
	Attributes []Attribute
}

// Read reads the labels of a series. Labels that the table does not name are left out.
func (d *Dialect) Read(m Match, labels iter.Seq2[string, string]) Series {
	s := Series{}
	router := false
	modelFrom, replica := len(d.table.ModelLabel), [maxReplicaLabels]int64{}
	for name, value := range labels {
		switch name {
		case d.table.RankLabel:
			s.Rank = value
		case d.table.Router:
			router = true
		case "le":
			s.Bound = value
		case "pid":
			s.Process = value
		}
		if i := slices.Index(d.table.ModelLabel, name); i >= 0 && i < modelFrom && value != "" {
			s.Model, modelFrom = value, i
		}
		if i := slices.Index(d.table.Replicas, name); i >= 0 {
			replica[i] = ordinal(value)
		}
		if role := d.table.Role; slices.Contains(role.Labels, name) {
			s.Role = cmp.Or(s.Role, role.Values[value])
		}
	}
	s.Ours = !router || s.Rank != "" || s.Model != ""
	for _, n := range replica {
		s.Replica = s.Replica*maxOrdinal + n
	}
	for _, f := range m.candidates {
		if f.Only.Label == "" || f.Only.holds(valueOf(labels, f.Only.Label)) {
			s.Rows = append(s.Rows, Reading{f, f.attributes(labels)})
		}
	}
	return s
}

// attributes are those of the point that a series becomes.
func (f *Family) attributes(labels iter.Seq2[string, string]) []Attribute {
	all := append([]Attribute(nil), f.Fixed...)
	for _, l := range f.Labels {
		if value, ok := l.find(labels); ok {
			all = append(all, Attribute{l.To, value})
		}
	}
	return all
}

// Bounds of a replica's place.
const (
	maxReplicaLabels = 3
	maxOrdinal       = 1 << 16
)

// ordinal reads a number from a label; what is none comes last.
func ordinal(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n >= maxOrdinal {
		return maxOrdinal - 1
	}
	return n
}

func valueOf(labels iter.Seq2[string, string], name string) string {
	for n, v := range labels {
		if n == name {
			return v
		}
	}
	return ""
}

// find returns the label's value in our words.
func (l Label) find(labels iter.Seq2[string, string]) (string, bool) {
	for _, from := range l.From {
		for name, value := range labels {
			if name == from {
				return l.ours(value), true
			}
		}
	}
	return "", false
}

func (l Label) ours(value string) string {
	if ours, ok := l.Values[value]; ok {
		return ours
	}
	for theirs, ours := range l.Values {
		if prefix, ok := strings.CutSuffix(theirs, "*"); ok && strings.HasPrefix(value, prefix) {
			return ours
		}
	}
	return value
}

// Facts are what an info series tells.
type Facts struct {
	Gauges     []FactGauge
	Attributes []FactAttribute
}

// FactGauge is a fact that is a number over time.
type FactGauge struct {
	Metric     signal.Metric
	Attributes []Attribute
	Value      float64
}

// FactAttribute is a fact that is an attribute of llm.engine.info. Value is a string, a bool or a float64.
type FactAttribute struct {
	Key   string
	Value any
}

// ReadFacts reads the facts of an info series of f. A fact that the labels do not tell is left out.
func (f *Family) ReadFacts(labels iter.Seq2[string, string]) Facts {
	get := make(map[string]string)
	for name, value := range labels {
		get[name] = value
	}
	var facts Facts
	for i := range f.Facts {
		fact := &f.Facts[i]
		value := fact.value(get)
		if value == nil {
			continue
		}
		if fact.Attribute != "" {
			facts.Attributes = append(facts.Attributes, FactAttribute{fact.Attribute, value})
		} else if number, ok := value.(float64); ok {
			facts.Gauges = append(facts.Gauges, FactGauge{f.facts[i], fact.Fixed, number})
		}
	}
	return facts
}

// value returns the first alternative that the labels tell, or nil.
func (f *Fact) value(labels map[string]string) any {
	for _, names := range f.AnyOf {
		text, ok := labels[names[0]]
		if !ok || text == "None" {
			continue
		}
		switch f.As {
		case Text:
			return text
		case Bool:
			if b, err := strconv.ParseBool(text); err == nil {
				return b
			}
		case Entries:
			return float64(entries(text))
		case Number:
			if v, ok := product(names, labels); ok {
				return v
			}
		}
	}
	return nil
}

func product(names []string, labels map[string]string) (float64, bool) {
	v := 1.0
	for _, name := range names {
		factor, err := strconv.ParseFloat(labels[name], 64)
		if err != nil || math.IsNaN(factor) || math.IsInf(factor, 0) {
			return 0, false
		}
		v *= factor
	}
	return v, true
}

func entries(list string) int {
	n := 0
	for entry := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(entry) != "" {
			n++
		}
	}
	return n
}

// Variant tells which generation of the engine wrote a page, or "" when the page does not show it.
func (d *Dialect) Variant(e Evidence) string {
	for _, v := range d.table.Variants {
		if v.Holds(e) {
			return v.Name
		}
	}
	return ""
}
