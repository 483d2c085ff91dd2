package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"slices"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// plan is what has to be asked for the metrics that are on. What no metric needs is in no plan, so it costs no call.
type plan struct {
	on        map[string]bool                    // metrics
	questions []gpu.Question                     // at each collection
	fields    []gpu.Field                        // at each collection, in one call
	gpm       struct{ whole, instance []uint32 } // at each sample of a GPU, of a MIG device
	// utilization is the driver's buffers of utilisation, where there is no GPM.
	utilization bool
	limits      bool          // temperature limits, once
	links       bool          // bandwidth of the links, once
	events      bool          // XIDs, and changes of MIG devices
	instances   bool          // MIG devices
	proves      bool          // that the GPU answers, when no question is left
	retry       time.Duration // until a question that a device refuses is asked again the first time
}

// samples are the GPM metrics of a device; none: GPM is not sampled.
func (p *plan) samples(instance bool) []uint32 {
	if instance {
		return p.gpm.instance
	}
	return p.gpm.whole
}

func (p *plan) asks(q gpu.Question) bool { return slices.Contains(p.questions, q) }

// perInstance are the questions that a MIG device answers; the others are about the whole GPU.
func perInstance(q gpu.Question) bool {
	return q == gpu.Memory || q == gpu.Processes || q == gpu.ProcessUsage
}

// maxNVLinks is what the newest GPUs have (NVML_NVLINK_MAX_LINKS of nvml.h 13).
const maxNVLinks = 18

// newPlan plans for the pipelines that there are. Without one for metrics no metric is on.
func newPlan(cfg *Config, metrics, logs bool) *plan {
	p := &plan{on: make(map[string]bool), retry: cfg.DiscoveryInterval}
	for name := range metricLevels() {
		if metrics && cfg.enabled(name) {
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
			p.gpm.whole = append(p.gpm.whole, need.ids...)
		}
		if p.any(need.instance...) {
			p.gpm.instance = append(p.gpm.instance, need.ids...)
		}
	}
	p.utilization = p.on[signal.GPUActivityTime]
	p.limits = p.on[signal.HWTemperatureLimit]
	p.links = p.on[signal.GPUActivityTime]
	p.events = logs || p.any(signal.GPUXIDCount, signal.HWStatus)
	p.instances = len(p.on) > 0
	p.proves = p.on[signal.HWStatus]
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
	return []idNeed{
		{[]uint32{gpu.FieldECCCorrected, gpu.FieldECCUncorrected}, []string{signal.HWErrors}},
		{[]uint32{gpu.FieldECCLifeCorrected, gpu.FieldECCLifeUncorrected}, []string{signal.GPULifetimeErrors}},
		{[]uint32{gpu.FieldRetiredSingle, gpu.FieldRetiredDouble}, []string{signal.GPURetiredPages}},
		{[]uint32{gpu.FieldRemappedCorrected, gpu.FieldRemappedUncorrect}, []string{signal.GPURemappedRows}},
		{[]uint32{gpu.FieldRetiredPending, gpu.FieldRemappedPending, gpu.FieldRemappedFailure}, []string{signal.GPUMemoryRepair, signal.HWStatus}},
		{[]uint32{gpu.FieldRecoveryAction}, []string{signal.HWStatus}},
		{[]uint32{gpu.FieldMemoryTemperature}, []string{signal.HWTemperature}},
		{throttleFields(), []string{signal.GPUThrottleTime}},
		{[]uint32{gpu.FieldNVLinkTx, gpu.FieldNVLinkRx, gpu.FieldPCIeTx, gpu.FieldPCIeRx}, linkMetrics()},
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

// gpmNeed is GPM metrics and what needs them, on a GPU and on a MIG device: links are the whole GPU's, and only a MIG device has its
// utilisation from GPM.
type gpmNeed struct {
	ids               []uint32
	metrics, instance []string
}

func gpmNeeds() []gpmNeed {
	activity, pipes := []string{signal.GPUActivityTime}, []string{signal.GPUPipeActivityTime}
	return []gpmNeed{
		{[]uint32{gpu.GPMGraphics}, activity, []string{signal.GPUActivityTime, signal.HWGPUUtilization}},
		{[]uint32{gpu.GPMSM, gpu.GPMOccupancy, gpu.GPMTensor, gpu.GPMDRAM}, activity, activity},
		{[]uint32{
			gpu.GPMInteger, gpu.GPMTensorDF, gpu.GPMTensorH, gpu.GPMTensorD, gpu.GPMTensorI, gpu.GPMFP64, gpu.GPMFP32, gpu.GPMFP16,
		}, pipes, pipes},
		{[]uint32{gpu.GPMPCIeTx, gpu.GPMPCIeRx, gpu.GPMNVLinkRx, gpu.GPMNVLinkTx}, linkMetrics(), nil},
	}
}

// linkMetrics are the metrics of the bytes over the links.
func linkMetrics() []string { return []string{signal.HWGPUIO, signal.GPUIO, signal.GPUActivityTime} }
