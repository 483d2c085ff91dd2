package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pmetric"
)

const (
	// maxBounds bounds the buckets of a histogram.
	maxBounds = 256
	// usualBounds is how many are taken without an allocation. Engines have 15 to 30.
	usualBounds = 32
)

// latency takes the points of a latency histogram.
func (o *observation) latency(l *latency, m pmetric.Metric) {
	if m.Type() != pmetric.MetricTypeHistogram {
		o.tally[rejectUnsupported] += int64(points(m))
		return
	}
	h := m.Histogram()
	delta := h.AggregationTemporality() == pmetric.AggregationTemporalityDelta
	for i := 0; i < h.DataPoints().Len(); i++ {
		p := h.DataPoints().At(i)
		switch {
		case !o.inTime(p.Timestamp()):
			o.tally[rejectOutOfTime]++
		case p.Flags().NoRecordedValue():
			l.counter.forget()
		default:
			o.buckets(l, p, delta)
		}
	}
}

// buckets takes one histogram point.
func (o *observation) buckets(l *latency, p pmetric.HistogramDataPoint, delta bool) {
	n := finiteBounds(p)
	if n < 0 {
		o.tally[rejectMalformed]++
		return
	}
	if !l.sameBounds(p, n) {
		*l = latency{begun: true, bounds: make([]float64, n)}
		for i := range l.bounds {
			l.bounds[i] = p.ExplicitBounds().At(i)
		}
	}
	var room [2 * (usualBounds + 1)]float64 // on the stack: a worker keeps none of it
	scratch := room[:]
	if n > usualBounds {
		scratch = make([]float64, 2*(n+1))
	}
	values, increase := scratch[:n+1], scratch[n+1:2*(n+1)]
	for i := 0; i < p.BucketCounts().Len(); i++ {
		values[min(i, n)] += float64(p.BucketCounts().At(i))
	}
	got := l.counter.observe(point{
		at: int64(p.Timestamp()), start: int64(p.StartTimestamp()), delta: delta, values: values,
	}, increase)
	if got == late {
		o.tally[rejectOutOfOrder]++
		return
	}
	o.taken = true
	if got == counted {
		l.window.add(o.now, increase)
	}
}

// finiteBounds returns how many finite bounds a point has, -1 where its bounds and counts do not make a histogram. Some sources
// write +Inf as the last bound.
func finiteBounds(p pmetric.HistogramDataPoint) int {
	n := p.ExplicitBounds().Len()
	if n > maxBounds || p.BucketCounts().Len() != n+1 {
		return -1
	}
	before := math.Inf(-1)
	for i := 0; i < n; i++ {
		b := p.ExplicitBounds().At(i)
		if math.IsNaN(b) || b <= before {
			return -1
		}
		before = b
	}
	if n > 0 && math.IsInf(before, 1) {
		n--
	}
	return n
}

// sameBounds reports whether the n finite bounds of p are those of l.
func (l *latency) sameBounds(p pmetric.HistogramDataPoint, n int) bool {
	if len(l.bounds) != n || !l.begun {
		return false
	}
	for i, b := range l.bounds {
		if p.ExplicitBounds().At(i) != b {
			return false
		}
	}
	return true
}

// samples returns the number of samples in the trailing window, absent where the engine reported none of the metric.
func samples(counts []float64) number {
	if counts == nil {
		return number{}
	}
	total := 0.0
	for _, c := range counts {
		total += c
	}
	return some(total)
}
