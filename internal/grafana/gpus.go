package grafana

import (
	"github.com/otelcol-inference/otelcol-inference/internal/grafana/board"
	"github.com/otelcol-inference/otelcol-inference/internal/grafana/promql"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

func gpus(s promql.Scope) board.Dashboard {
	return board.Dashboard{
		File: "gpu", Title: "GPUs",
		Help: "What the GPUs are doing, whether something slows them down, and whether they are healthy.",
		Rows: []board.Row{
			{Title: "What are the GPUs doing?", Panels: gpuWork(s)},
			{Title: "What slows them down?", Panels: gpuLimits(s)},
			{Title: "Are they healthy?", Panels: gpuHealth(s)},
		},
	}
}

// perGPU is a series' name by GPU.
func perGPU(s promql.Scope) string {
	return s.Legend("{" + signal.AttrHostName + "} {" + signal.AttrHWID + "}")
}

func gpuWork(s promql.Scope) []board.Panel {
	gpu := by(signal.AttrHostName, signal.AttrHWID)
	return []board.Panel{
		{Title: "Activity by unit, mean", Kind: board.Lines, Unit: board.Ratio,
			Help:    "tensor high: prefill. dram high: decode. All low with requests waiting: the host does not keep up (tokenising, scheduling), or steps are too small.",
			Queries: one(s.Over("avg", signal.GPUActivityTime, s.Rate(signal.GPUActivityTime), signal.AttrGPUUnit), s.Legend("{"+signal.AttrGPUUnit+"}"))},
		{Title: "Memory bandwidth in use, by GPU", Kind: board.Lines, Unit: board.Ratio,
			Help:    "Decode's resource. One GPU of a tensor-parallel group below the others waits for them, or is the one that slows them: compare clocks.",
			Queries: one(s.Over("sum", signal.GPUActivityTime, s.Rate(signal.GPUActivityTime, promql.Is(signal.AttrGPUUnit, signal.UnitDRAM)), gpu...), perGPU(s))},
		{Title: "Memory in use", Kind: board.Lines, Unit: board.Ratio,
			Help:    "Flat at gpu_memory_utilization is right for an engine. Above it: another process uses the GPU, and the next allocation may fail.",
			Queries: one(s.Max(signal.HWGPUMemoryUtilization, gpu), perGPU(s))},
		{Title: "A kernel runs", Kind: board.Lines, Unit: board.Ratio,
			Help:    "The driver's utilisation: any kernel, however small. Low with work to do: gaps between steps. High says nothing about how well the GPU is used.",
			Queries: one(s.Max(signal.HWGPUUtilization, gpu), perGPU(s))},
		{Title: "Bytes over PCIe and NVLink", Kind: board.Lines, Unit: board.ByteRate,
			Help:    "PCIe: KV offloading, or transfers without GPUDirect. NVLink: tensor parallelism, or transfers within the host.",
			Queries: one(s.SumRate(signal.GPUIO, by(signal.AttrGPULink, signal.AttrNetDirection)), s.Legend("{"+signal.AttrGPULink+"} {"+signal.AttrNetDirection+"}"))},
		{Title: "Energy", Kind: board.Stack, Unit: board.Watts,
			Help:    "Mean power from the boards' energy counters, which lose nothing between scrapes. By phase: dashboard Phases.",
			Queries: one(s.SumRate(signal.HWEnergy, gpu), perGPU(s))},
	}
}

func gpuLimits(s promql.Scope) []board.Panel {
	gpu := by(signal.AttrHostName, signal.AttrHWID)
	return []board.Panel{
		{Title: "Clocks held down, by reason", Kind: board.Lines, Unit: board.Ratio,
			Help:    "Share of time; reasons overlap. power: the limit is the limit, normal for prefill. hw_thermal, sw_thermal: cooling. hw_power_brake: the power supply.",
			Queries: one(s.Over("avg", signal.GPUThrottleTime, s.Rate(signal.GPUThrottleTime), signal.AttrGPUThrottleReason), s.Legend("{"+signal.AttrGPUThrottleReason+"}"))},
		{Title: "Power over its limit", Kind: board.Lines, Unit: board.Ratio,
			Help:    "At 100 % clocks go down. All GPUs of a rack below a common value: somebody lowered the limit.",
			Queries: one(s.Max(signal.HWPower, gpu)+" / "+s.Max(signal.GPUPowerLimit, gpu), perGPU(s))},
		{Title: "Temperature", Kind: board.Lines, Unit: board.Celsius,
			Help:    "GPU and memory. One above its neighbours: dust, a fan, a blocked airflow.",
			Queries: one(s.Max(signal.HWTemperature, by(signal.AttrHostName, signal.AttrHWID, signal.AttrHWSensor)), s.Legend("{"+signal.AttrHWID+"} {"+signal.AttrHWSensor+"}"))},
		{Title: "Clocks", Kind: board.Lines, Unit: board.Hertz, Width: 24,
			Help:    "Of SMs and memory. A GPU that stays below the others under load slows its whole tensor-parallel group.",
			Queries: one(s.Max(signal.GPUClockFrequency, by(signal.AttrHostName, signal.AttrHWID, signal.AttrGPUClock)), s.Legend("{"+signal.AttrHWID+"} {"+signal.AttrGPUClock+"}"))},
	}
}

func gpuHealth(s promql.Scope) []board.Panel {
	return []board.Panel{
		{Title: "GPUs by state", Kind: board.Lines, Unit: board.Count,
			Help:    "failed: the GPU does not answer or needs a reset; drain the worker. predicted_failure: a repair of memory waits for a reset. degraded: an XID within the last ten minutes.",
			Queries: one(s.Sum(signal.HWStatus, by(signal.AttrHWState)), s.Legend("{"+signal.AttrHWState+"}"))},
		{Title: "XIDs since the collector started", Kind: board.Lines, Unit: board.Count,
			Help: "The driver's error events, by code. 13, 31, 43: usually the program. 48, 63, 64, 94, 95: memory. 74: NVLink. 79: the GPU fell off the bus.",
			Queries: quiet(s.Over("sum", signal.GPUXIDCount, s.Counted(signal.GPUXIDCount), signal.AttrHostName, signal.AttrHWID, signal.AttrGPUXID), s.Legend("{"+signal.AttrHWID+"} XID {"+signal.AttrGPUXID+"}"),
				"a code has a series only once it happened")},
		{Title: "ECC errors", Kind: board.Lines, Unit: board.PerSecond,
			Help:    "corrected: harmless until they are many. uncorrected: the process that used the memory ends; drain and reset the GPU.",
			Queries: one(s.SumRate(signal.HWErrors, by(signal.AttrErrorType)), s.Legend("{"+signal.AttrErrorType+"}"))},
		{Title: "Memory repairs", Kind: board.Lines, Unit: board.Count, Width: 24,
			Help:    "pending: reset the GPU at the next maintenance. failed: replace it.",
			Queries: one(s.Over("sum", signal.GPUMemoryRepair, s.Value(signal.GPUMemoryRepair), signal.AttrGPURepair), s.Legend("{"+signal.AttrGPURepair+"}"))},
	}
}
