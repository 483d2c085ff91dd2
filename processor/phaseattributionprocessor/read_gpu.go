package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"math"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// gpuInputOf returns which counter of a GPU a point is, or -1.
func gpuInputOf(metric string, attributes pcommon.Map) int {
	switch metric {
	case signal.HWEnergy:
		return gpuEnergy
	case signal.GPUActivityTime:
		switch derive.Text(attributes, signal.AttrGPUUnit) {
		case signal.UnitTensor:
			return gpuTensor
		case signal.UnitSM:
			return gpuSM
		case signal.UnitDRAM:
			return gpuDRAM
		case signal.UnitGraphics:
			return gpuGraphics
		}
	}
	return -1
}

// readGPU takes the points of a metric of the GPU in that slot into the worker's aligner and returns how many were refused for
// their time.
func readGPU(m pmetric.Metric, slot int, latest time.Time, into *window.Aligner) (late int) {
	if m.Type() != pmetric.MetricTypeSum {
		return 0
	}
	delta := m.Sum().AggregationTemporality() == pmetric.AggregationTemporalityDelta
	for _, dp := range m.Sum().DataPoints().All() {
		input, v := gpuInputOf(m.Name(), dp.Attributes()), derive.Number(dp)
		if input < 0 || dp.Flags().NoRecordedValue() || math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		if dp.Timestamp() == 0 || dp.Timestamp() > pcommon.NewTimestampFromTime(latest) {
			late++
			continue
		}
		key, start, at := inputCounters+slot*gpuInputs+input, int64(dp.StartTimestamp()), int64(dp.Timestamp())
		var outcome window.Outcome
		if delta {
			outcome = into.ObserveDelta(key, start, at, window.Value{Sum: v})
		} else {
			outcome = into.Observe(key, at, start, window.Value{Sum: v})
		}
		if outcome == window.Late {
			late++
		}
	}
	return late
}
