package promql

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// Match selects series by a label.
type Match struct {
	Attribute, Operator, Value string
}

// Is selects the series whose attribute has the value.
func Is(attribute, value string) Match { return Match{attribute, "=", value} }

// Not selects those that have another value, or none.
func Not(attribute, value string) Match { return Match{attribute, "!=", value} }

// In selects those whose attribute matches the regular expression.
func In(attribute, expression string) Match { return Match{attribute, "=~", expression} }

// Variable narrows every query of a dashboard to what its variable has chosen, where the metric can have the attribute.
type Variable struct{ Attribute, Name string }

// Scope is where queries are used: over which time rates are taken, and what narrows every selection.
type Scope struct {
	*Vocabulary
	Window    string // of rates, such as $__rate_interval or 5m
	Variables []Variable
}

// Value selects a gauge or an updowncounter.
func (s Scope) Value(metric string, match ...Match) string {
	return s.selector(s.metric(metric, signal.Gauge, signal.UpDownCounter), "", match)
}

// Counted selects a sum as it stands: what was counted since its start. For rare events, of which the first makes the series, so
// that an increase cannot see it.
func (s Scope) Counted(metric string, match ...Match) string {
	return s.selector(s.metric(metric, signal.Sum), "", match)
}

// CountedBefore is Counted as of a time ago, such as 15m.
func (s Scope) CountedBefore(metric, ago string, match ...Match) string {
	return s.Counted(metric, match...) + " offset " + ago
}

// Series is one series, for the data of tests: of any instrument, of a histogram its bucket for le.
func (s Scope) Series(metric string, match ...Match) string {
	m := s.metric(metric)
	if m.Instrument != signal.Histogram {
		return s.selector(m, "", match)
	}
	m.Attributes = append(m.Attributes[:len(m.Attributes):len(m.Attributes)], "le")
	return s.selector(m, "_bucket", match)
}

// Rate is a sum's increase per second.
func (s Scope) Rate(metric string, match ...Match) string {
	return fmt.Sprintf("rate(%s[%s])", s.selector(s.metric(metric, signal.Sum), "", match), s.Window)
}

// Increase is a sum's increase over a time, such as 15m.
func (s Scope) Increase(metric, over string, match ...Match) string {
	return fmt.Sprintf("increase(%s[%s])", s.selector(s.metric(metric, signal.Sum), "", match), over)
}

// Count is the number of a histogram's samples per second.
func (s Scope) Count(metric string, match ...Match) string {
	return fmt.Sprintf("rate(%s[%s])", s.selector(s.metric(metric, signal.Histogram), "_count", match), s.Window)
}

// Total is the sum of a histogram's samples per second.
func (s Scope) Total(metric string, match ...Match) string {
	return fmt.Sprintf("rate(%s[%s])", s.selector(s.metric(metric, signal.Histogram), "_sum", match), s.Window)
}

// Buckets are a histogram's cumulative buckets per second, added up by le and the attributes.
func (s Scope) Buckets(metric string, by []string, match ...Match) string {
	m := s.metric(metric, signal.Histogram)
	return fmt.Sprintf("sum by (%s) (rate(%s[%s]))",
		strings.Join(append([]string{"le"}, s.labels(m, by)...), ", "), s.selector(m, "_bucket", match), s.Window)
}

// Quantile is a quantile over the added buckets of all series: never a mean of quantiles.
func (s Scope) Quantile(q float64, metric string, by []string, match ...Match) string {
	return fmt.Sprintf("histogram_quantile(%s, %s)", strconv.FormatFloat(q, 'g', -1, 64), s.Buckets(metric, by, match...))
}

// Over aggregates an expression of the metric: how is sum, max, min, avg or count. The metric says which attributes there are.
func (s Scope) Over(how, metric, expression string, by ...string) string {
	if len(by) == 0 {
		return fmt.Sprintf("%s(%s)", how, expression)
	}
	return fmt.Sprintf("%s by (%s) (%s)", how, strings.Join(s.labels(s.metric(metric), by), ", "), expression)
}

// Sum adds a gauge or updowncounter up.
func (s Scope) Sum(metric string, by []string, match ...Match) string {
	return s.Over("sum", metric, s.Value(metric, match...), by...)
}

// Max is the largest of a gauge or updowncounter.
func (s Scope) Max(metric string, by []string, match ...Match) string {
	return s.Over("max", metric, s.Value(metric, match...), by...)
}

// SumRate adds the rates of a sum up.
func (s Scope) SumRate(metric string, by []string, match ...Match) string {
	return s.Over("sum", metric, s.Rate(metric, match...), by...)
}

// Legend writes a series' name from labels: text with {attribute} where the label's value shall stand.
func (v *Vocabulary) Legend(text string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		attribute, after, closed := strings.Cut(rest, "}")
		if !closed {
			v.fail("legend %q: a brace is not closed", text)
			return b.String()
		}
		b.WriteString("{{" + v.Label(attribute) + "}}")
		text = after
	}
}

func (s Scope) labels(m signal.Metric, attributes []string) []string {
	labels := make([]string, len(attributes))
	for i, a := range attributes {
		if !s.has(m, a) {
			s.fail("metric %q: has no attribute %q", m.Name, a)
		}
		labels[i] = s.Label(a)
	}
	return labels
}

func (s Scope) selector(m signal.Metric, suffix string, match []Match) string {
	var matchers []string
	for _, one := range match {
		if !s.has(m, one.Attribute) {
			s.fail("metric %q: has no attribute %q", m.Name, one.Attribute)
		}
		matchers = append(matchers, s.Label(one.Attribute)+one.Operator+strconv.Quote(one.Value))
	}
	for _, variable := range s.Variables {
		if s.has(m, variable.Attribute) {
			matchers = append(matchers, s.Label(variable.Attribute)+`=~"$`+variable.Name+`"`)
		}
	}
	name := s.name(m) + suffix
	if len(matchers) == 0 {
		return name
	}
	return name + "{" + strings.Join(matchers, ", ") + "}"
}
