//go:build unix

package gpu

// The layout of the state file. tests/nvmlstub/state.h declares it and says what each field means; a test holds the two equal in
// size and offset of every field, so fields bear the names of the header.

const (
	stateMagic   = 0x314c4d564e534c46
	stateVersion = 2

	// MaxDevices is the most devices a machine can have.
	MaxDevices = 16
	// MaxMIG is the most MIG devices a device can be cut into.
	MaxMIG = 7
	// MaxProcesses is the most processes a device can run.
	MaxProcesses = 64

	maxLinks     = 18
	maxFunctions = 128
	maxEvents    = 256
	maxRetired   = 16
	ringSize     = 120
	faultRows    = MaxDevices + 1
	faultColumns = maxFunctions + 1
)

// Units, in the order of fleetsim_unit.
const (
	unitGraphics = iota
	unitSM
	unitSMOccupancy
	unitTensor
	unitTensorDFMA
	unitTensorHMMA
	unitTensorIMMA
	unitDRAM
	unitFP64
	unitFP32
	unitFP16
	unitCount
)

// Ring buffers, in the order of fleetsim_series.
const (
	seriesPower = iota
	seriesGPU
	seriesMemory
	seriesSMClock
	seriesMemoryClock
	seriesCount
)

// Sums of time, in the order of fleetsim_violation.
const (
	violationPower = iota
	violationThermal
	violationSyncBoost
	violationBoardLimit
	violationLowUtilization
	violationReliability
	violationAppClocks
	violationBaseClocks
	violationSWThermal
	violationHWThermal
	violationHWBrake
	violationCount
)

type integralsLayout struct {
	TimeNs        uint64
	EnergyJ       float64
	ActivityS     [unitCount]float64
	PcieRxBytes   float64
	PcieTxBytes   float64
	NvlinkRxBytes [maxLinks]float64
	NvlinkTxBytes [maxLinks]float64
}

type sampleLayout struct {
	TimeUs uint64
	Value  uint64
}

type ringLayout struct {
	Written uint64
	Samples [ringSize]sampleLayout
}

type processLayout struct {
	MemoryBytes     uint64
	TimeUs          uint64
	Pid             uint32
	Kind            uint32
	SmPercent       uint32
	MemoryPercent   uint32
	GpuInstance     uint32
	ComputeInstance uint32
}

type processesLayout struct {
	Count    uint32
	Reserved uint32
	List     [MaxProcesses]processLayout
}

type migLayout struct {
	Integrals       integralsLayout
	MemoryTotal     uint64
	MemoryReserved  uint64
	MemoryUsed      uint64
	Name            [96]byte
	Uuid            [80]byte
	GpuInstance     uint32
	ComputeInstance uint32
	Multiprocessors uint32
	GpuSlices       uint32
	ComputeSlices   uint32
	CopyEngines     uint32
	Decoders        uint32
	Encoders        uint32
}

type retiredLayout struct {
	Address  uint64
	TimeUs   uint64
	Cause    uint32
	Reserved uint32
}

type coreLayout struct {
	Integrals              integralsLayout
	MemoryTotal            uint64
	MemoryReserved         uint64
	MemoryUsed             uint64
	Bar1Total              uint64
	Bar1Used               uint64
	EnergyMj               uint64
	NvlinkBaseRx           [maxLinks]uint64
	NvlinkBaseTx           [maxLinks]uint64
	ThrottleReasons        uint64
	ThrottleSupported      uint64
	ViolationNs            [violationCount]uint64
	EccErrors              [2][2][8]uint64
	NvlinkErrors           [maxLinks][5]uint64
	Retired                [maxRetired]retiredLayout
	Name                   [96]byte
	Uuid                   [80]byte
	Serial                 [32]byte
	Vbios                  [32]byte
	BoardPart              [32]byte
	FabricCluster          [16]byte
	Brand                  uint32
	Architecture           uint32
	ComputeMajor           uint32
	ComputeMinor           uint32
	MinorNumber            uint32
	ModuleId               uint32
	Cores                  uint32
	NumaNode               uint32
	PciDomain              uint32
	PciBus                 uint32
	PciDevice              uint32
	PciDeviceId            uint32
	PciSubsystemId         uint32
	PersistenceMode        uint32
	ComputeMode            uint32
	PerformanceState       uint32
	PowerNowMw             uint32
	PowerAverageMw         uint32
	PowerIsAverage         uint32
	PowerLimitMw           uint32
	PowerDefaultMw         uint32
	PowerMinMw             uint32
	PowerMaxMw             uint32
	TemperatureC           uint32
	MemoryTemperatureC     uint32
	TemperatureThresholdsC [4]uint32
	Fans                   uint32
	FanPercent             uint32
	ClocksMhz              [4]uint32
	MaxClocksMhz           [4]uint32
	GpuPercent             uint32
	MemoryPercent          uint32
	DecoderPercent         uint32
	SamplingPeriodUs       uint32
	PcieGeneration         uint32
	PcieMaxGeneration      uint32
	PcieWidth              uint32
	PcieMaxWidth           uint32
	PcieReplays            uint32
	PcieRxKbps             uint32
	PcieTxKbps             uint32
	Nvlinks                uint32
	NvlinkVersion          uint32
	NvlinkMbps             uint32
	NvlinkDown             uint32
	NvlinkRemote           uint32
	EccMode                uint32
	EccPending             uint32
	RetiredSupported       uint32
	RetiredCount           uint32
	RetiredPending         uint32
	RemappedCorrected      uint32
	RemappedUncorrected    uint32
	RemappedPending        uint32
	RemappedFailure        uint32
	RemapHistogram         [5]uint32
	GpmSupported           uint32
	MigSupported           uint32
	MigMode                uint32
	MigPending             uint32
	MigMax                 uint32
	MigGeneration          uint32
	FabricSupported        uint32
	FabricState            uint32
	FabricStatus           uint32
	FabricClique           uint32
	FabricHealthMask       uint32
	FabricHealthSummary    uint32
	MigCount               uint32
	EncoderPercent         uint32
}

type deviceLayout struct {
	Generation uint64
	Core       coreLayout
	Processes  processesLayout
	Mig        [MaxMIG]migLayout
	Rings      [seriesCount]ringLayout
}

type eventLayout struct {
	Type            uint64
	Data            uint64
	Device          uint32
	GpuInstance     uint32
	ComputeInstance uint32
	Reserved        uint32
}

type stateLayout struct {
	Magic            uint64
	Version          uint32
	Size             uint32
	DriverVersion    [80]byte
	NvmlVersion      [80]byte
	CudaVersion      uint32
	DeviceCount      uint32
	DriverGeneration uint64
	EventHead        uint64
	Wakes            uint64
	Events           [maxEvents]eventLayout
	Calls            [maxFunctions]uint64
	Faults           [faultRows][faultColumns]uint64
	Devices          [MaxDevices]deviceLayout
}
