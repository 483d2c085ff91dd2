package nixlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver"

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/nixl"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/metadata"
)

// microsecond in seconds.
const microsecond = 1e-6

// renderer makes points. It is used by one goroutine at a time.
type renderer struct {
	host     string // "" when the host has no name
	version  string
	nameless bool // no names of agents are told
	table    map[string]signal.Metric
	errors   []string
}

func newRenderer(host, version string) *renderer {
	return &renderer{host: host, version: version, table: signal.Index(signal.NIXLMetrics()), errors: nixl.ErrorNames()}
}

// sheet is the points of one resource at one time.
type sheet struct {
	*renderer
	now   pcommon.Timestamp
	scope pmetric.ScopeMetrics
}

// usualMetrics is how many metrics an agent has.
const usualMetrics = 24

func (r *renderer) sheet(out pmetric.Metrics, resource pcommon.Map, now time.Time) *sheet {
	rm := out.ResourceMetrics().AppendEmpty()
	resource.CopyTo(rm.Resource().Attributes())
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(metadata.ScopeName)
	sm.Scope().SetVersion(r.version)
	sm.Metrics().EnsureCapacity(usualMetrics)
	return &sheet{renderer: r, now: pcommon.NewTimestampFromTime(now), scope: sm}
}

// metric returns the metric of a name, as the vocabulary has it. A sheet has few, and most points are of the one before.
func (s *sheet) metric(name string) pmetric.Metric {
	all := s.scope.Metrics()
	for i := all.Len() - 1; i >= 0; i-- {
		if m := all.At(i); m.Name() == name {
			return m
		}
	}
	declared := s.table[name]
	m := all.AppendEmpty()
	m.SetName(name)
	m.SetUnit(declared.Unit)
	m.SetDescription(declared.Description)
	switch declared.Instrument {
	case signal.Sum, signal.UpDownCounter:
		sum := m.SetEmptySum()
		sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		sum.SetIsMonotonic(declared.Instrument == signal.Sum)
	case signal.Histogram:
		m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	default:
		m.SetEmptyGauge()
	}
	return m
}

// attributes come in pairs of name and value.
func put(m pcommon.Map, attributes []string) {
	m.EnsureCapacity(len(attributes) / 2)
	for i := 0; i+1 < len(attributes); i += 2 {
		m.PutStr(attributes[i], attributes[i+1])
	}
}

func (s *sheet) gauge(name string, attributes ...string) pmetric.NumberDataPoint {
	p := s.metric(name).Gauge().DataPoints().AppendEmpty()
	p.SetTimestamp(s.now)
	put(p.Attributes(), attributes)
	return p
}

func (s *sheet) sum(name string, start time.Time, attributes ...string) pmetric.NumberDataPoint {
	p := s.metric(name).Sum().DataPoints().AppendEmpty()
	p.SetStartTimestamp(pcommon.NewTimestampFromTime(start))
	p.SetTimestamp(s.now)
	put(p.Attributes(), attributes)
	return p
}

// count is a sum of whole numbers.
func (s *sheet) count(name string, start time.Time, n uint64, attributes ...string) {
	s.sum(name, start, attributes...).SetIntValue(whole(n))
}

// whole is n as far as a point can hold it.
func whole(n uint64) int64 { return int64(min(n, 1<<63-1)) }

// distribution is a histogram whose numbers are counted in units of scale.
type distribution struct {
	bounds []float64
	counts []uint64
	sum    float64
}

func scaled(h nixl.Histogram, scale float64) distribution {
	d := distribution{counts: h.Counts, sum: float64(h.Sum) * scale, bounds: make([]float64, len(h.Bounds))}
	for i, b := range h.Bounds {
		d.bounds[i] = bound(float64(b), scale)
	}
	return d
}

// bound scales without the noise of a multiplication: 25 us are 2.5e-05 s.
func bound(b, scale float64) float64 {
	if scale == microsecond {
		return b / 1e6
	}
	return b * scale
}

func (s *sheet) histogram(name string, start time.Time, d distribution, attributes ...string) {
	p := s.metric(name).Histogram().DataPoints().AppendEmpty()
	p.SetStartTimestamp(pcommon.NewTimestampFromTime(start))
	p.SetTimestamp(s.now)
	p.ExplicitBounds().FromRaw(d.bounds)
	p.BucketCounts().FromRaw(d.counts)
	var n uint64
	for _, c := range d.counts {
		n += c
	}
	p.SetCount(n)
	p.SetSum(d.sum)
	put(p.Attributes(), attributes)
}
