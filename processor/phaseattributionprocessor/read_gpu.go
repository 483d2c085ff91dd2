package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// gpuInputOf returns which counter of a GPU a point is, or -1.
func gpuInputOf(metric string, attributes pcommon.Map) int {
	switch metric {
	case signal.HWEnergy:
		return gpuEnergy
	case signal.GPUActivityTime:
		switch text(attributes, signal.AttrGPUUnit) {
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
	r := reader{into: into, latest: pcommon.NewTimestampFromTime(latest)}
	delta := m.Sum().AggregationTemporality() == pmetric.AggregationTemporalityDelta
	for _, dp := range m.Sum().DataPoints().All() {
		input := gpuInputOf(m.Name(), dp.Attributes())
		if input < 0 || dp.Flags().NoRecordedValue() {
			continue
		}
		t := total{start: dp.StartTimestamp(), at: dp.Timestamp(), value: window.Value{Sum: number(dp)}}
		r.observe(inputCounters+slot*gpuInputs+input, &t, delta)
	}
	return r.late
}
