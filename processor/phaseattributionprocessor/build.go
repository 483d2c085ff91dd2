package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor/internal/metadata"
)

// builder appends what is derived of one worker.
type builder struct {
	*derive.Builder
	w     *worker
	start pcommon.Timestamp // of its sums
}

// newBuilder adds the worker's resource to out, once per batch of windows.
func newBuilder(w *worker, at pcommon.Timestamp, out pmetric.Metrics) *builder {
	start := pcommon.Timestamp(w.sums.started)
	return &builder{derive.NewBuilder(w.table, metadata.ScopeName, w.resource, start, at, &w.gauges, out), w, start}
}

// phases appends a sum by phase, in phaseOrder, and by one more attribute unless that is "".
func (b *builder) phases(name string, start pcommon.Timestamp, values []float64, attribute, value string) {
	for i, v := range values {
		attributes, n := [4]string{signal.AttrPhase, phaseOrder()[i], attribute, value}, 2
		if attribute != "" {
			n = 4
		}
		b.SumSince(start, name, attributes[:n]...).SetDoubleValue(v)
	}
}
