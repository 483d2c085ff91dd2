package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"maps"
	"slices"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// Preset is a set of metrics.
type Preset string

// The presets, each with the metrics of those before it.
const (
	PresetMinimal Preset = "minimal"
	PresetDefault Preset = "default"
	PresetFull    Preset = "full"

	// optIn is the level of metrics that no preset has: their number of points grows with processes or links.
	optIn Preset = ""
)

func presets() []Preset { return []Preset{PresetMinimal, PresetDefault, PresetFull} }

// includes says whether the metrics of a level are in the preset.
func (p Preset) includes(level Preset) bool {
	at := slices.Index(presets(), level)
	return at >= 0 && at <= slices.Index(presets(), p)
}

// metricLevels says for each metric the least preset that has it.
func metricLevels() map[string]Preset {
	return map[string]Preset{
		signal.HWGPUUtilization: PresetMinimal,
		signal.HWGPUMemoryUsage: PresetMinimal,
		signal.HWGPUMemoryLimit: PresetMinimal,
		signal.HWEnergy:         PresetMinimal,
		signal.HWPower:          PresetMinimal,
		signal.HWTemperature:    PresetMinimal,
		signal.HWErrors:         PresetMinimal,
		signal.HWStatus:         PresetMinimal,
		signal.GPUXIDCount:      PresetMinimal,

		signal.HWGPUMemoryUtilization: PresetDefault,
		signal.HWGPUIO:                PresetDefault,
		signal.HWFanSpeedRatio:        PresetDefault,
		signal.GPUActivityTime:        PresetDefault,
		signal.GPUSampleCount:         PresetDefault,
		signal.GPUThrottleTime:        PresetDefault,
		signal.GPUClockFrequency:      PresetDefault,
		signal.GPUPowerLimit:          PresetDefault,
		signal.GPUIO:                  PresetDefault,
		signal.GPUMemoryRepair:        PresetDefault,
		signal.GPUInfo:                PresetDefault,
		signal.GPUAllocation:          PresetDefault,

		signal.HWTemperatureLimit:  PresetFull,
		signal.GPUPipeActivityTime: PresetFull,
		signal.GPUMemoryReserved:   PresetFull,
		signal.GPUNVLinkErrors:     PresetFull,
		signal.GPUPCIeReplays:      PresetFull,
		signal.GPULifetimeErrors:   PresetFull,
		signal.GPURetiredPages:     PresetFull,
		signal.GPURemappedRows:     PresetFull,

		signal.GPUNVLinkIO:        optIn,
		signal.GPUProcessMemory:   optIn,
		signal.GPUProcessActivity: optIn,
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
