package adviceconnector // import "github.com/otelcol-inference/otelcol-inference/connector/adviceconnector"

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/connector/adviceconnector/internal/metadata"
	"github.com/otelcol-inference/otelcol-inference/internal/advice"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// metricsOf writes gauges, grouped by subject as they come.
func metricsOf(gauges []advice.Gauge) pmetric.Metrics {
	md := pmetric.NewMetrics()
	var ms pmetric.MetricSlice
	byName := map[string]pmetric.NumberDataPointSlice{}
	var subject advice.Ref
	for i, g := range gauges {
		if i == 0 || g.Subject.Ref != subject {
			subject = g.Subject.Ref
			rm := md.ResourceMetrics().AppendEmpty()
			writeResource(g.Subject, rm.Resource())
			sm := rm.ScopeMetrics().AppendEmpty()
			sm.Scope().SetName(metadata.ScopeName)
			ms = sm.Metrics()
			clear(byName)
		}
		points, ok := byName[g.Metric]
		if !ok {
			m := ms.AppendEmpty()
			m.SetName(g.Metric)
			m.SetUnit("1") // as the vocabulary has it for all of them
			points = m.SetEmptyGauge().DataPoints()
			byName[g.Metric] = points
		}
		dp := points.AppendEmpty()
		dp.SetTimestamp(pcommon.Timestamp(g.At))
		dp.SetDoubleValue(g.Value)
		if g.Gone {
			dp.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
		}
		for _, a := range g.Attributes {
			dp.Attributes().PutStr(a.Key, a.Value)
		}
	}
	return md
}

// writeResource writes a subject's own resource.
func writeResource(id advice.Identity, r pcommon.Resource) {
	if kept, ok := id.Carry.(pcommon.Resource); ok {
		kept.CopyTo(r)
		return
	}
	r.Attributes().PutStr(signal.AttrFleetName, id.Instance)
}
