//go:build unix

package gpu

import (
	"crypto/sha256"
	"fmt"
	"math"
)

const (
	brandNVIDIA     = 14         // NVML_BRAND_NVIDIA, what data centre boards answer
	nvswitch        = 2          // NVML_NVLINK_DEVICE_TYPE_SWITCH
	fabricCompleted = 3          // NVML_GPU_FABRIC_STATE_COMPLETED
	noInstance      = 0xFFFFFFFF // the instance ids of a process outside MIG
	allReasons      = 0x7FF      // every NVML_CLOCKS_EVENT_REASON_*
)

// describe fills what a device is, and how it is at rest.
func describe(core *coreLayout, machine string, index int, m Model) {
	architecture, _ := m.architecture() // checked when the machine was made
	uuid := uuidOf(machine, fmt.Sprint(index))
	putText(core.Name[:], m.Name)
	putText(core.Uuid[:], "GPU-"+uuid)
	putText(core.Serial[:], fmt.Sprintf("165%010d", index+1))
	putText(core.Vbios[:], "96.00.74.00.01")
	putText(core.BoardPart[:], "692-2G520-0200-000")
	core.Brand = brandNVIDIA
	core.Architecture = architecture
	core.ComputeMajor, core.ComputeMinor = m.ComputeCapability[0], m.ComputeCapability[1]
	core.MinorNumber = uint32(index)
	core.ModuleId = uint32(index + 1)
	core.Cores = m.Cores
	core.NumaNode = uint32(index / 4 % 2) // four to a socket, as on the boards of eight
	core.PciBus = uint32(0x10 + 8*index)
	core.PciDeviceId = m.PCIDeviceID
	core.PciSubsystemId = m.PCIDeviceID
	core.PersistenceMode = 1

	core.MemoryTotal, core.MemoryReserved = m.Memory, m.ReservedMemory
	core.Bar1Total, core.Bar1Used = m.BAR1, min(m.BAR1, 2<<20)
	core.EccMode, core.EccPending = 1, 1
	core.RetiredSupported = flag(m.RetiresPages)
	core.RemapHistogram = [5]uint32{640, 0, 0, 0, 0}

	limit := milli(m.PowerLimit)
	core.PowerIsAverage = flag(m.AveragesPower)
	core.PowerLimitMw, core.PowerDefaultMw, core.PowerMaxMw, core.PowerMinMw = limit, limit, limit, milli(m.MinPowerLimit)
	core.PowerNowMw, core.PowerAverageMw = milli(m.IdlePower), milli(m.IdlePower)
	core.TemperatureC, core.MemoryTemperatureC = 30, 32
	for i, t := range m.TemperatureLimits {
		core.TemperatureThresholdsC[i] = whole(t)
	}
	core.Fans = m.Fans
	core.ThrottleSupported = allReasons

	sm := mega(m.MaxSMClock)
	core.MaxClocksMhz = [4]uint32{sm, sm, mega(m.MaxMemoryClock), mega(m.MaxVideoClock)}
	core.ClocksMhz = core.MaxClocksMhz
	core.PcieGeneration, core.PcieMaxGeneration = m.PCIeGeneration, m.PCIeGeneration
	core.PcieWidth, core.PcieMaxWidth = m.PCIeWidth, m.PCIeWidth
	core.Nvlinks, core.NvlinkVersion, core.NvlinkMbps, core.NvlinkRemote = m.NVLinks, m.NVLinkVersion, mega(m.NVLinkRate), nvswitch
	core.SamplingPeriodUs = uint32(utilizationPeriod.Microseconds())

	core.GpmSupported = flag(m.GPM)
	core.MigSupported = flag(m.MIGMultiprocessors > 0)
	core.MigMax = core.MigSupported * MaxMIG
	core.FabricSupported = flag(m.Fabric)
	core.FabricState = core.FabricSupported * fabricCompleted
	core.FabricHealthSummary = core.FabricSupported // NVML_GPU_FABRIC_HEALTH_SUMMARY_HEALTHY
}

// uuidOf makes the text of a UUID from names; the same names give the same one.
func uuidOf(names ...string) string {
	hash := sha256.New()
	for _, name := range names {
		fmt.Fprintf(hash, "%d:%s", len(name), name)
	}
	b := hash.Sum(nil)
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// putText writes a text and its end, cut where it does not fit.
func putText(to []byte, text string) {
	clear(to)
	copy(to[:len(to)-1], text)
}

func flag(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

// whole rounds to a counter's integer; what cannot be one becomes 0 or the largest.
func whole(x float64) uint32 {
	switch {
	case !(x > 0):
		return 0
	case x >= math.MaxUint32:
		return math.MaxUint32
	}
	return uint32(math.Round(x))
}

func milli(x float64) uint32 { return whole(x * 1e3) }
func mega(x float64) uint32  { return whole(x / 1e6) }
