package exposition // import "github.com/otelcol-inference/otelcol-inference/internal/exposition"

import (
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
)

// rawPage collects the families of one page under the engine's own names, for those who have dashboards of them. It remembers
// nothing from page to page but the starts of cumulative series, and costs several times what the canonical reading does.
type rawPage struct {
	book     *Book
	declared declaration
	families []*rawFamily
	byName   map[string]*rawFamily
	taken    int // series
}

// rawFamily is one family on a page.
type rawFamily struct {
	name, declared string
	points         []*rawPoint
	byLabels       map[string]*rawPoint
}

// rawPoint is what the series of a family with the same labels (but for le) become.
type rawPoint struct {
	key       string // of its tracker
	labels    labels.Labels
	value     float64
	histogram *histogram // of a histogram, else nil
}

// raw writes the families of a page into the resource of the target, in a scope of their own.
func (b *Book) raw(body []byte, openMetrics bool, into pmetric.ResourceMetrics) {
	r := &rawPage{book: b, byName: make(map[string]*rawFamily)}
	if _, err := parse(body, openMetrics, r); err != nil {
		return // the first reading has counted it
	}
	if b.starts == nil {
		b.starts = make(map[string]*tracker)
	}
	sm := into.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(b.set.Scope + "/raw")
	sm.Scope().SetVersion(b.set.Version)
	for _, f := range r.families {
		f.write(b, sm.Metrics())
	}
	for key, t := range b.starts {
		if t.last != b.now.at {
			delete(b.starts, key)
		}
	}
}

func (r *rawPage) declare(family []byte, declared string) { r.declared = declaration{family, declared} }
func (r *rawPage) help([]byte)                            {}
func (r *rawPage) end()                                   {}

func (r *rawPage) series(raw []byte, value float64, p textparse.Parser) {
	name, family := string(nameOf(raw)), string(r.declared.family)
	declared := r.declared.declared
	if family == "" || !strings.HasPrefix(name, family) {
		family, declared = name, ""
	}
	if strings.HasSuffix(name, "_created") || name == "" || len(raw) > maxSeriesBytes {
		return // a creation time is the start of the stream, and no metric
	}
	if r.taken++; r.taken > r.book.set.MaxSeries {
		r.book.report.RejectedLimit++
		return
	}
	part := dialect.Value
	switch declared {
	case "histogram":
		part = map[string]dialect.Part{"_bucket": dialect.Bucket, "_sum": dialect.Sum, "_count": dialect.Count}[strings.TrimPrefix(name, family)]
		if part == dialect.Value {
			return
		}
		name = family
	case "summary":
		declared = "" // its parts are told as they are
	}
	r.take(name, declared, part, value, p)
}

func (r *rawPage) take(name, declared string, part dialect.Part, value float64, p textparse.Parser) {
	f := r.byName[name]
	if f == nil {
		f = &rawFamily{name: name, declared: declared, byLabels: make(map[string]*rawPoint)}
		r.byName[name] = f
		r.families = append(r.families, f)
	}
	var all labels.Labels
	p.Labels(&all)
	le := all.Get("le")
	drop := []string{"__name__"}
	if declared == "histogram" {
		drop = append(drop, "le")
	}
	all = labels.NewBuilder(all).Del(drop...).Labels()
	key := name + all.String()
	point := f.byLabels[key]
	if point == nil {
		point = &rawPoint{key: key, labels: all}
		if declared == "histogram" {
			point.histogram = newHistogram()
		}
		f.byLabels[key] = point
		f.points = append(f.points, point)
	}
	if point.histogram == nil {
		point.value = value
		return
	}
	bound := 0.0
	if part == dialect.Bucket {
		var err error
		if bound, err = strconv.ParseFloat(le, 64); err != nil {
			return
		}
	}
	point.histogram.add(part, bound, &cell{value: value, seen: r.book.scrape})
}

// write makes a metric of the family. A family without a declaration, or with one that has no form here, is a gauge.
func (f *rawFamily) write(b *Book, metrics pmetric.MetricSlice) {
	m := pmetric.NewMetric()
	m.SetName(f.name)
	switch f.declared {
	case "counter":
		m.SetEmptySum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		m.Sum().SetIsMonotonic(true)
		for _, p := range f.points {
			if !b.number(p.value) {
				continue
			}
			out := m.Sum().DataPoints().AppendEmpty()
			out.SetStartTimestamp(b.rawStart(p.key, p.value).start)
			p.number(b, out)
		}
	case "histogram":
		m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		for _, p := range f.points {
			p.spread(b, m.Histogram().DataPoints())
		}
	default:
		m.SetEmptyGauge()
		for _, p := range f.points {
			if b.number(p.value) {
				p.number(b, m.Gauge().DataPoints().AppendEmpty())
			}
		}
	}
	if hasPoints(m) {
		m.MoveTo(metrics.AppendEmpty())
	}
}

func hasPoints(m pmetric.Metric) bool {
	switch m.Type() {
	case pmetric.MetricTypeSum:
		return m.Sum().DataPoints().Len() > 0
	case pmetric.MetricTypeHistogram:
		return m.Histogram().DataPoints().Len() > 0
	}
	return m.Gauge().DataPoints().Len() > 0
}

func (p *rawPoint) number(b *Book, out pmetric.NumberDataPoint) {
	out.SetTimestamp(b.now.at)
	out.SetDoubleValue(p.value)
	p.labels.Range(func(l labels.Label) { out.Attributes().PutStr(l.Name, l.Value) })
}

func (p *rawPoint) spread(b *Book, points pmetric.HistogramDataPointSlice) {
	var r reading
	if p.histogram.read(b.scrape, dialect.Scale{}, &r) != present {
		return
	}
	out := points.AppendEmpty()
	out.SetTimestamp(b.now.at)
	out.SetStartTimestamp(b.rawStart(p.key, float64(r.count)).start)
	out.SetCount(r.count)
	if r.hasSum {
		out.SetSum(r.sum)
	}
	out.ExplicitBounds().FromRaw(r.bounds)
	out.BucketCounts().FromRaw(r.counts)
	p.labels.Range(func(l labels.Label) { out.Attributes().PutStr(l.Name, l.Value) })
}

// rawStart notes a value of a cumulative series and returns its tracker.
func (b *Book) rawStart(key string, value float64) *tracker {
	t := b.starts[key]
	if t == nil {
		t = &tracker{}
		b.starts[key] = t
	}
	t.observe(b.now, value, 0)
	return t
}
