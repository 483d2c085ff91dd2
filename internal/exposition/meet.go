package exposition // import "github.com/otelcol-inference/otelcol-inference/internal/exposition"

import (
	"bytes"
	"iter"
	"math"
	"strconv"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
)

// Families of the client library that tell something about the process.
const (
	familyProcessStart = "process_start_time_seconds"
	familyPython       = "python_info"
)

// maxGroups bounds the workers of one target. A data-parallel group has a few ranks, seldom hundreds.
const maxGroups = 1000

// maxDrift bounds the unknown families that are told apart.
const maxDrift = 1000

// series takes a sample. For a series that was seen before this is one lookup and two writes.
func (b *Book) series(raw []byte, value float64, p textparse.Parser) {
	c := b.known[string(raw)]
	if c == nil {
		if c = b.meet(raw, p); c == nil {
			return
		}
	}
	c.value, c.seen = value, b.scrape
}

func (b *Book) declare(family []byte, declared string) {
	b.declared = declaration{family, declared}
}

func (b *Book) help(text []byte) {
	if bytes.HasSuffix(text, []byte("..")) {
		b.evidence.DoubleStop = true
	}
}

func (b *Book) end() { b.evidence.EOF = true }

// meet finds the place of a series that was not seen before. It returns nil when the series has none.
func (b *Book) meet(raw []byte, p textparse.Parser) *cell {
	name := nameOf(raw)
	if _, ok := b.foreign[string(name)]; ok {
		return nil
	}
	if len(raw) > maxSeriesBytes {
		b.report.RejectedLong++
		return nil
	}
	family := string(name)
	switch family {
	case familyProcessStart:
		b.known[string(raw)] = &b.process
		return &b.process
	case familyPython:
		b.evidence.Python = true
	}
	d := b.set.Dialects.Of(family)
	if d == nil || b.dialect != nil && d != b.dialect {
		b.ignore(family)
		return nil
	}
	b.dialect = d
	m := d.Resolve(family, b.declaredOf(name))
	if m.Verdict != dialect.Known {
		if m.Verdict == dialect.Unknown {
			b.drifted(m.Base)
		}
		b.ignore(family)
		return nil
	}
	if len(b.known) >= b.set.MaxSeries {
		b.report.RejectedLimit++
		return nil
	}
	var parsed labels.Labels
	p.Labels(&parsed)
	c := b.place(m, pairs(parsed))
	if c != nil {
		b.known[string(raw)] = c
	}
	return c
}

// place makes the cell of a known series and puts it where it counts. It returns nil when the series is malformed.
func (b *Book) place(m dialect.Match, labels iter.Seq2[string, string]) *cell {
	s := b.dialect.Read(m.Family, labels)
	c := &cell{}
	if !s.Ours {
		return c
	}
	g := b.group(groupKey{s.Rank, s.Model})
	switch {
	case g == nil:
		b.report.RejectedLimit++
		return nil
	case m.Family.Kind == dialect.Info:
		if m.Part == dialect.Value {
			g.tell(m.Family, &infoSeries{cell: c, facts: m.Family.ReadFacts(labels)})
		}
		return c
	case m.Part == dialect.Bucket:
		bound, err := strconv.ParseFloat(s.Bound, 64)
		if err != nil || math.IsNaN(bound) {
			b.report.RejectedBad++
			return nil
		}
		g.stream(m.Family, s).histogram.add(m.Part, bound, c)
	case m.Part == dialect.Created:
		g.stream(m.Family, s).created.add(c)
	case m.Family.Kind == dialect.Histogram:
		g.stream(m.Family, s).histogram.add(m.Part, 0, c)
	default:
		g.stream(m.Family, s).value.add(c)
	}
	return c
}

// group returns the group of a key, made at first sight, or nil when there are too many.
func (b *Book) group(key groupKey) *group {
	g := b.groups[key]
	if g == nil && len(b.groups) < maxGroups {
		g = newGroup(key, b.dialect.Len())
		b.groups[key] = g
		b.changed = true
	}
	return g
}

func (b *Book) ignore(family string) {
	if len(b.foreign) < b.set.MaxSeries {
		b.foreign[family] = struct{}{}
	}
}

func (b *Book) drifted(family string) {
	if _, ok := b.drift[family]; !ok && len(b.drift) < maxDrift {
		b.drift[family] = struct{}{}
		b.report.Drift = append(b.report.Drift, family)
	}
}

// declaredOf returns the type of the family that a series belongs to. OpenMetrics declares a counter without its _total.
func (b *Book) declaredOf(name []byte) string {
	if len(b.declared.family) > 0 && bytes.HasPrefix(name, b.declared.family) {
		return b.declared.declared
	}
	return ""
}

func pairs(l labels.Labels) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		more := true
		l.Range(func(l labels.Label) {
			if more {
				more = yield(l.Name, l.Value)
			}
		})
	}
}
