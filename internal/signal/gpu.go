package signal // import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// Resource attributes of a GPU or a MIG device. hw.* are the semantic conventions'.
const (
	AttrHWID              = "hw.id" // GPU-<uuid> or MIG-<uuid>, as every NVIDIA tool prints it
	AttrHWType            = "hw.type"
	AttrHWName            = "hw.name"
	AttrHWVendor          = "hw.vendor"
	AttrHWModel           = "hw.model"
	AttrHWSerial          = "hw.serial_number"
	AttrHWFirmware        = "hw.firmware_version"
	AttrHWParent          = "hw.parent" // of a MIG device: the GPU; of a sensor: the device
	AttrGPUBusID          = "nvidia.gpu.pci.bus_id"
	AttrGPUInstance       = "nvidia.gpu.instance.id" // of a MIG device
	AttrGPUComputeInst    = "nvidia.gpu.compute_instance.id"
	AttrHWDriverVersion   = "hw.driver_version" // on GPUInfo
	HWTypeGPU             = "gpu"
	HWVendorNVIDIA        = "NVIDIA"
	AttrContainerID       = "container.id"
	AttrProcessPID        = "process.pid"
	AttrProcessExecutable = "process.executable.name"
	AttrK8sPodUID         = "k8s.pod.uid"
	AttrK8sPodName        = "k8s.pod.name"
	AttrK8sNamespace      = "k8s.namespace.name"
	AttrK8sContainer      = "k8s.container.name"
)

// Point attributes of a GPU.
const (
	AttrGPUTask           = "hw.gpu.task"
	AttrHWState           = "hw.state"
	AttrHWSensor          = "hw.sensor_location"
	AttrHWLimit           = "hw.limit_type"
	AttrNetDirection      = "network.io.direction"
	AttrGPUUnit           = "nvidia.gpu.unit"
	AttrGPUPipe           = "nvidia.gpu.pipe"
	AttrGPUSampler        = "nvidia.gpu.sampler"
	AttrGPUThrottleReason = "nvidia.gpu.throttle.reason"
	AttrGPUClock          = "nvidia.gpu.clock"
	AttrGPULink           = "nvidia.gpu.link"
	AttrGPUNVLink         = "nvidia.gpu.nvlink.id"
	AttrGPUNVLinkError    = "nvidia.gpu.nvlink.error"
	AttrGPURepair         = "nvidia.gpu.memory.repair.state"
	AttrGPUXID            = "nvidia.gpu.xid"
	AttrGPUIndex          = "nvidia.gpu.index"
	AttrGPUArchitecture   = "nvidia.gpu.architecture"
	AttrGPUMIG            = "nvidia.gpu.mig"
	AttrCUDAVersion       = "nvidia.cuda.version" // newest that the driver speaks
	AttrNVMLVersion       = "nvidia.nvml.version"
	AttrGPUResource       = "nvidia.gpu.allocation.resource" // of Kubernetes, such as nvidia.com/gpu, or a resource claim
	AttrGPUXIDClass       = "nvidia.gpu.xid.class"           // on the XID event
)

// EventXID is the name of the log event that an XID makes.
const EventXID = "nvidia.gpu.xid"

// Values of AttrGPUUnit.
const (
	UnitGraphics  = "graphics"
	UnitSM        = "sm"
	UnitOccupancy = "sm_occupancy"
	UnitTensor    = "tensor"
	UnitDRAM      = "dram"
	UnitNVLinkRx  = "nvlink_rx"
	UnitNVLinkTx  = "nvlink_tx"
	UnitPCIeRx    = "pcie_rx"
	UnitPCIeTx    = "pcie_tx"
)

// Values of AttrGPUSampler.
const (
	SamplerGPM         = "gpm"
	SamplerUtilization = "utilization"
)

// Metrics of the nvml receiver that the semantic conventions for hardware name.
const (
	HWGPUUtilization       = "hw.gpu.utilization"
	HWGPUMemoryUsage       = "hw.gpu.memory.usage"
	HWGPUMemoryLimit       = "hw.gpu.memory.limit"
	HWGPUMemoryUtilization = "hw.gpu.memory.utilization"
	HWGPUIO                = "hw.gpu.io"
	HWErrors               = "hw.errors"
	HWStatus               = "hw.status"
	HWEnergy               = "hw.energy"
	HWPower                = "hw.power"
	HWTemperature          = "hw.temperature"
	HWTemperatureLimit     = "hw.temperature.limit"
	HWFanSpeedRatio        = "hw.fan.speed_ratio"
)

// Metrics of the nvml receiver that are NVIDIA's.
const (
	GPUActivityTime     = "nvidia.gpu.activity.time"
	GPUPipeActivityTime = "nvidia.gpu.pipe.activity.time"
	GPUSampleCount      = "nvidia.gpu.sample.count"
	GPUThrottleTime     = "nvidia.gpu.throttle.time"
	GPUClockFrequency   = "nvidia.gpu.clock.frequency"
	GPUPowerLimit       = "nvidia.gpu.power.limit"
	GPUMemoryReserved   = "nvidia.gpu.memory.reserved"
	GPUIO               = "nvidia.gpu.io"
	GPUNVLinkIO         = "nvidia.gpu.nvlink.io"
	GPUNVLinkErrors     = "nvidia.gpu.nvlink.errors"
	GPUPCIeReplays      = "nvidia.gpu.pcie.replays"
	GPULifetimeErrors   = "nvidia.gpu.ecc.lifetime.errors"
	GPURetiredPages     = "nvidia.gpu.memory.retired_pages"
	GPURemappedRows     = "nvidia.gpu.memory.remapped_rows"
	GPUMemoryRepair     = "nvidia.gpu.memory.repair"
	GPUXIDCount         = "nvidia.gpu.xid.count"
	GPUInfo             = "nvidia.gpu.info"
	GPUAllocation       = "nvidia.gpu.allocation"
	GPUProcessMemory    = "nvidia.gpu.process.memory.usage"
	GPUProcessActivity  = "nvidia.gpu.process.utilization"
)

// GPUMetrics lists what the nvml receiver emits. Sums begin at 0 when the receiver first sees the device; what the driver counted
// before is in no sum.
func GPUMetrics() []Metric {
	const c = "nvml"
	process := []string{AttrProcessPID, AttrProcessExecutable, AttrContainerID, AttrK8sPodUID}
	return []Metric{
		{HWGPUUtilization, Gauge, "1", []string{AttrGPUTask}, c,
			"Share of time in which the GPU did something, over the driver's last sampling period: general (any kernel), encoder, decoder. In MIG mode, of a GPU instance since the last collection."},
		{HWGPUMemoryUsage, UpDownCounter, "By", nil, c, "Device memory in use, without what the driver reserves where the driver tells them apart."},
		{HWGPUMemoryLimit, UpDownCounter, "By", nil, c, "Device memory that there is."},
		{HWGPUMemoryUtilization, Gauge, "1", nil, c, "Share of device memory in use."},
		{HWGPUIO, Sum, "By", []string{AttrNetDirection}, c,
			"Bytes over all links of the GPU, PCIe and NVLink; absent where the PCIe bytes are not known."},
		{HWErrors, Sum, "{error}", []string{AttrErrorType}, c, "ECC errors of the GPU's memories, by error.type = corrected, uncorrected."},
		{HWStatus, UpDownCounter, "1", []string{AttrHWState}, c,
			"1 for the state that the GPU is in, 0 for the others: ok, degraded, failed, predicted_failure."},
		{HWEnergy, Sum, "J", nil, c,
			"Energy, from the board's counter, which is renewed about every 100 ms; where there is none, from the driver's samples of power."},
		{HWPower, Gauge, "W", nil, c, "Power of the board, an average over 1 s on most GPUs. Its sensor looks at a part of the time only on some (A100, H100: 25 %)."},
		{HWTemperature, Gauge, "Cel", []string{AttrHWSensor}, c, "Temperature, by sensor = gpu, memory."},
		{HWTemperatureLimit, Gauge, "Cel", []string{AttrHWSensor, AttrHWLimit}, c,
			"Temperature at which the GPU slows down (high.degraded) and shuts down (high.critical)."},
		{HWFanSpeedRatio, Gauge, "1", []string{AttrHWSensor}, c, "Speed of a fan over its maximum; none on boards that are cooled from outside."},

		{GPUActivityTime, Sum, "s", []string{AttrGPUUnit}, c,
			"Integral of a unit's activity (0..1) over time; its increase over a window is busy seconds. From GPM where there is GPM; else graphics and dram from the driver's utilisation samples. A link's activity is its bytes over its bandwidth. A unit that is not known is absent."},
		{GPUPipeActivityTime, Sum, "s", []string{AttrGPUPipe}, c, "The same for the pipes of the SMs: tensor by kind (hmma, imma, dfma, dmma), fp64, fp32, fp16, integer; GPM only."},
		{GPUSampleCount, Sum, "{sample}", []string{AttrGPUSampler}, c, "Samples behind the integrals, by sampler = gpm, utilization."},
		{GPUThrottleTime, Sum, "s", []string{AttrGPUThrottleReason}, c,
			"Time for which clocks were held down, by reason; reasons overlap. thermal is there only where the driver does not tell sw_thermal from hw_thermal."},
		{GPUClockFrequency, Gauge, "Hz", []string{AttrGPUClock}, c, "Clock of the SMs (sm) and of device memory (mem)."},
		{GPUPowerLimit, Gauge, "W", nil, c, "Power limit in force."},
		{GPUMemoryReserved, UpDownCounter, "By", nil, c, "Device memory that the driver keeps for itself."},
		{GPUIO, Sum, "By", []string{AttrGPULink, AttrNetDirection}, c, "Bytes by kind of link = pcie, nvlink. NVLink counts data without protocol overhead."},
		{GPUNVLinkIO, Sum, "By", []string{AttrGPUNVLink, AttrNetDirection}, c, "Bytes of data by NVLink."},
		{GPUNVLinkErrors, Sum, "{error}", []string{AttrGPUNVLinkError}, c, "Errors of all NVLinks by kind = crc_flit, crc_data, replay, recovery."},
		{GPUPCIeReplays, Sum, "{replay}", nil, c, "Packets sent again over PCIe."},
		{GPULifetimeErrors, Gauge, "{error}", []string{AttrErrorType}, c, "ECC errors in the life of the board, as its InfoROM has them."},
		{GPURetiredPages, Gauge, "{page}", []string{AttrErrorType}, c, "Pages of device memory retired in the life of the board, by the errors that retired them (GPUs before Ampere)."},
		{GPURemappedRows, Gauge, "{row}", []string{AttrErrorType}, c, "Rows of device memory remapped in the life of the board, by the errors that remapped them."},
		{GPUMemoryRepair, Gauge, "1", []string{AttrGPURepair}, c, "1 when a repair of device memory waits for a reset (pending) or was not possible (failed), else 0."},
		{GPUXIDCount, Sum, "{event}", []string{AttrGPUXID}, c, "XIDs, the driver's error events, by code. Each is a log event too."},
		{GPUInfo, Gauge, "1", []string{AttrHWDriverVersion, AttrCUDAVersion, AttrNVMLVersion, AttrGPUIndex, AttrGPUArchitecture, AttrGPUMIG}, c,
			"1, with the facts of the GPU that can change or that are no identity."},
		{GPUAllocation, Gauge, "1", []string{AttrK8sNamespace, AttrK8sPodName, AttrK8sContainer, AttrGPUResource}, c,
			"1 for each container to which the kubelet has given the device, as a plugin's device or by a resource claim."},
		{GPUProcessMemory, UpDownCounter, "By", process, c, "Device memory of a process. Container and pod are there where its cgroup tells them."},
		{GPUProcessActivity, Gauge, "1", append(process, AttrGPUUnit), c, "How busy a process kept sm and dram, a mean of the driver's samples since the last collection."},
	}
}
