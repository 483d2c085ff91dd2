package grafana

import (
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/grafana/alert"
	"github.com/otelcol-inference/otelcol-inference/internal/grafana/promql"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

func gpuAlerts(s promql.Scope) []alert.Alert {
	gpu := by(signal.AttrHostName, signal.AttrHWID)
	of := "GPU {{ $labels." + s.Label(signal.AttrHWID) + " }} of {{ $labels." + s.Label(signal.AttrHostName) + " }}"
	device := func(more ...promql.Match) []promql.Match {
		return host(append([]promql.Match{promql.Is(signal.AttrHWID, "GPU-1")}, more...)...)
	}
	state := func(name string, value float64) []alert.Series {
		return []alert.Series{data(s, signal.HWStatus, alert.Steady(value), device(promql.Is(signal.AttrHWState, name))...)}
	}
	errors := func(perSecond float64) []alert.Series {
		return []alert.Series{data(s, signal.HWErrors, alert.Rising(perSecond), device(promql.Is(signal.AttrErrorType, errorUncorrected))...)}
	}
	// The first XID of a code makes its series, so an increase would miss it: compare with what was there before, and with nothing.
	program := promql.Match{Attribute: signal.AttrGPUXID, Operator: "!~", Value: "13|31|43|45"}
	code := by(signal.AttrHostName, signal.AttrHWID, signal.AttrGPUXID)
	now := s.Over("sum", signal.GPUXIDCount, s.Counted(signal.GPUXIDCount, program), code...)
	before := s.Over("sum", signal.GPUXIDCount, s.CountedBefore(signal.GPUXIDCount, "15m", program), code...)
	xid := func(values string) []alert.Series {
		return []alert.Series{data(s, signal.GPUXIDCount, values, device(promql.Is(signal.AttrGPUXID, "79"))...)}
	}
	heat := func(perSecond float64) []alert.Series {
		return []alert.Series{data(s, signal.GPUThrottleTime, alert.Rising(perSecond), device(promql.Is(signal.AttrGPUThrottleReason, throttleHWHeat))...)}
	}
	return []alert.Alert{
		{Name: "InferenceGPUFailed", Severity: alert.Critical, For: time.Minute,
			Value: s.Max(signal.HWStatus, gpu, promql.Is(signal.AttrHWState, stateFailed)), Condition: "== 1",
			Summary: of + " has failed",
			Meaning: "It answers no question, is gone from the bus, needs a reset, or had a fatal XID within the last ten minutes. The worker on it, and the rest of its tensor-parallel group, do not go on.",
			Look:    "nvidia-smi and dmesg (NVRM) on the host; the XID panel of dashboard GPUs.",
			Action:  "Drain the worker, reset the GPU (nvidia-smi --gpu-reset) or reboot. Failed again: replace it.",
			Bad:     state(stateFailed, 1), Good: state(stateFailed, 0)},
		{Name: "InferenceGPUFailurePredicted", Severity: alert.Warning, For: 5 * time.Minute,
			Value: s.Max(signal.HWStatus, gpu, promql.Is(signal.AttrHWState, statePredicted)), Condition: "== 1",
			Summary: of + " waits for a reset that repairs its memory",
			Meaning: "A bad row of memory is mapped out at the next reset; until then another error there can end processes.",
			Look:    "nvidia-smi -q -d ROW_REMAPPER.",
			Action:  "Drain the worker and reset the GPU at the next opportunity.",
			Bad:     state(statePredicted, 1), Good: state(statePredicted, 0)},
		{Name: "InferenceGPUUncorrectedErrors", Severity: alert.Critical,
			Value: s.Over("sum", signal.HWErrors, s.Increase(signal.HWErrors, "15m", promql.Is(signal.AttrErrorType, errorUncorrected)), gpu...), Condition: "> 0",
			Summary: of + " had uncorrected memory errors",
			Meaning: "Data in device memory was lost within the last fifteen minutes. The process that used it was ended, or computes with wrong numbers.",
			Look:    "XIDs 48, 63, 64, 94 and 95, and the worker's log.",
			Action:  "Drain the worker and reset the GPU; replace it when remapping fails.",
			Bad:     errors(0.01), Good: errors(0)},
		{Name: "InferenceGPUXID", Severity: alert.Warning,
			Value: now + " - (" + before + " or 0 * " + now + ")", Condition: "> 0", Quiet: "a code has a series only once it happened",
			Summary: of + " had XID {{ $labels." + s.Label(signal.AttrGPUXID) + " }}",
			Meaning: "The driver reported an error that is no program's fault (13, 31, 43 and 45 are left out) within the last fifteen minutes.",
			Look:    "dmesg for the XID's line; NVIDIA's catalogue of XIDs for its code; the log event nvidia.gpu.xid has its class.",
			Action:  "48, 63, 64, 94, 95: memory, reset. 74: NVLink, check or reseat. 79: off the bus, reboot. 119, 120: GSP, reset or update the driver.",
			Bad:     xid(alert.From(1)), Good: xid(alert.Steady(1))},
		{Name: "InferenceGPUTooHot", Severity: alert.Warning, For: 10 * time.Minute,
			Value: s.Over("sum", signal.GPUThrottleTime, s.Rate(signal.GPUThrottleTime, promql.In(signal.AttrGPUThrottleReason, ".*thermal")), gpu...), Condition: "> 0.1",
			Summary: "Heat holds the clocks of " + of + " down, {{ $value | humanizePercentage }} of the time",
			Meaning: "The GPU protects itself. Steps take longer on its whole tensor-parallel group, and every estimate of capacity is off.",
			Look:    "Temperature of the GPU against its neighbours (dashboard GPUs), fans, inlet temperature.",
			Action:  "Cooling. Until then lower the power limit (nvidia-smi -pl) for steady instead of uneven speed.",
			Bad:     heat(0.5), Good: heat(0)},
	}
}
