package exposition // import "github.com/otelcol-inference/otelcol-inference/internal/exposition"

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// groups writes the streams of groups.
func (o *output) groups(groups []*group) {
	for _, g := range groups {
		for _, s := range g.streams {
			if !g.yields(s.family) {
				o.stream(s)
			}
		}
		for _, in := range g.infos {
			o.facts(in)
		}
	}
}

// stream writes the point of a stream that was on the page.
func (o *output) stream(s *stream) {
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
	p := o.number(s.family.Metric)
	switch s.family.Metric.Instrument {
	case signal.Sum:
		o.track(s, v)
		p.SetStartTimestamp(s.tracker.start)
	case signal.UpDownCounter:
		p.SetStartTimestamp(b.began)
	}
	p.SetDoubleValue(s.family.Scale.Apply(v))
	putAll(p.Attributes(), s.attributes)
}

func (o *output) histogramStream(s *stream) {
	b := o.book
	r := &b.scratch
	switch s.histogram.read(b.scrape, s.family.Scale, r) {
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

// track tells the stream's tracker of its new value.
func (o *output) track(s *stream, v float64) {
	b := o.book
	created, _ := s.created.value(b.scrape)
	if s.tracker.observe(b.now, v, timestamp(created)) {
		b.report.Restarted = true
	}
}

// facts writes the gauges of an info family.
func (o *output) facts(in *info) {
	facts := in.newest(o.book.scrape)
	for _, fact := range facts.Gauges {
		p := o.number(fact.Metric)
		if fact.Metric.Instrument == signal.UpDownCounter {
			p.SetStartTimestamp(o.book.began)
		}
		p.SetDoubleValue(fact.Value)
		putAll(p.Attributes(), fact.Attributes)
	}
}

// info writes the facts of a worker.
func (o *output) info(w *worker, version string) {
	b := o.book
	p := o.number(b.metrics.info)
	p.SetDoubleValue(1)
	a := p.Attributes()
	if version != "" {
		a.PutStr(signal.AttrEngineVersion, version)
	}
	if b.variant != "" {
		a.PutStr(signal.AttrEngineVariant, b.variant)
	}
	if role := b.set.Identity.Role; role != "" {
		a.PutStr(signal.AttrRole, role)
		a.PutStr(signal.AttrRoleSource, signal.RoleSourceConfig)
	} else {
		a.PutStr(signal.AttrRole, signal.RoleUnknown)
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

// drift writes how many families of the engine are unknown.
func (o *output) drift() {
	b := o.book
	if b.dialect == nil {
		return
	}
	p := o.number(b.metrics.drift)
	p.SetStartTimestamp(b.began)
	p.SetIntValue(int64(len(b.drift)))
	p.Attributes().PutStr(signal.AttrEngineName, b.Engine())
}
