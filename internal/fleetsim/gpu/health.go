//go:build unix

package gpu

import (
	"fmt"
	"time"
)

// MemoryLocation is where a memory error was, nvmlMemoryLocation_t.
type MemoryLocation int

// The locations of NVML.
const (
	L1Cache MemoryLocation = iota
	L2Cache
	DeviceMemory
	RegisterFile
	TextureMemory
	TextureSharedMemory
	CBU
	SRAM
	memoryLocations
)

// ECCErrors counts memory errors of one kind. Volatile ones count since the driver was loaded.
type ECCErrors struct {
	Location                                 MemoryLocation
	VolatileCorrected, VolatileUncorrected   uint64
	AggregateCorrected, AggregateUncorrected uint64
}

// RetiredPage is a page of memory that is used no more.
type RetiredPage struct {
	Address   uint64
	Time      time.Time
	DoubleBit bool // one double-bit error; else several single-bit ones
}

// NVLinkErrors counts the errors of a link.
type NVLinkErrors struct {
	Link                                    int
	Replay, Recovery, CRCFlit, CRCData, ECC uint64
}

// Health is what is wrong with a device; the zero value is a healthy one.
type Health struct {
	ECCDisabled bool
	ECC         []ECCErrors

	// Retired pages, of a model that retires pages.
	Retired        []RetiredPage
	RetiredPending bool

	RemappedCorrected   uint32
	RemappedUncorrected uint32
	RemapPending        bool
	RemapFailure        bool

	PCIeReplays    uint32
	PCIeGeneration uint32 // the link's, when it came up lower; 0: the model's
	PCIeWidth      uint32 // lanes, likewise
	NVLinksDown    []int
	NVLinks        []NVLinkErrors

	// Fabric is where the device stands in its NVLink fabric; nil: it has completed.
	Fabric *Fabric
}

// Fabric is the registration of a device with its NVLink fabric.
type Fabric struct {
	State  uint32 // nvmlGpuFabricState_t: 0 not supported, 1 not started, 2 in progress, 3 completed
	Status Return
}

// SetHealth replaces what is wrong with a device.
func (s *State) SetHealth(device int, h Health) error {
	return s.device(device, func(d *deviceLayout, _ *sensors) error {
		if err := h.check(&d.Core); err != nil {
			return err
		}
		d.write(func() { h.write(&d.Core) })
		return nil
	})
}

func (h *Health) check(core *coreLayout) error {
	for _, e := range h.ECC {
		if e.Location < 0 || e.Location >= memoryLocations {
			return fmt.Errorf("ECC location: must be 0..%d, is %d", memoryLocations-1, e.Location)
		}
	}
	for _, link := range h.NVLinksDown {
		if link < 0 || link >= int(core.Nvlinks) {
			return fmt.Errorf("NVLink down: must be 0..%d, is %d", int(core.Nvlinks)-1, link)
		}
	}
	for _, e := range h.NVLinks {
		if e.Link < 0 || e.Link >= int(core.Nvlinks) {
			return fmt.Errorf("NVLink: must be 0..%d, is %d", int(core.Nvlinks)-1, e.Link)
		}
	}
	if n := len(h.Retired); n > maxRetired {
		return fmt.Errorf("retired pages: must be at most %d, are %d", maxRetired, n)
	}
	return nil
}

func (h *Health) write(core *coreLayout) {
	core.EccMode, core.EccPending = flag(!h.ECCDisabled), flag(!h.ECCDisabled)
	core.EccErrors = [2][2][8]uint64{}
	for _, e := range h.ECC {
		core.EccErrors[0][0][e.Location], core.EccErrors[1][0][e.Location] = e.VolatileCorrected, e.VolatileUncorrected
		core.EccErrors[0][1][e.Location], core.EccErrors[1][1][e.Location] = e.AggregateCorrected, e.AggregateUncorrected
	}
	core.RetiredCount, core.RetiredPending = uint32(len(h.Retired)), flag(h.RetiredPending)
	for i, page := range h.Retired {
		core.Retired[i] = retiredLayout{Address: page.Address, TimeUs: nanoseconds(page.Time) / 1000, Cause: flag(page.DoubleBit)}
	}
	core.RemappedCorrected, core.RemappedUncorrected = h.RemappedCorrected, h.RemappedUncorrected
	core.RemappedPending, core.RemappedFailure = flag(h.RemapPending), flag(h.RemapFailure)
	core.PcieReplays = h.PCIeReplays
	core.PcieGeneration, core.PcieWidth = core.PcieMaxGeneration, core.PcieMaxWidth
	if h.PCIeGeneration != 0 {
		core.PcieGeneration = h.PCIeGeneration
	}
	if h.PCIeWidth != 0 {
		core.PcieWidth = h.PCIeWidth
	}
	core.NvlinkDown = 0
	for _, link := range h.NVLinksDown {
		core.NvlinkDown |= 1 << link
	}
	core.NvlinkErrors = [maxLinks][5]uint64{}
	for _, e := range h.NVLinks {
		core.NvlinkErrors[e.Link] = [5]uint64{e.Replay, e.Recovery, e.CRCFlit, e.CRCData, e.ECC}
	}
	core.FabricState, core.FabricStatus = core.FabricSupported*fabricCompleted, uint32(Success)
	if h.Fabric != nil {
		core.FabricState, core.FabricStatus = h.Fabric.State, uint32(h.Fabric.Status)
	}
}
