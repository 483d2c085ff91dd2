package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"slices"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// plan is what has to be asked for the metrics that are on. What no metric needs is in no plan, so it costs no call.
type plan struct {
	on        map[string]bool // metrics
	questions []gpu.Question  // at each collection
	fields    []gpu.Field     // at each collection, in one call
	gpm       []uint32        // at each sample; empty: nothing is sampled
	limits    bool            // temperature limits, once
	links     bool            // bandwidth of the links, once
	events    bool            // XIDs
}

// perInstance are the questions that a MIG device answers; the others are about the whole GPU.
func perInstance(q gpu.Question) bool {
	return q == gpu.Memory || q == gpu.Processes || q == gpu.ProcessUsage
}

// maxNVLinks is what the newest GPUs have (NVML_NVLINK_MAX_LINKS of nvml.h 13).
const maxNVLinks = 18

func newPlan(cfg *Config, logs bool) *plan {
	p := &plan{on: make(map[string]bool)}
	for name := range metricLevels() {
		if cfg.enabled(name) {
			p.on[name] = true
		}
	}
	for _, need := range questionNeeds() {
		if p.any(need.metrics...) {
			p.questions = append(p.questions, need.question)
		}
	}
	for _, need := range fieldNeeds() {
		if p.any(need.metrics...) {
			for _, id := range need.ids {
				p.fields = append(p.fields, gpu.Field{ID: id, Scope: scopeOf(id)})
			}
		}
	}
	if p.on[signal.GPUNVLinkIO] {
		for link := range uint32(maxNVLinks) {
			p.fields = append(p.fields, gpu.Field{ID: gpu.FieldNVLinkTx, Scope: link}, gpu.Field{ID: gpu.FieldNVLinkRx, Scope: link})
		}
	}
	for _, need := range gpmNeeds() {
		if p.any(need.metrics...) {
			p.gpm = append(p.gpm, need.ids...)
		}
	}
	p.limits = p.on[signal.HWTemperatureLimit]
	p.links = p.on[signal.GPUActivityTime]
	p.events = logs || p.any(signal.GPUXIDCount, signal.HWStatus)
	return p
}

func (p *plan) any(metrics ...string) bool {
	return slices.ContainsFunc(metrics, func(m string) bool { return p.on[m] })
}

// scopeOf is what a field that is not asked by link is asked with.
func scopeOf(id uint32) uint32 {
	if id == gpu.FieldNVLinkTx || id == gpu.FieldNVLinkRx {
		return gpu.AllLinks
	}
	return 0
}

type questionNeed struct {
	question gpu.Question
	metrics  []string
}

func questionNeeds() []questionNeed {
	return []questionNeed{
		{gpu.Memory, []string{signal.HWGPUMemoryUsage, signal.HWGPUMemoryLimit, signal.HWGPUMemoryUtilization, signal.GPUMemoryReserved}},
		{gpu.Utilization, []string{signal.HWGPUUtilization}},
		{gpu.Encoder, []string{signal.HWGPUUtilization}},
		{gpu.Decoder, []string{signal.HWGPUUtilization}},
		{gpu.Energy, []string{signal.HWEnergy}},
		{gpu.Power, []string{signal.HWPower}},
		{gpu.PowerLimit, []string{signal.GPUPowerLimit}},
		{gpu.Temperature, []string{signal.HWTemperature}},
		{gpu.Fans, []string{signal.HWFanSpeedRatio}},
		{gpu.Clocks, []string{signal.GPUClockFrequency}},
		{gpu.Processes, []string{signal.GPUProcessMemory}},
		{gpu.ProcessUsage, []string{signal.GPUProcessActivity}},
	}
}

type idNeed struct {
	ids     []uint32
	metrics []string
}

func fieldNeeds() []idNeed {
	traffic := []string{signal.HWGPUIO, signal.GPUIO, signal.GPUActivityTime}
	return []idNeed{
		{[]uint32{gpu.FieldECCCorrected, gpu.FieldECCUncorrected}, []string{signal.HWErrors}},
		{[]uint32{gpu.FieldECCLifeCorrected, gpu.FieldECCLifeUncorrected}, []string{signal.GPULifetimeErrors}},
		{[]uint32{gpu.FieldRetiredSingle, gpu.FieldRetiredDouble}, []string{signal.GPURetiredPages}},
		{[]uint32{gpu.FieldRemappedCorrected, gpu.FieldRemappedUncorrect}, []string{signal.GPURemappedRows}},
		{[]uint32{gpu.FieldRetiredPending, gpu.FieldRemappedPending, gpu.FieldRemappedFailure}, []string{signal.GPUMemoryRepair, signal.HWStatus}},
		{[]uint32{gpu.FieldRecoveryAction}, []string{signal.HWStatus}},
		{[]uint32{gpu.FieldMemoryTemperature}, []string{signal.HWTemperature}},
		{throttleFields(), []string{signal.GPUThrottleTime}},
		{[]uint32{gpu.FieldNVLinkTx, gpu.FieldNVLinkRx, gpu.FieldPCIeTx, gpu.FieldPCIeRx}, traffic},
		{[]uint32{gpu.FieldNVLinkCRCFlit, gpu.FieldNVLinkCRCData, gpu.FieldNVLinkReplay, gpu.FieldNVLinkRecovery}, []string{signal.GPUNVLinkErrors}},
		{[]uint32{gpu.FieldPCIeReplay}, []string{signal.GPUPCIeReplays}},
	}
}

func throttleFields() []uint32 {
	return []uint32{
		gpu.FieldThrottlePower, gpu.FieldThrottleThermal, gpu.FieldThrottleSyncBoost, gpu.FieldThrottleBoard, gpu.FieldThrottleLowUse,
		gpu.FieldThrottleReliab, gpu.FieldThrottleSWThermal, gpu.FieldThrottleHWThermal, gpu.FieldThrottlePowerBrake,
	}
}

func gpmNeeds() []idNeed {
	traffic := []string{signal.HWGPUIO, signal.GPUIO, signal.GPUActivityTime}
	return []idNeed{
		{[]uint32{gpu.GPMGraphics, gpu.GPMSM, gpu.GPMOccupancy, gpu.GPMTensor, gpu.GPMDRAM}, []string{signal.GPUActivityTime}},
		{[]uint32{
			gpu.GPMInteger, gpu.GPMTensorDF, gpu.GPMTensorH, gpu.GPMTensorD, gpu.GPMTensorI, gpu.GPMFP64, gpu.GPMFP32, gpu.GPMFP16,
		}, []string{signal.GPUPipeActivityTime}},
		{[]uint32{gpu.GPMPCIeTx, gpu.GPMPCIeRx, gpu.GPMNVLinkRx, gpu.GPMNVLinkTx}, traffic},
	}
}
