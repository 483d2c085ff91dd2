package exposition

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// text writes metrics compactly: a block per resource, a line per point. Start times are seconds before the point.
func text(md pmetric.Metrics) string {
	var out strings.Builder
	for _, rm := range md.ResourceMetrics().All() {
		fmt.Fprintf(&out, "resource %s\n", attributes(rm.Resource().Attributes()))
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				metric(&out, m)
			}
		}
	}
	return out.String()
}

func metric(out *strings.Builder, m pmetric.Metric) {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		numbers(out, m, "gauge", m.Gauge().DataPoints())
	case pmetric.MetricTypeSum:
		kind := "updowncounter"
		if m.Sum().IsMonotonic() {
			kind = "sum"
		}
		numbers(out, m, kind, m.Sum().DataPoints())
	case pmetric.MetricTypeHistogram:
		for _, p := range m.Histogram().DataPoints().All() {
			fmt.Fprintf(out, "  %s histogram %s %s%s count=%d", m.Name(), m.Unit(), attributes(p.Attributes()),
				since(p.StartTimestamp(), p.Timestamp()), p.Count())
			if p.HasSum() {
				fmt.Fprintf(out, " sum=%v", p.Sum())
			}
			for i, n := range p.BucketCounts().All() {
				bound := math.Inf(1)
				if i < p.ExplicitBounds().Len() {
					bound = p.ExplicitBounds().At(i)
				}
				if n > 0 {
					fmt.Fprintf(out, " <=%v:%d", bound, n)
				}
			}
			fmt.Fprintf(out, " bounds=%d\n", p.ExplicitBounds().Len())
		}
	}
}

func numbers(out *strings.Builder, m pmetric.Metric, kind string, points pmetric.NumberDataPointSlice) {
	for _, p := range points.All() {
		v := p.DoubleValue()
		if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
			v = float64(p.IntValue())
		}
		fmt.Fprintf(out, "  %s %s %s %s%s %v\n", m.Name(), kind, m.Unit(), attributes(p.Attributes()), since(p.StartTimestamp(), p.Timestamp()), v)
	}
}

func since(start, at pcommon.Timestamp) string {
	if start == 0 {
		return ""
	}
	return " since " + at.AsTime().Sub(start.AsTime()).Round(time.Millisecond).String()
}

func attributes(m pcommon.Map) string {
	var all []string
	for k, v := range m.All() {
		all = append(all, k+"="+v.AsString())
	}
	slices.Sort(all)
	return "{" + strings.Join(all, " ") + "}"
}
