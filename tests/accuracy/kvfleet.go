package main

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// tellFleet gives the merged view of the workers' caches to whoever listens, as the receiver does.
func (r *kvPlaying) tellFleet(now time.Duration) error {
	if r.merged == nil || r.also == nil || !r.events {
		return nil
	}
	v := r.merged.View()
	if v.Blocks == 0 {
		return nil
	}
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr(signal.AttrFleetName, r.fleetName)
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName(signal.KVDuplicateRatio)
	dp := m.SetEmptyGauge().DataPoints().AppendEmpty()
	dp.SetTimestamp(pcommon.NewTimestampFromTime(r.cfg.StartTime.Add(now)))
	dp.SetDoubleValue(1 - float64(v.Distinct)/float64(v.Blocks))
	return r.also.ConsumeMetrics(context.Background(), md)
}
