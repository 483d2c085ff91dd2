package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter/internal/metadata"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// rejection is why a point was not taken.
type rejection int

const (
	rejectFull        rejection = iota // max_workers is reached and the worker is new
	rejectMalformed                    // bounds and counts that do not fit, an attribute that is missing
	rejectNoIdentity                   // no service.instance.id, or one beyond the length limit
	rejectNotANumber                   // NaN or infinite
	rejectOutOfOrder                   // not newer than the point before, or overlapping it
	rejectOutOfTime                    // too far from the collector's clock
	rejectUnsupported                  // a data type that the page cannot show
	rejections                         // their number
)

func rejectionNames() [rejections]string {
	return [rejections]string{"full", "malformed", "no_identity", "not_a_number", "out_of_order", "out_of_time", "unsupported"}
}

// tally counts the rejections of one batch.
type tally [rejections]int64

// rejectionCounter adds tallies to the internal telemetry.
type rejectionCounter struct {
	counter metric.Int64Counter
	options [rejections]metric.MeasurementOption
}

func newRejectionCounter(t *metadata.TelemetryBuilder) *rejectionCounter {
	r := &rejectionCounter{counter: t.InferenceDashboardPointsRejected}
	for i, name := range rejectionNames() {
		r.options[i] = metric.WithAttributeSet(attribute.NewSet(attribute.String(signal.AttrReason, name)))
	}
	return r
}

func (r *rejectionCounter) add(ctx context.Context, t *tally) {
	for i, n := range t {
		if n > 0 {
			r.counter.Add(ctx, n, r.options[i])
		}
	}
}
