package exposition // import "github.com/otelcol-inference/otelcol-inference/internal/exposition"

import (
	"cmp"
	"slices"
	"unique"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// groupKey is what the labels of a series say of its worker. Some series leave out the rank, the model or both.
type groupKey struct{ rank, model string }

// group holds the streams whose series have one key.
type group struct {
	key     groupKey
	streams []*stream // by family, then as met
	infos   []*info
	role    string // that the labels tell
	engine  bool   // an engine wrote series of it, not only what serves beside one
	// Of a target that somebody else scrapes: when it was first seen, or again after another model had succeeded it, and when last.
	came, last pcommon.Timestamp
	back       bool // it came back once
}

// stream is one metric and attribute set of a group.
type stream struct {
	family     *dialect.Family
	attributes []dialect.Attribute
	value      parts // of a counter or gauge
	created    parts
	histogram  *histogram // of a histogram, else nil
	tracker    tracker
	firsts     float64 // of a family that leaves out one for each request: those
	replica    int64   // of the processes that tell the same, the one that counts
}

// info holds the series of one info family. Several say the same at different times; the one with the largest value is newest.
type info struct {
	family *dialect.Family
	series []*infoSeries
}

type infoSeries struct {
	cell  *cell
	facts dialect.Facts
}

// takeRole notes the role that a series tells.
func (g *group) takeRole(b *Book, role string) {
	if role != "" && role != g.role {
		g.role = role
		b.changed = true
	}
}

// take gives a series its place. It reports whether a stream was made.
func (g *group) take(part dialect.Part, bound float64, s dialect.Series, r dialect.Reading, c *cell) (made bool) {
	if r.Family.Shared {
		s.Replica = 0
	}
	st, made := g.stream(s, r)
	switch {
	case s.Replica > st.replica:
		return made
	case s.Replica < st.replica:
		st.clear()
		st.replica = s.Replica
	}
	switch {
	case part == dialect.Created:
		st.created.add(c)
	case st.histogram != nil:
		st.histogram.add(part, bound, c)
	default:
		st.value.add(c)
	}
	return made
}

// stream returns the stream of a series, made at first sight.
func (g *group) stream(s dialect.Series, r dialect.Reading) (st *stream, made bool) {
	f := r.Family
	i, _ := slices.BinarySearchFunc(g.streams, f.Index, func(st *stream, index int) int { return cmp.Compare(st.family.Index, index) })
	for ; i < len(g.streams) && g.streams[i].family == f; i++ {
		if st := g.streams[i]; slices.Equal(st.attributes, r.Attributes) {
			st.value.most = st.value.most || s.Process != ""
			st.value.hold = st.value.hold && !st.value.most
			return st, false
		}
	}
	for i, a := range r.Attributes {
		r.Attributes[i].Value = unique.Make(a.Value).Value() // not a part of all labels of the series, which would stay
	}
	st = &stream{family: f, attributes: r.Attributes, replica: s.Replica}
	st.value.most = s.Process != "" || f.Metric.Instrument == signal.Gauge
	st.value.hold = f.Metric.Instrument == signal.Sum && !st.value.most
	st.created.most = true
	if f.Spread() {
		st.histogram = newHistogram()
	}
	g.streams = slices.Insert(g.streams, i, st)
	return st, true
}

// compact gives back the room that growing left.
func (s *stream) compact() {
	if h := s.histogram; h != nil && len(h.buckets) < cap(h.buckets) {
		h.buckets = append(make([]bucket, 0, len(h.buckets)), h.buckets...)
	}
}

// clear drops all series of a stream.
func (s *stream) clear() {
	s.value = parts{most: s.value.most, hold: s.value.hold}
	s.created = parts{most: true}
	if s.histogram != nil {
		s.histogram = newHistogram()
	}
}

// tell adds a series of an info family.
func (g *group) tell(f *dialect.Family, s *infoSeries) {
	for _, in := range g.infos {
		if in.family == f {
			in.series = append(in.series, s)
			return
		}
	}
	g.infos = append(g.infos, &info{f, []*infoSeries{s}})
}

// newest returns the facts in force as of a scrape.
func (in *info) newest(scrape uint64) (facts dialect.Facts) {
	best, ok := 0.0, false
	for _, s := range in.series {
		if s.cell.seen == scrape && (!ok || s.cell.value >= best) {
			best, facts, ok = s.cell.value, s.facts, true
		}
	}
	return facts
}

// show marks the families that have series here.
func (g *group) show(shown []bool) {
	for _, s := range g.streams {
		shown[s.family.Index] = true
	}
	for _, in := range g.infos {
		shown[in.family.Index] = true
	}
}

// sweep drops what was last seen before a scrape. It reports whether anything is left.
func (g *group) sweep(before uint64) bool {
	g.streams = slices.DeleteFunc(g.streams, func(s *stream) bool { return !s.sweep(before) })
	g.infos = slices.DeleteFunc(g.infos, func(in *info) bool {
		in.series = slices.DeleteFunc(in.series, func(s *infoSeries) bool { return s.cell.seen < before })
		return len(in.series) == 0
	})
	return len(g.streams)+len(g.infos) > 0
}

// seen reports whether the stream was on the page of a scrape.
func (s *stream) seen(scrape uint64) bool {
	if s.histogram != nil {
		_, ok := s.histogram.count.value(scrape)
		return ok
	}
	_, ok := s.value.value(scrape)
	return ok
}

// createdAt returns when the stream was created, as its series tell it, or 0. Of several each has its own time: one that joined or
// began anew later says nothing of the rest, so that they count for the first point only.
func (s *stream) createdAt(scrape uint64) pcommon.Timestamp {
	counts := &s.value
	if s.histogram != nil {
		counts = &s.histogram.count
	}
	if s.tracker.start != 0 && !counts.single() {
		return 0
	}
	created, _ := s.created.value(scrape)
	return timestamp(created)
}

// since reports whether a page since a scrape had anything of the group.
func (g *group) since(scrape uint64) bool {
	return slices.ContainsFunc(g.streams, func(s *stream) bool { return s.since(scrape) }) ||
		slices.ContainsFunc(g.infos, func(in *info) bool {
			return slices.ContainsFunc(in.series, func(s *infoSeries) bool { return s.cell.seen >= scrape })
		})
}

// since reports whether a page since a scrape had the stream.
func (s *stream) since(scrape uint64) bool {
	if s.histogram != nil {
		return s.histogram.count.since(scrape)
	}
	return s.value.since(scrape)
}

func (s *stream) sweep(before uint64) bool {
	s.created.sweep(before)
	if s.histogram != nil {
		return s.histogram.sweep(before)
	}
	return s.value.sweep(before)
}
