package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// emitGPU appends what the GPUs of a worker spent by phase. Its sums begin when the GPUs were joined.
func emitGPU(b *builder, currency string, s *gpuSums) {
	start := pcommon.Timestamp(s.started)
	b.phases(signal.PhaseGPUTime, start, s.time[:], "", "")
	b.phases(signal.PhaseGPUTimeLow, start, s.low[:], "", "")
	b.phases(signal.PhaseGPUTimeHigh, start, s.high[:], "", "")
	if s.priced {
		b.phases(signal.PhaseCost, start, s.cost[:], signal.AttrCurrency, currency)
	}
	if s.known[gpuEnergy] {
		b.phases(signal.PhaseEnergy, start, s.amounts[gpuEnergy][:], "", "")
	}
	for i, unit := range activityUnits() {
		if s.known[gpuTensor+i] {
			b.phases(signal.PhaseGPUActivity, start, s.amounts[gpuTensor+i][:], signal.AttrGPUUnit, unit)
		}
	}
	emitRecent(b, s)
}

// emitJoins appends the GPUs that the worker was joined with, unless its input tells them.
func emitJoins(b *builder) {
	for _, s := range b.w.spending.slots {
		if s.joined && !b.w.told {
			b.Gauge(signal.EngineGPUInfo, 1, signal.AttrHWID, s.gpu.id)
		}
	}
}

// emitRecent appends the ratios of the trailing time. A phase that had none of it has no ratio.
func emitRecent(b *builder, s *gpuSums) {
	r := &s.recent
	for i, unit := range activityUnits() {
		for phase := range r.seconds {
			if s.known[gpuTensor+i] && r.seconds[phase] > 0 {
				b.Gauge(signal.PhaseGPUUtilization, r.amounts[gpuTensor+i][phase]/r.seconds[phase],
					signal.AttrPhase, phaseOrder()[phase], signal.AttrGPUUnit, unit)
			}
		}
	}
	for phase := range r.tokens {
		if s.known[gpuEnergy] && r.tokens[phase] >= 1 {
			b.Gauge(signal.PhaseEnergyPerToken, r.amounts[gpuEnergy][phase]/r.tokens[phase], signal.AttrPhase, phaseOrder()[phase])
		}
	}
	if r.steps >= 1 {
		b.Gauge(signal.PhaseBatch, r.tokens[1]/r.steps, signal.AttrPhase, signal.PhaseDecode)
	}
}
