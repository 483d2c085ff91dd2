//go:build unix

package gpu_test

import (
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu"
)

func TestPCIe(t *testing.T) {
	r := newRig(t, template(t, "h100", 1))
	d := r.device(t, 0)
	r.update(t, 0, gpu.Sample{})
	r.clock.Advance(500 * time.Millisecond)
	r.update(t, 0, gpu.Sample{PCIe: gpu.Traffic{Receive: 4e9, Transmit: 1e9}})
	require.Equal(t, uint32(8_000_000), got[uint32](t)(d.GetPcieThroughput(nvml.PCIE_UTIL_RX_BYTES)))
	require.Equal(t, uint32(2_000_000), got[uint32](t)(d.GetPcieThroughput(nvml.PCIE_UTIL_TX_BYTES)))
	require.Equal(t, []uint64{1e9, 4e9}, r.fields(t, d, nvml.FI_DEV_PCIE_COUNT_TX_BYTES, nvml.FI_DEV_PCIE_COUNT_RX_BYTES))

	require.NoError(t, r.SetHealth(0, gpu.Health{PCIeGeneration: 1, PCIeWidth: 8, PCIeReplays: 12}))
	require.Equal(t, 1, got[int](t)(d.GetCurrPcieLinkGeneration()))
	require.Equal(t, 8, got[int](t)(d.GetCurrPcieLinkWidth()))
	require.Equal(t, 5, got[int](t)(d.GetMaxPcieLinkGeneration()))
	require.Equal(t, 5, got[int](t)(d.GetGpuMaxPcieLinkGeneration()))
	require.Equal(t, 16, got[int](t)(d.GetMaxPcieLinkWidth()))
	require.Equal(t, 12, got[int](t)(d.GetPcieReplayCounter()))
	require.Equal(t, []uint64{12}, r.fields(t, d, nvml.FI_DEV_PCIE_REPLAY_COUNTER))
}

func TestNVLink(t *testing.T) {
	r := newRig(t, template(t, "h100", 1))
	d := r.device(t, 0)
	links := make([]gpu.Traffic, 18)
	links[3] = gpu.Traffic{Receive: 5 << 20, Transmit: 34 << 20}
	links[17] = gpu.Traffic{Receive: 1 << 20}
	r.update(t, 0, gpu.Sample{NVLinks: links})
	require.NoError(t, r.SetHealth(0, gpu.Health{NVLinksDown: []int{4}, NVLinks: []gpu.NVLinkErrors{
		{Link: 3, Replay: 1, Recovery: 2, CRCFlit: 3, CRCData: 4, ECC: 5}, {Link: 5, Replay: 10},
	}}))
	require.Equal(t, nvml.FEATURE_ENABLED, got[nvml.EnableState](t)(d.GetNvLinkState(3)))
	require.Equal(t, nvml.FEATURE_DISABLED, got[nvml.EnableState](t)(d.GetNvLinkState(4)))
	_, ret := d.GetNvLinkState(18)
	require.Equal(t, nvml.ERROR_INVALID_ARGUMENT, ret)
	require.Equal(t, uint32(4), got[uint32](t)(d.GetNvLinkVersion(0)))
	require.Equal(t, nvml.NVLINK_DEVICE_TYPE_SWITCH, got[nvml.IntNvLinkDeviceType](t)(d.GetNvLinkRemoteDeviceType(0)))
	require.Equal(t, uint64(3), got[uint64](t)(d.GetNvLinkErrorCounter(3, nvml.NVLINK_ERROR_DL_CRC_FLIT)))
	require.Equal(t, []uint64{6 << 10, 34 << 10, 36.125 * 1024, 11, 2, 3, 4, 18, 26562, 4}, r.fields(t, d,
		nvml.FI_DEV_NVLINK_THROUGHPUT_DATA_RX, nvml.FI_DEV_NVLINK_THROUGHPUT_DATA_TX, nvml.FI_DEV_NVLINK_THROUGHPUT_RAW_TX,
		nvml.FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL, nvml.FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL,
		nvml.FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL, nvml.FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_TOTAL,
		nvml.FI_DEV_NVLINK_LINK_COUNT, nvml.FI_DEV_NVLINK_SPEED_MBPS_COMMON, nvml.FI_DEV_NVLINK_GET_VERSION))

	one := []nvml.FieldValue{
		{FieldId: nvml.FI_DEV_NVLINK_THROUGHPUT_DATA_RX, ScopeId: 17},
		{FieldId: nvml.FI_DEV_NVLINK_THROUGHPUT_DATA_RX, ScopeId: 18},
		{FieldId: nvml.FI_DEV_NVLINK_GET_STATE, ScopeId: 4},
		{FieldId: nvml.FI_DEV_NVLINK_COUNT_RCV_BYTES, ScopeId: 17},
		{FieldId: nvml.FI_DEV_NVLINK_ERROR_DL_REPLAY, ScopeId: 5},
		{FieldId: 100_000},
	}
	ok(t, d.GetFieldValues(one))
	require.Equal(t, uint64(1<<10), number(one[0].Value))
	require.Positive(t, one[0].Timestamp)
	require.Equal(t, nvml.ERROR_INVALID_ARGUMENT, nvml.Return(one[1].NvmlReturn))
	require.Equal(t, uint64(0), number(one[2].Value))
	require.Equal(t, nvml.ERROR_NOT_SUPPORTED, nvml.Return(one[3].NvmlReturn), "a field of NVLink 5")
	require.Equal(t, uint64(10), number(one[4].Value))
	require.Equal(t, nvml.ERROR_INVALID_ARGUMENT, nvml.Return(one[5].NvmlReturn))
}

func TestNVLinkOfOtherModels(t *testing.T) {
	machine := template(t, "b200", 2)
	machine.Devices[1].NVLinks = 0
	r := newRig(t, machine)
	r.update(t, 0, gpu.Sample{NVLink: gpu.Traffic{Receive: 18 << 20, Transmit: 36 << 20}})
	require.Equal(t, []uint64{36 << 20, 18 << 20, 5}, r.fields(t, r.device(t, 0),
		nvml.FI_DEV_NVLINK_COUNT_XMIT_BYTES, nvml.FI_DEV_NVLINK_COUNT_RCV_BYTES, nvml.FI_DEV_NVLINK_GET_VERSION))
	_, ret := r.device(t, 1).GetNvLinkState(0)
	require.Equal(t, nvml.ERROR_NOT_SUPPORTED, ret)
}

func TestFabric(t *testing.T) {
	machine := template(t, "h100", 2)
	machine.Devices[1] = template(t, "a100", 1).Devices[0]
	r := newRig(t, machine)
	info := got[nvml.GpuFabricInfo](t)(r.device(t, 0).GetGpuFabricInfo())
	require.Equal(t, uint8(nvml.GPU_FABRIC_STATE_COMPLETED), info.State)
	_, ret := r.device(t, 1).GetGpuFabricInfo()
	require.Equal(t, nvml.ERROR_NOT_SUPPORTED, ret)
	require.NoError(t, r.SetHealth(0, gpu.Health{Fabric: &gpu.Fabric{State: nvml.GPU_FABRIC_STATE_IN_PROGRESS, Status: gpu.Unknown}}))
	v2, ret := r.device(t, 0).GetGpuFabricInfoV().V2()
	ok(t, ret)
	require.Equal(t, uint8(nvml.GPU_FABRIC_STATE_IN_PROGRESS), v2.State)
	require.Equal(t, uint32(999), v2.Status)
}
