//go:build unix

package gpu_test

import (
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu"
)

func TestMemory(t *testing.T) {
	r := newRig(t, template(t, "h100", 1))
	d := r.device(t, 0)
	r.update(t, 0, gpu.Sample{MemoryUsed: 60 << 30})
	v2 := got[nvml.Memory_v2](t)(d.GetMemoryInfo_v2())
	require.Equal(t, uint64(85_520_809_984), v2.Total)
	require.Equal(t, uint64(60<<30), v2.Used)
	require.Equal(t, uint64(577_765_376), v2.Reserved)
	require.Equal(t, v2.Total, v2.Free+v2.Reserved+v2.Used)
	v1 := got[nvml.Memory](t)(d.GetMemoryInfo())
	require.Equal(t, v2.Used+v2.Reserved, v1.Used, "the first version counts the reserve as used")
	require.Equal(t, v1.Total, v1.Free+v1.Used)
	bar := got[nvml.BAR1Memory](t)(d.GetBAR1MemoryInfo())
	require.Equal(t, uint64(128<<30), bar.Bar1Total)
	require.Equal(t, bar.Bar1Total, bar.Bar1Free+bar.Bar1Used)
}

func TestECC(t *testing.T) {
	r := newRig(t, template(t, "h100", 1))
	d := r.device(t, 0)
	require.NoError(t, r.SetHealth(0, gpu.Health{ECC: []gpu.ECCErrors{
		{Location: gpu.DeviceMemory, VolatileCorrected: 3, VolatileUncorrected: 1, AggregateCorrected: 30, AggregateUncorrected: 10},
		{Location: gpu.L2Cache, VolatileCorrected: 4, AggregateCorrected: 40},
		{Location: gpu.CBU, VolatileUncorrected: 2, AggregateUncorrected: 20},
	}}))
	current, pending, ret := d.GetEccMode()
	ok(t, ret)
	require.Equal(t, [2]nvml.EnableState{nvml.FEATURE_ENABLED, nvml.FEATURE_ENABLED}, [2]nvml.EnableState{current, pending})
	total := func(kind nvml.MemoryErrorType, counter nvml.EccCounterType) uint64 {
		return got[uint64](t)(d.GetTotalEccErrors(kind, counter))
	}
	corrected, uncorrected := nvml.MEMORY_ERROR_TYPE_CORRECTED, nvml.MEMORY_ERROR_TYPE_UNCORRECTED
	require.Equal(t, []uint64{7, 3, 70, 30}, []uint64{
		total(corrected, nvml.VOLATILE_ECC), total(uncorrected, nvml.VOLATILE_ECC),
		total(corrected, nvml.AGGREGATE_ECC), total(uncorrected, nvml.AGGREGATE_ECC),
	})
	require.Equal(t, uint64(40),
		got[uint64](t)(d.GetMemoryErrorCounter(corrected, nvml.AGGREGATE_ECC, nvml.MEMORY_LOCATION_L2_CACHE)))
	detailed := got[nvml.EccErrorCounts](t)(d.GetDetailedEccErrors(corrected, nvml.VOLATILE_ECC))
	require.Equal(t, nvml.EccErrorCounts{L2Cache: 4, DeviceMemory: 3}, detailed)
	require.Equal(t, []uint64{1, 1, 7, 3, 70, 30, 4, 0, 3, 1, 2, 40, 30, 10, 20}, r.fields(t, d,
		nvml.FI_DEV_ECC_CURRENT, nvml.FI_DEV_ECC_PENDING, nvml.FI_DEV_ECC_SBE_VOL_TOTAL, nvml.FI_DEV_ECC_DBE_VOL_TOTAL,
		nvml.FI_DEV_ECC_SBE_AGG_TOTAL, nvml.FI_DEV_ECC_DBE_AGG_TOTAL, nvml.FI_DEV_ECC_SBE_VOL_L2, nvml.FI_DEV_ECC_DBE_VOL_L2,
		nvml.FI_DEV_ECC_SBE_VOL_DEV, nvml.FI_DEV_ECC_DBE_VOL_DEV, nvml.FI_DEV_ECC_DBE_VOL_CBU, nvml.FI_DEV_ECC_SBE_AGG_L2,
		nvml.FI_DEV_ECC_SBE_AGG_DEV, nvml.FI_DEV_ECC_DBE_AGG_DEV, nvml.FI_DEV_ECC_DBE_AGG_CBU))

	require.NoError(t, r.SetHealth(0, gpu.Health{ECCDisabled: true}))
	_, ret = d.GetTotalEccErrors(corrected, nvml.VOLATILE_ECC)
	require.Equal(t, nvml.ERROR_NOT_SUPPORTED, ret)
}

func TestRowsAndPages(t *testing.T) {
	machine := template(t, "a100", 2)
	machine.Devices[1].RetiresPages = true
	r := newRig(t, machine)
	when := time.Unix(1_600_000_000, 0)
	require.NoError(t, r.SetHealth(0, gpu.Health{RemappedCorrected: 2, RemappedUncorrected: 1, RemapPending: true, RemapFailure: true}))
	require.NoError(t, r.SetHealth(1, gpu.Health{RetiredPending: true, Retired: []gpu.RetiredPage{
		{Address: 0x1000, Time: when}, {Address: 0x2000, Time: when, DoubleBit: true}, {Address: 0x3000, Time: when},
	}}))
	corrected, uncorrected, pending, failure, ret := r.device(t, 0).GetRemappedRows()
	ok(t, ret)
	require.Equal(t, []any{2, 1, true, true}, []any{corrected, uncorrected, pending, failure})
	histogram := got[nvml.RowRemapperHistogramValues](t)(r.device(t, 0).GetRowRemapperHistogram())
	require.Equal(t, uint32(640), histogram.Max)
	require.Equal(t, []uint64{2, 1, 1, 1}, r.fields(t, r.device(t, 0), nvml.FI_DEV_REMAPPED_COR, nvml.FI_DEV_REMAPPED_UNC,
		nvml.FI_DEV_REMAPPED_PENDING, nvml.FI_DEV_REMAPPED_FAILURE))
	_, ret = r.device(t, 0).GetRetiredPages(nvml.PAGE_RETIREMENT_CAUSE_DOUBLE_BIT_ECC_ERROR)
	require.Equal(t, nvml.ERROR_NOT_SUPPORTED, ret, "Ampere remaps rows and retires no pages")

	d := r.device(t, 1)
	pages, times, ret := d.GetRetiredPages_v2(nvml.PAGE_RETIREMENT_CAUSE_MULTIPLE_SINGLE_BIT_ECC_ERRORS)
	ok(t, ret)
	require.Equal(t, []uint64{0x1000, 0x3000}, pages)
	require.Equal(t, uint64(when.UnixMicro()), times[0])
	require.Equal(t, []uint64{0x2000}, got[[]uint64](t)(d.GetRetiredPages(nvml.PAGE_RETIREMENT_CAUSE_DOUBLE_BIT_ECC_ERROR)))
	require.Equal(t, nvml.FEATURE_ENABLED, got[nvml.EnableState](t)(d.GetRetiredPagesPendingStatus()))
	require.Equal(t, []uint64{2, 1, 1}, r.fields(t, d, nvml.FI_DEV_RETIRED_SBE, nvml.FI_DEV_RETIRED_DBE, nvml.FI_DEV_RETIRED_PENDING))
}

func TestProcesses(t *testing.T) {
	r := newRig(t, template(t, "h100", 1))
	d := r.device(t, 0)
	require.Empty(t, got[[]nvml.ProcessInfo](t)(d.GetComputeRunningProcesses()))
	_, ret := d.GetProcessUtilization(0)
	require.Equal(t, nvml.ERROR_NOT_FOUND, ret)

	r.update(t, 0, gpu.Sample{MemoryUsed: 50 << 30, Processes: []gpu.Process{
		{PID: 101, Memory: 30 << 30, SM: 0.805, DRAM: 0.4},
		{PID: 102, Memory: 10 << 30},
		{PID: 103, Memory: 5 << 30, SM: 0.1},
		{PID: 201, Memory: 1 << 30, Kind: gpu.Graphics},
		{PID: 301, Memory: 4 << 30, Kind: gpu.MPSCompute, DRAM: 0.02},
	}})
	compute := got[[]nvml.ProcessInfo](t)(d.GetComputeRunningProcesses())
	require.Equal(t, []nvml.ProcessInfo{
		{Pid: 101, UsedGpuMemory: 30 << 30, GpuInstanceId: 0xFFFFFFFF, ComputeInstanceId: 0xFFFFFFFF},
		{Pid: 102, UsedGpuMemory: 10 << 30, GpuInstanceId: 0xFFFFFFFF, ComputeInstanceId: 0xFFFFFFFF},
		{Pid: 103, UsedGpuMemory: 5 << 30, GpuInstanceId: 0xFFFFFFFF, ComputeInstanceId: 0xFFFFFFFF},
	}, compute)
	require.Equal(t, uint32(201), got[[]nvml.ProcessInfo](t)(d.GetGraphicsRunningProcesses())[0].Pid)
	require.Equal(t, uint32(301), got[[]nvml.ProcessInfo](t)(d.GetMPSComputeRunningProcesses())[0].Pid)

	now := uint64(r.clock.Now().UnixMicro())
	samples, ret := d.GetProcessUtilization(0)
	ok(t, ret)
	require.Equal(t, []nvml.ProcessUtilizationSample{
		{Pid: 101, TimeStamp: now, SmUtil: 81, MemUtil: 40},
		{Pid: 103, TimeStamp: now, SmUtil: 10},
		{Pid: 301, TimeStamp: now, MemUtil: 2},
	}, samples, "only those that did something")
	_, ret = d.GetProcessUtilization(now)
	require.Equal(t, nvml.ERROR_NOT_FOUND, ret, "nothing since")
	info, ret := d.GetProcessesUtilizationInfo()
	require.Equal(t, nvml.ERROR_INSUFFICIENT_SIZE, ret, "go-nvml brings no buffer")
	require.Equal(t, uint32(3), info.ProcessSamplesCount)
}

func TestManyProcesses(t *testing.T) {
	r := newRig(t, template(t, "h100", 1))
	processes := make([]gpu.Process, gpu.MaxProcesses)
	for i := range processes {
		processes[i] = gpu.Process{PID: uint32(1000 + i), Memory: 1 << 20}
	}
	r.update(t, 0, gpu.Sample{Processes: processes})
	require.Len(t, got[[]nvml.ProcessInfo](t)(r.device(t, 0).GetComputeRunningProcesses()), gpu.MaxProcesses)
	err := r.Update(0, gpu.Sample{Processes: append(processes, gpu.Process{PID: 1})})
	require.EqualError(t, err, "device 0: processes: must be at most 64, are 65")
}
