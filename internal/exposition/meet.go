package exposition // import "github.com/otelcol-inference/otelcol-inference/internal/exposition"

import (
	"bytes"
	"hash/fnv"
	"hash/maphash"
	"io"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
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
	c := b.known[b.hash(raw)]
	if c == nil {
		c = b.meet(raw, p)
	}
	b.layout.take(raw, value, c)
	if c != nil {
		c.value, c.seen = value, b.scrape
	}
}

func (b *Book) hash(raw []byte) uint64 { return maphash.Bytes(b.layout.seed, raw) }

func (b *Book) declare(family []byte, declared string) {
	b.declared = declaration{family, declared}
}

func (b *Book) help(text []byte) {
	if bytes.HasSuffix(text, []byte("..")) {
		b.evidence.DoubleStop = true
	}
}

func (b *Book) end() { b.evidence.EOF = true }

// meet finds the place of a series that was not seen before: a place that nobody reads for one of a family that makes no points. It
// returns nil when the series has none.
func (b *Book) meet(raw []byte, p textparse.Parser) *cell {
	name := nameOf(raw)
	if c := b.nobodys(name); c != nil {
		return c
	}
	if len(raw) > maxSeriesBytes {
		b.report.RejectedLong++
		return nil
	}
	family := string(name)
	switch family {
	case familyProcessStart:
		b.known[b.hash(raw)] = &b.process
		return &b.process
	case familyPython:
		b.evidence.Python = true
	}
	if !b.set.Dialects.Owns(family) {
		b.ignore(family, nil)
		return b.nobodys(name)
	}
	var parsed labels.Labels
	p.Labels(&parsed)
	hash := parsed.Hash()
	c := b.alike(hash)
	if c == nil {
		if c = b.meetLabels(family, b.declaredOf(name), pairs(parsed)); c == nil {
			return b.nobodys(name)
		}
		if c.labels = hash; b.same != nil { // nil where room was made
			b.same[hash] = c
		}
	}
	c.seen = b.scrape // before room is made, which would take it for one that is gone
	if b.room(1) {    // without it a series in another order is looked up each time
		b.known[b.hash(raw)] = c
	}
	return c
}

// alike returns the place of the series with these labels in any order, or nil.
func (b *Book) alike(labels uint64) *cell {
	if b.same == nil {
		b.same = make(map[uint64]*cell, len(b.known))
		for _, c := range b.known {
			if c.labels != 0 {
				b.same[c.labels] = c
			}
		}
	}
	return b.same[labels]
}

// meetLabels finds the place of a series by its name and labels. It returns nil when the series has none.
func (b *Book) meetLabels(family, declared string, labels iter.Seq2[string, string]) *cell {
	m, s := b.set.Dialects.Find(family, declared, labels)
	var d *dialect.Dialect
	if m.Certain() {
		d = m.Dialect()
		b.showed(d)
	}
	if m.Verdict != dialect.Known {
		if m.Verdict == dialect.Unknown {
			b.drifted(m.Base, m.Dialect())
		}
		b.ignore(family, d)
		return nil
	}
	if f, alike := m.Alike(); alike && !b.wanted(f) {
		b.shown[f.Index] = true
		b.ignore(family, d)
		return nil
	}
	if !b.room(1) {
		b.report.RejectedLimit++
		return nil
	}
	return b.place(m, s, labels)
}

// room reports whether n more series may be remembered. At the limit those that neither the page before nor this one has make room,
// once a page: label sets that come and go must not keep out what is there.
func (b *Book) room(n int) bool {
	if len(b.known)+n > b.set.MaxSeries && b.cleared != b.scrape {
		b.cleared = b.scrape
		b.drop(b.read)
	}
	return len(b.known)+n <= b.set.MaxSeries
}

// wanted reports whether the metric of a family is to be emitted, or needed to convert others.
func (b *Book) wanted(f *dialect.Family) bool {
	return f.Kind == dialect.Info || b.set.Vocabulary.emitted[f.Metric.Name] || f.Metric.Name == signal.KVBlockSize
}

// place makes the cell of a known series and puts it where it counts. It returns nil when the series is malformed.
func (b *Book) place(m dialect.Match, s dialect.Series, labels iter.Seq2[string, string]) *cell {
	c := &cell{}
	if len(s.Rows) == 0 {
		return c
	}
	bound := 0.0
	if m.Part == dialect.Bucket {
		var err error
		if bound, err = strconv.ParseFloat(s.Bound, 64); err != nil || math.IsNaN(bound) {
			b.report.RejectedBad++
			return nil
		}
	}
	if m.Part == dialect.Bucket || m.Part == dialect.Sum || m.Part == dialect.Count {
		c.owner = ownerOf(labels)
	}
	g := b.group(groupKey{s.Rank, s.Model})
	if g == nil {
		b.report.RejectedLimit++
		return nil
	}
	g.takeRole(b, s.Role)
	if !g.engine && !m.Dialect().Companion() {
		g.engine, b.changed = true, true
	}
	for _, r := range s.Rows {
		f := r.Family
		b.shown[f.Index] = true
		switch {
		case !b.wanted(f):
		case f.Kind == dialect.Info:
			if m.Part == dialect.Value {
				g.tell(f, &infoSeries{cell: c, facts: f.ReadFacts(labels)})
			}
		default:
			b.changed = g.take(m.Part, bound, s, r, c) || b.changed
		}
	}
	return c
}

// ownerOf is a hash of the labels that the parts of one process's histogram have in common, in any order.
func ownerOf(all iter.Seq2[string, string]) (owner uint64) {
	for name, value := range all {
		if name == labels.BucketLabel || name == "__name__" {
			continue
		}
		h := fnv.New64a()
		_, _ = io.WriteString(h, name+"\xff"+value)
		owner ^= h.Sum64()
	}
	return owner
}

// group returns the group of a key, made at first sight, or nil when there are too many.
func (b *Book) group(key groupKey) *group {
	g := b.groups[key]
	if g == nil && len(b.groups) < maxGroups {
		key = groupKey{strings.Clone(key.rank), strings.Clone(key.model)} // not parts of all labels of a series, which would stay
		g = &group{key: key}
		b.groups[key] = g
		b.changed = true
	}
	return g
}

// nobodys returns the place of the series of a family that makes no points, or nil.
func (b *Book) nobodys(family []byte) *cell {
	if f, ok := b.foreign[string(family)]; ok {
		return &f.cell
	}
	return nil
}

// ignore notes a family that makes no points. d is the dialect that it shows for certain, or nil.
func (b *Book) ignore(family string, d *dialect.Dialect) {
	if len(b.foreign) < b.set.MaxSeries {
		b.foreign[family] = &foreign{cell{seen: b.scrape}, d}
	}
}

func (b *Book) drifted(family string, d *dialect.Dialect) {
	if _, ok := b.drift[family]; !ok && len(b.drift) < maxDrift {
		b.drift[family] = d
		b.drifts = nil
		b.report.Drift = append(b.report.Drift, family)
	}
}

// noteVanished counts families that were on the page and are there no more while others of their dialect are. After a restart
// only gauges are missed: the other kinds may come with the first request.
func (b *Book) noteVanished(shown []bool) {
	for _, f := range b.set.Dialects.Families() {
		gone := shown[f.Index] || b.before != nil && b.before[f.Index] && (f.Kind == dialect.Gauge || f.Kind == dialect.Info)
		if !gone || b.shown[f.Index] || !b.wanted(f) || b.tells(f) || !b.shows(f.Dialect) {
			continue
		}
		key := "vanished " + f.ID
		if _, ok := b.drift[key]; !ok && len(b.drift) < maxDrift {
			b.drift[key] = f.Dialect
			b.drifts = nil
			b.report.Vanished = append(b.report.Vanished, f.ID)
		}
	}
	b.before = nil
}

// tells reports whether another family on the page gives the metric of f.
func (b *Book) tells(f *dialect.Family) bool {
	return f.Metric.Name != "" && slices.ContainsFunc(b.set.Dialects.Families(), func(other *dialect.Family) bool {
		return other.Metric.Name == f.Metric.Name && b.shown[other.Index]
	})
}

// shows reports whether the page has a family of the dialect.
func (b *Book) shows(d *dialect.Dialect) bool {
	return slices.ContainsFunc(b.set.Dialects.Families(), func(f *dialect.Family) bool { return f.Dialect == d && b.shown[f.Index] })
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
