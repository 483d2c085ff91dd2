package exposition // import "github.com/otelcol-inference/otelcol-inference/internal/exposition"

import (
	"maps"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// worker writes the streams and facts of a worker.
func (o *output) worker(w *worker) {
	for _, s := range w.streams {
		if len(s.family.Yields) == 0 || !o.book.yields(s.family) {
			o.stream(w, s)
		}
	}
	o.facts = true
	if w != o.book.shared {
		o.iterated()
		o.handoffs(w)
		o.unaccounted(w)
	}
	for _, g := range w.groups {
		for _, in := range g.infos {
			if !o.book.yields(in.family) {
				o.told(in)
			}
		}
	}
}

// stream writes the point of a stream that was on the page.
func (o *output) stream(w *worker, s *stream) {
	if s.histogram != nil {
		o.histogramStream(s)
		return
	}
	b := o.book
	v, ok := s.value.value(b.scrape)
	if !ok || !b.number(v) {
		return
	}
	if b.damaged() && s.value.short(b.scrape) {
		b.report.ShortPoints++
		return
	}
	if s.value.hold {
		s.value.correct(b.scrape, s.tracker.restarted(b.now, s.createdAt(b.scrape)), s.tracker.value)
		v, _ = s.value.value(b.scrape)
	}
	converted, ok := o.convert(s.family, v)
	if !ok {
		return
	}
	if len(s.family.Adds) > 0 {
		more, ok := o.firsts(w, s, v)
		if !ok {
			return
		}
		converted += more
	}
	p := o.number(s.family.Metric)
	switch s.family.Metric.Instrument {
	case signal.Sum:
		o.track(s, v)
		p.SetStartTimestamp(s.tracker.start)
	case signal.UpDownCounter:
		p.SetStartTimestamp(b.began)
	}
	p.SetDoubleValue(converted)
	putAll(p.Attributes(), s.attributes)
}

func (o *output) histogramStream(s *stream) {
	b := o.book
	r := &b.scratch
	if !b.damaged() || !s.histogram.short(b.scrape) {
		s.histogram.correct(b.scrape)
	}
	got := s.histogram.read(b.scrape, s.family.Scale, r)
	count := s.tracker.value // unknown where the histogram is inconsistent
	if got == present {
		count = float64(r.count)
	}
	if got != absent && o.beganAnew(s, count) && s.histogram.drop(b.scrape) {
		got = s.histogram.read(b.scrape, s.family.Scale, r)
	}
	switch got {
	case absent:
		return
	case inconsistent:
		b.report.BadHistograms++
		return
	}
	if b.damaged() && s.histogram.short(b.scrape) {
		b.report.ShortPoints++
		return
	}
	o.track(s, float64(r.count))
	p := o.histogram(s.family.Metric)
	p.SetStartTimestamp(s.tracker.start)
	p.SetCount(r.count)
	if r.hasSum {
		p.SetSum(r.sum)
	}
	p.ExplicitBounds().FromRaw(r.bounds)
	p.BucketCounts().FromRaw(r.counts)
	putAll(p.Attributes(), s.attributes)
}

// beganAnew reports whether the stream did, by its value or by what the engine says.
func (o *output) beganAnew(s *stream, v float64) bool {
	return v < s.tracker.value || s.tracker.restarted(o.book.now, s.createdAt(o.book.scrape))
}

// track tells the stream's tracker of its new value.
func (o *output) track(s *stream, v float64) {
	b := o.book
	if s.tracker.observe(b.now, v, s.createdAt(b.scrape)) {
		b.report.Restarted = true
	}
}

// convert gives a value in our unit. ok is false when it needs the block size, which the engine does not tell.
func (o *output) convert(f *dialect.Family, v float64) (converted float64, ok bool) {
	v = f.Scale.Apply(v)
	if f.Blocks == dialect.AsIs {
		return v, true
	}
	tokens, ok := o.block()
	if !ok || tokens <= 0 {
		return 0, false
	}
	if f.Blocks == dialect.ToTokens {
		return v * tokens, true
	}
	return v / tokens, true
}

// blockSize returns the tokens of a KV block of a worker, or of any on the target where it does not tell itself.
func (b *Book) blockSize(w *worker) (tokens float64, ok bool) {
	for _, w := range append([]*worker{w, b.shared}, b.workers...) {
		for _, s := range w.streams {
			if s.family.Metric.Name == signal.KVBlockSize {
				if v, ok := s.value.value(b.scrape); ok {
					return v, true
				}
			}
		}
		for _, g := range w.groups {
			for _, in := range g.infos {
				for _, fact := range in.newest(b.scrape).Gauges {
					if fact.Metric.Name == signal.KVBlockSize {
						return fact.Value, true
					}
				}
			}
		}
	}
	return 0, false
}

// told writes the gauges of an info family.
func (o *output) told(in *info) {
	facts := in.newest(o.book.scrape)
	for _, fact := range facts.Gauges {
		if !o.book.set.Vocabulary.emitted[fact.Metric.Name] {
			continue
		}
		p := o.number(fact.Metric)
		if fact.Metric.Instrument == signal.UpDownCounter {
			p.SetStartTimestamp(o.book.began)
		}
		p.SetDoubleValue(fact.Value)
		putAll(p.Attributes(), fact.Attributes)
	}
}

// info writes the facts of a worker.
func (o *output) info(w *worker) {
	b := o.book
	p := o.number(b.set.Vocabulary.info)
	p.SetDoubleValue(1)
	a := p.Attributes()
	if b.version != "" {
		a.PutStr(signal.AttrEngineVersion, b.version)
	}
	for key, value := range b.told.Facts {
		putFacts(a, []dialect.FactAttribute{{Key: key, Value: value}})
	}
	if b.variant != "" {
		a.PutStr(signal.AttrEngineVariant, b.variant)
	}
	a.PutStr(signal.AttrRole, w.role.name)
	if w.role.source != "" {
		a.PutStr(signal.AttrRoleSource, w.role.source)
	}
	for _, g := range w.groups {
		for _, in := range g.infos {
			facts := in.newest(b.scrape)
			putFacts(a, facts.Attributes)
		}
	}
}

func putFacts(m pcommon.Map, facts []dialect.FactAttribute) {
	for _, f := range facts {
		switch v := f.Value.(type) {
		case string:
			m.PutStr(f.Key, v)
		case bool:
			m.PutBool(f.Key, v)
		case float64:
			m.PutDouble(f.Key, v)
		}
	}
}

// drift writes how many families of each program are unknown or vanished.
func (o *output) drift() {
	b := o.book
	if b.drifts == nil {
		b.drifts = b.countDrift()
	}
	for _, d := range b.drifts {
		p := o.number(b.set.Vocabulary.drift)
		p.SetStartTimestamp(b.began)
		p.SetIntValue(d.families)
		p.Attributes().PutStr(signal.AttrEngineName, d.engine)
	}
}

// driftCount is how many families of a program are unknown or vanished.
type driftCount struct {
	engine   string
	families int64
}

// countDrift counts drift by program, with 0 for those that have none.
func (b *Book) countDrift() []driftCount {
	counts := make(map[string]int64)
	for _, d := range b.dialects {
		counts[d.Engine()] = 0
	}
	for _, d := range b.drift {
		counts[d.Engine()]++
	}
	all := make([]driftCount, 0, len(counts))
	for _, engine := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, driftCount{engine, counts[engine]})
	}
	return all
}

// missing writes the inputs of a worker that are off.
func (o *output) missing(w *worker) {
	b := o.book
	for _, h := range w.missing {
		p := o.number(b.set.Vocabulary.missing)
		p.SetDoubleValue(1)
		p.Attributes().PutStr(signal.AttrSource, h.Source)
		p.Attributes().PutStr(signal.AttrSourceHint, h.Text)
	}
}
