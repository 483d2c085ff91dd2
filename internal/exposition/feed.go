package exposition // import "github.com/otelcol-inference/otelcol-inference/internal/exposition"

import (
	"hash/maphash"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// fedHistogram is where the numbers of one histogram point land.
type fedHistogram struct {
	bounds     []float64
	buckets    []*cell // one more than bounds
	sum, count *cell
	created    *cell
}

// Feed reads the points of one target that somebody else scraped, as far as an engine's dialect knows them, and returns what they
// mean. It tells no up: whoever scrapes does. Points of delta temporality and exponential histograms are left out and counted.
func (b *Book) Feed(rm pmetric.ResourceMetrics) (pmetric.Metrics, Report) {
	at := newest(rm)
	if at == 0 {
		return pmetric.NewMetrics(), Report{}
	}
	b.begin(at)
	for _, sm := range rm.ScopeMetrics().All() {
		for _, m := range sm.Metrics().All() {
			if m.Name() != familyProcessStart && !b.set.Dialects.Owns(m.Name()) {
				continue
			}
			b.feed(m)
		}
	}
	if len(b.dialects) == 0 {
		return pmetric.NewMetrics(), b.report
	}
	return b.finish(false), b.report
}

// newest is the time of the latest point, or 0 when there is none.
func newest(rm pmetric.ResourceMetrics) (at pcommon.Timestamp) {
	for _, sm := range rm.ScopeMetrics().All() {
		for _, m := range sm.Metrics().All() {
			switch m.Type() {
			case pmetric.MetricTypeGauge:
				for _, p := range m.Gauge().DataPoints().All() {
					at = max(at, p.Timestamp())
				}
			case pmetric.MetricTypeSum:
				for _, p := range m.Sum().DataPoints().All() {
					at = max(at, p.Timestamp())
				}
			case pmetric.MetricTypeHistogram:
				for _, p := range m.Histogram().DataPoints().All() {
					at = max(at, p.Timestamp())
				}
			}
		}
	}
	return at
}

func (b *Book) feed(m pmetric.Metric) {
	cumulative := pmetric.AggregationTemporalityCumulative
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		for _, p := range m.Gauge().DataPoints().All() {
			b.feedNumber(m.Name(), "gauge", p)
		}
	case pmetric.MetricTypeSum:
		declared := "gauge"
		if m.Sum().IsMonotonic() {
			declared = "counter"
		}
		if m.Sum().AggregationTemporality() != cumulative {
			b.report.Unreadable += m.Sum().DataPoints().Len()
			return
		}
		for _, p := range m.Sum().DataPoints().All() {
			b.feedNumber(m.Name(), declared, p)
		}
	case pmetric.MetricTypeHistogram:
		if m.Histogram().AggregationTemporality() != cumulative {
			b.report.Unreadable += m.Histogram().DataPoints().Len()
			return
		}
		for _, p := range m.Histogram().DataPoints().All() {
			b.feedHistogram(m.Name(), p)
		}
	case pmetric.MetricTypeExponentialHistogram:
		b.report.Unreadable += m.ExponentialHistogram().DataPoints().Len()
	}
}

func (b *Book) feedNumber(name, declared string, p pmetric.NumberDataPoint) {
	if p.Flags().NoRecordedValue() {
		return
	}
	v := p.DoubleValue()
	if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
		v = float64(p.IntValue())
	}
	key := fedKey(name, p.Attributes())
	c := b.known[b.hashOf(key)]
	if c == nil {
		if c = b.meetFed(key, name, declared, labelsOf(p.Attributes())); c == nil {
			return
		}
	}
	c.value, c.seen = v, b.scrape
	if declared != "counter" || p.StartTimestamp() == 0 {
		return
	}
	key += " created"
	created := b.known[b.hashOf(key)]
	if created == nil {
		if created = b.meetFed(key, name+"_created", "", labelsOf(p.Attributes())); created == nil {
			return
		}
	}
	created.value, created.seen = seconds(p.StartTimestamp()), b.scrape
}

func (b *Book) feedHistogram(name string, p pmetric.HistogramDataPoint) {
	bounds := p.ExplicitBounds()
	if p.Flags().NoRecordedValue() || p.BucketCounts().Len() != 0 && p.BucketCounts().Len() != bounds.Len()+1 {
		return
	}
	key := fedKey(name, p.Attributes())
	h := b.fed[key]
	if h == nil || !slices.Equal(h.bounds, bounds.AsRaw()) {
		if h = b.meetHistogram(key, name, p); h == nil {
			return
		}
	}
	cumulative := uint64(0)
	for i, c := range h.buckets {
		if i < p.BucketCounts().Len() {
			cumulative += p.BucketCounts().At(i)
			put(c, float64(cumulative), b.scrape)
		}
	}
	put(h.count, float64(p.Count()), b.scrape)
	if p.HasSum() {
		put(h.sum, p.Sum(), b.scrape)
	}
	if p.StartTimestamp() != 0 {
		put(h.created, seconds(p.StartTimestamp()), b.scrape)
	}
}

func put(c *cell, v float64, scrape uint64) {
	if c != nil {
		c.value, c.seen = v, scrape
	}
}

// meetHistogram finds the places of the numbers of a histogram that was not seen before, or has other buckets than then.
func (b *Book) meetHistogram(key, name string, p pmetric.HistogramDataPoint) *fedHistogram {
	all := labelsOf(p.Attributes())
	h := &fedHistogram{bounds: p.ExplicitBounds().AsRaw()}
	part := func(suffix, le string) *cell {
		return b.meetFed(key+suffix+le, name+suffix, "histogram", func(yield func(string, string) bool) {
			for k, v := range all {
				if !yield(k, v) {
					return
				}
			}
			if le != "" {
				yield("le", le)
			}
		})
	}
	b.room(p.BucketCounts().Len() + 3) // before its cells are made: they are not written yet, and would be swept
	h.count, h.sum = part("_count", ""), part("_sum", "")
	if h.count == nil && h.sum == nil {
		return nil // not mapped, or beyond the limit
	}
	for i := range p.BucketCounts().Len() {
		bound := math.Inf(1)
		if i < len(h.bounds) {
			bound = h.bounds[i]
		}
		h.buckets = append(h.buckets, part("_bucket", strconv.FormatFloat(bound, 'g', -1, 64)))
	}
	h.created = b.meetFed(key+"_created", name+"_created", "", all)
	if b.fed == nil {
		b.fed = make(map[string]*fedHistogram)
	}
	b.fed[key] = h
	return h
}

// meetFed finds the place of a number that was not seen before, or returns nil.
func (b *Book) meetFed(key, name, declared string, all iter.Seq2[string, string]) *cell {
	if f, ok := b.foreign[name]; ok {
		f.seen = b.scrape
		return nil
	}
	if name == familyProcessStart {
		b.known[b.hashOf(key)] = &b.process
		return &b.process
	}
	c := b.known[b.hashOf(key)]
	if c == nil {
		if c = b.meetLabels(name, declared, all); c != nil {
			b.known[b.hashOf(key)] = c
		}
	}
	return c
}

func seconds(t pcommon.Timestamp) float64 { return float64(t) / 1e9 }

func (b *Book) hashOf(key string) uint64 { return maphash.String(b.layout.seed, key) }

// fedKey identifies a series by its name and attributes, whatever their order.
func fedKey(name string, attributes pcommon.Map) string {
	pairs := make([]string, 0, 8)
	for k, v := range attributes.All() {
		pairs = append(pairs, k+"\x00"+v.AsString())
	}
	slices.Sort(pairs)
	return name + "\x01" + strings.Join(pairs, "\x01")
}

func labelsOf(attributes pcommon.Map) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for k, v := range attributes.All() {
			if !yield(k, v.AsString()) {
				return
			}
		}
	}
}
