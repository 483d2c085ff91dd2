package gpu // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"

// Question is something that the receiver asks a device. A question is asked only when a metric needs its answer.
type Question uint8

// The questions. Behind each is the NVML function that answers.
const (
	Memory            Question = iota // nvmlDeviceGetMemoryInfo_v2, else nvmlDeviceGetMemoryInfo
	Utilization                       // nvmlDeviceGetUtilizationRates
	Encoder                           // nvmlDeviceGetEncoderUtilization
	Decoder                           // nvmlDeviceGetDecoderUtilization
	Energy                            // nvmlDeviceGetTotalEnergyConsumption
	Power                             // nvmlDeviceGetPowerUsage
	PowerLimit                        // nvmlDeviceGetEnforcedPowerLimit
	Temperature                       // nvmlDeviceGetTemperatureV, else nvmlDeviceGetTemperature
	TemperatureLimits                 // nvmlDeviceGetTemperatureThreshold, twice
	Fans                              // nvmlDeviceGetFanSpeed_v2, once per fan after nvmlDeviceGetNumFans
	Clocks                            // nvmlDeviceGetClockInfo, twice
	PCIeLink                          // nvmlDeviceGetMaxPcieLinkGeneration, nvmlDeviceGetMaxPcieLinkWidth
	Processes                         // nvmlDeviceGetComputeRunningProcesses, ...Graphics..., ...MPSCompute...
	ProcessUsage                      // nvmlDeviceGetProcessUtilization
	FieldValues                       // nvmlDeviceGetFieldValues; asked by Device.Fields
	Instances                         // nvmlDeviceGetMigMode, nvmlDeviceGetMigDeviceHandleByIndex; asked by Device.Instances
	GPM                               // nvmlGpmSampleGet, nvmlGpmMetricsGet; asked by Performance
	UtilizationBuffer                 // nvmlDeviceGetSamples; asked by Samples
	MemoryBuffer                      // the same
	PowerBuffer                       // the same
	Init                              // nvmlInit_v2, nvmlShutdown; asked by Library.Open and Close
	Find                              // nvmlDeviceGetHandleByIndex_v2 and the facts of a device; asked by Library and Device.Identity
	EventWait                         // nvmlEventSetWait_v2; asked by Events
	Questions                         // how many there are
)

// String is the NVML function that answers, for logs.
func (q Question) String() string {
	switch q {
	case Memory:
		return "nvmlDeviceGetMemoryInfo"
	case Utilization:
		return "nvmlDeviceGetUtilizationRates"
	case Encoder:
		return "nvmlDeviceGetEncoderUtilization"
	case Decoder:
		return "nvmlDeviceGetDecoderUtilization"
	case Energy:
		return "nvmlDeviceGetTotalEnergyConsumption"
	case Power:
		return "nvmlDeviceGetPowerUsage"
	case PowerLimit:
		return "nvmlDeviceGetEnforcedPowerLimit"
	case Temperature:
		return "nvmlDeviceGetTemperature"
	case TemperatureLimits:
		return "nvmlDeviceGetTemperatureThreshold"
	case Fans:
		return "nvmlDeviceGetFanSpeed_v2"
	case Clocks:
		return "nvmlDeviceGetClockInfo"
	case PCIeLink:
		return "nvmlDeviceGetMaxPcieLinkGeneration"
	case Processes:
		return "nvmlDeviceGetComputeRunningProcesses"
	case ProcessUsage:
		return "nvmlDeviceGetProcessUtilization"
	case FieldValues:
		return "nvmlDeviceGetFieldValues"
	case Instances:
		return "nvmlDeviceGetMigMode"
	case GPM:
		return "nvmlGpmSampleGet"
	case UtilizationBuffer, MemoryBuffer, PowerBuffer:
		return "nvmlDeviceGetSamples"
	case Init:
		return "nvmlInit_v2"
	case Find:
		return "nvmlDeviceGetHandleByIndex_v2"
	case EventWait:
		return "nvmlEventSetWait_v2"
	default:
		return "nvml"
	}
}

// MaxFans bounds the fans of a device that are read.
const MaxFans = 8

// Reading is the answers, in NVML's units. Only what was asked for, and answered, means anything.
type Reading struct {
	MemoryTotal, MemoryUsed, MemoryReserved uint64 // bytes; used is without reserved where HasReserved
	HasReserved                             bool
	Utilization, Encoder, Decoder           uint32 // percent
	Energy                                  uint64 // mJ since the driver was loaded
	Power, PowerLimit                       uint32 // mW
	Temperature                             int32  // Celsius
	Shutdown, Slowdown                      uint32 // Celsius
	HasShutdown, HasSlowdown                bool
	Fans                                    int
	FanSpeeds                               [MaxFans]uint32 // percent of the fan's maximum
	ClockSM, ClockMemory                    uint32          // MHz
	PCIeGeneration, PCIeWidth               int             // of the link, at its best
	Processes                               []Process
	ProcessUsage                            []ProcessActivity
	ProcessSeen                             uint64 // microseconds: in, the newest sample already known; out, the newest
}

// Process is a process that has memory on a device.
type Process struct {
	PID       uint32
	Memory    uint64 // bytes
	HasMemory bool   // false where the driver hides it
}

// ProcessActivity is how busy a process kept a device in the driver's last sampling period.
type ProcessActivity struct {
	PID        uint32
	UnixMicros uint64
	SM, Memory uint32 // percent
}

// Field is one field value: in, what to ask; out, the answer.
type Field struct {
	ID    uint32 // nvmlFieldValue, see the constants
	Scope uint32 // link, or AllLinks
	Code  Code
	Wide  bool   // 64 bits; a narrower counter may wrap between two reads
	Value uint64 // of whatever type the driver gives; negative values are not used
}

// AllLinks is the scope of a field over all NVLinks.
const AllLinks = 1<<32 - 1

// Field ids, from nvml.h 13 (NVML_FI_DEV_*).
const (
	FieldECCCorrected       = 3  // volatile total
	FieldECCUncorrected     = 4  // volatile total
	FieldECCLifeCorrected   = 5  // aggregate total
	FieldECCLifeUncorrected = 6  // aggregate total
	FieldRetiredSingle      = 29 // pages
	FieldRetiredDouble      = 30
	FieldRetiredPending     = 31
	FieldNVLinkCRCFlit      = 38
	FieldNVLinkCRCData      = 45
	FieldNVLinkReplay       = 52
	FieldNVLinkRecovery     = 59
	FieldThrottlePower      = 74 // ns, as the other throttle fields
	FieldThrottleThermal    = 75
	FieldThrottleSyncBoost  = 76
	FieldThrottleBoard      = 77
	FieldThrottleLowUse     = 78
	FieldThrottleReliab     = 79
	FieldMemoryTemperature  = 82 // Celsius
	FieldNVLinkSpeed        = 90 // MB/s of a link in each direction
	FieldNVLinkCount        = 91
	FieldPCIeReplay         = 94
	FieldNVLinkTx           = 138 // KiB of data
	FieldNVLinkRx           = 139
	FieldRemappedCorrected  = 142
	FieldRemappedUncorrect  = 143
	FieldRemappedPending    = 144
	FieldRemappedFailure    = 145
	FieldPCIeTx             = 197 // bytes
	FieldPCIeRx             = 198
	FieldRecoveryAction     = 230 // nvmlDeviceGpuRecoveryAction_t: 0 none; 3 drain P2P, 5 IMEX domain; else a reset or reboot
	FieldThrottleSWThermal  = 269
	FieldThrottleHWThermal  = 270
	FieldThrottlePowerBrake = 271
)

// GPM metric ids, from nvml.h 13 (NVML_GPM_METRIC_*): percent, or MiB/s for traffic.
const (
	GPMGraphics  = 1
	GPMSM        = 2
	GPMOccupancy = 3
	GPMInteger   = 4
	GPMTensor    = 5
	GPMTensorDF  = 6
	GPMTensorH   = 7
	GPMTensorD   = 8
	GPMTensorI   = 9
	GPMDRAM      = 10
	GPMFP64      = 11
	GPMFP32      = 12
	GPMFP16      = 13
	GPMPCIeTx    = 20
	GPMPCIeRx    = 21
	GPMNVLinkRx  = 60
	GPMNVLinkTx  = 61
)
