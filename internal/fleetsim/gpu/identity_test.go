//go:build unix

package gpu_test

import (
	"testing"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/stretchr/testify/require"
)

func TestSystem(t *testing.T) {
	r := newRig(t, template(t, "h100", 2))
	require.Equal(t, "580.82.07", got[string](t)(r.nvml.SystemGetDriverVersion()))
	require.Equal(t, "13.580.82.07", got[string](t)(r.nvml.SystemGetNVMLVersion()))
	require.Equal(t, 13000, got[int](t)(r.nvml.SystemGetCudaDriverVersion()))
	require.Equal(t, 13000, got[int](t)(r.nvml.SystemGetCudaDriverVersion_v2()))
	require.Equal(t, 2, got[int](t)(r.nvml.DeviceGetCount()))
	require.Equal(t, "Driver/library version mismatch", r.nvml.ErrorString(nvml.ERROR_LIB_RM_VERSION_MISMATCH))
	_, ret := r.nvml.SystemGetConfComputeState()
	require.Equal(t, nvml.ERROR_NOT_SUPPORTED, ret)
	_, ret = r.nvml.DeviceGetHandleByIndex(2)
	require.Equal(t, nvml.ERROR_INVALID_ARGUMENT, ret)
	require.Error(t, r.nvml.Extensions().LookupSymbol("nvmlDeviceGetHostVgpuMode"), "a function that is not answered does not exist")
	require.NoError(t, r.nvml.Extensions().LookupSymbol("nvmlDeviceGetSamples"))
}

func TestIdentity(t *testing.T) {
	r := newRig(t, template(t, "h200", 8))
	d := r.device(t, 5)
	require.Equal(t, "NVIDIA H200", got[string](t)(d.GetName()))
	require.Equal(t, nvml.BRAND_NVIDIA, got[nvml.BrandType](t)(d.GetBrand()))
	require.Equal(t, 5, got[int](t)(d.GetIndex()))
	require.Equal(t, 5, got[int](t)(d.GetMinorNumber()))
	require.Equal(t, 6, got[int](t)(d.GetModuleId()))
	require.NotEmpty(t, got[string](t)(d.GetSerial()))
	require.NotEmpty(t, got[string](t)(d.GetVbiosVersion()))
	require.NotEmpty(t, got[string](t)(d.GetBoardPartNumber()))
	require.Equal(t, 16896, got[int](t)(d.GetNumGpuCores()))
	require.Equal(t, 1, got[int](t)(d.GetNumaNodeId()))
	require.Equal(t, nvml.DeviceArchitecture(nvml.DEVICE_ARCH_HOPPER), got[nvml.DeviceArchitecture](t)(d.GetArchitecture()))
	major, minor, ret := d.GetCudaComputeCapability()
	ok(t, ret)
	require.Equal(t, [2]int{9, 0}, [2]int{major, minor})
	require.Equal(t, nvml.FEATURE_ENABLED, got[nvml.EnableState](t)(d.GetPersistenceMode()))
	require.Equal(t, nvml.COMPUTEMODE_DEFAULT, got[nvml.ComputeMode](t)(d.GetComputeMode()))
	require.Equal(t, nvml.FEATURE_DISABLED, got[nvml.EnableState](t)(d.GetDisplayMode()))
	require.Equal(t, nvml.FEATURE_DISABLED, got[nvml.EnableState](t)(d.GetDisplayActive()))
	require.Equal(t, nvml.GPU_VIRTUALIZATION_MODE_NONE, got[nvml.GpuVirtualizationMode](t)(d.GetVirtualizationMode()))
}

func TestLookupByUUIDAndBus(t *testing.T) {
	r := newRig(t, template(t, "h100", 4))
	d := r.device(t, 3)
	uuid := got[string](t)(d.GetUUID())
	require.Regexp(t, `^GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`, uuid)
	require.Equal(t, d, got[nvml.Device](t)(r.nvml.DeviceGetHandleByUUID(uuid)))
	pci := got[nvml.PciInfo](t)(d.GetPciInfo())
	require.Equal(t, uint32(0x233010de), pci.PciDeviceId)
	require.Equal(t, "00000000:28:00.0", text(pci.BusId[:]))
	require.Equal(t, "0000:28:00.0", text(pci.BusIdLegacy[:]))
	for _, bus := range []string{"00000000:28:00.0", "0000:28:00.0"} {
		require.Equal(t, d, got[nvml.Device](t)(r.nvml.DeviceGetHandleByPciBusId(bus)))
	}
	_, ret := r.nvml.DeviceGetHandleByUUID("GPU-none")
	require.Equal(t, nvml.ERROR_NOT_FOUND, ret)
	_, ret = r.nvml.DeviceGetHandleByPciBusId("0000:ff:00.0")
	require.Equal(t, nvml.ERROR_NOT_FOUND, ret)

	same := newRig(t, template(t, "h100", 4))
	require.Equal(t, uuid, got[string](t)(same.device(t, 3).GetUUID()), "the same machine has the same UUIDs")
}

// text is the C string in b.
func text(b []int8) string {
	var out []byte
	for _, c := range b {
		if c == 0 {
			break
		}
		out = append(out, byte(c))
	}
	return string(out)
}

func TestTopology(t *testing.T) {
	r := newRig(t, template(t, "h100", 8))
	level := func(a, b int) nvml.GpuTopologyLevel {
		return got[nvml.GpuTopologyLevel](t)(r.nvml.DeviceGetTopologyCommonAncestor(r.device(t, a), r.device(t, b)))
	}
	require.Equal(t, nvml.TOPOLOGY_INTERNAL, level(0, 0))
	require.Equal(t, nvml.TOPOLOGY_NODE, level(0, 3))
	require.Equal(t, nvml.TOPOLOGY_SYSTEM, level(0, 4))
	require.Equal(t, uint64(3), r.Calls()["nvmlDeviceGetTopologyCommonAncestor"])
}
