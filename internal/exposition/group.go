package exposition // import "github.com/otelcol-inference/otelcol-inference/internal/exposition"

import (
	"cmp"
	"slices"

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
	shown   []bool // by family index: yields depend on it
}

// stream is one metric and attribute set of a group.
type stream struct {
	family     *dialect.Family
	attributes []dialect.Attribute
	value      parts // of a counter or gauge
	created    parts
	histogram  *histogram // of a histogram, else nil
	tracker    tracker
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

func newGroup(key groupKey, families int) *group {
	return &group{key: key, shown: make([]bool, families)}
}

// stream returns the stream of a series, made at first sight.
func (g *group) stream(f *dialect.Family, s dialect.Series) *stream {
	i, _ := slices.BinarySearchFunc(g.streams, f.Index, func(st *stream, index int) int { return cmp.Compare(st.family.Index, index) })
	for ; i < len(g.streams) && g.streams[i].family == f; i++ {
		if st := g.streams[i]; slices.Equal(st.attributes, s.Attributes) {
			st.value.most = st.value.most || s.Process != ""
			return st
		}
	}
	st := &stream{family: f, attributes: s.Attributes}
	st.value.most = s.Process != "" || f.Metric.Instrument == signal.Gauge
	st.created.most = true
	if f.Kind == dialect.Histogram {
		st.histogram = &histogram{}
	}
	g.streams = slices.Insert(g.streams, i, st)
	g.shown[f.Index] = true
	return st
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
	g.shown[f.Index] = true
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

// shows reports whether a family has series here.
func (g *group) shows(family int) bool { return g.shown[family] }

// yields reports whether a family that is here says the same better.
func (g *group) yields(f *dialect.Family) bool {
	return slices.ContainsFunc(f.Yields, g.shows)
}

// sweep drops what was last seen before a scrape. It reports whether anything is left.
func (g *group) sweep(before uint64) bool {
	clear(g.shown)
	g.streams = slices.DeleteFunc(g.streams, func(s *stream) bool { return !s.sweep(before) })
	g.infos = slices.DeleteFunc(g.infos, func(in *info) bool {
		in.series = slices.DeleteFunc(in.series, func(s *infoSeries) bool { return s.cell.seen < before })
		return len(in.series) == 0
	})
	for _, s := range g.streams {
		g.shown[s.family.Index] = true
	}
	for _, in := range g.infos {
		g.shown[in.family.Index] = true
	}
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

func (s *stream) sweep(before uint64) bool {
	s.created.sweep(before)
	if s.histogram != nil {
		return s.histogram.sweep(before)
	}
	return s.value.sweep(before)
}
