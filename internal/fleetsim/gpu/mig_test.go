//go:build unix

package gpu_test

import (
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu"
)

func TestMIG(t *testing.T) {
	r := newRig(t, template(t, "h100", 1))
	d := r.device(t, 0)
	_, ret := d.GetMigDeviceHandleByIndex(0)
	require.Equal(t, nvml.ERROR_NOT_SUPPORTED, ret)
	require.NoError(t, r.ConfigureMIG(0, true, gpu.MIGInstance{Slices: 3, Memory: 40 << 30}, gpu.MIGInstance{Slices: 1, Memory: 10 << 30}))
	current, pending, ret := d.GetMigMode()
	ok(t, ret)
	require.Equal(t, [2]int{nvml.DEVICE_MIG_ENABLE, nvml.DEVICE_MIG_ENABLE}, [2]int{current, pending})
	require.Equal(t, 7, got[int](t)(d.GetMaxMigDeviceCount()))
	_, ret = d.GetMigDeviceHandleByIndex(2)
	require.Equal(t, nvml.ERROR_NOT_FOUND, ret)
	_, ret = d.GetMigDeviceHandleByIndex(7)
	require.Equal(t, nvml.ERROR_INVALID_ARGUMENT, ret)
	require.False(t, got[bool](t)(d.IsMigDeviceHandle()))
	_, ret = d.GetGpuInstanceId()
	require.Equal(t, nvml.ERROR_INVALID_ARGUMENT, ret)

	mig := got[nvml.Device](t)(d.GetMigDeviceHandleByIndex(1))
	require.True(t, got[bool](t)(mig.IsMigDeviceHandle()))
	require.Equal(t, "NVIDIA H100 80GB HBM3 MIG 1g.10gb", got[string](t)(mig.GetName()))
	uuid := got[string](t)(mig.GetUUID())
	require.Regexp(t, "^MIG-", uuid)
	require.Equal(t, mig, got[nvml.Device](t)(r.nvml.DeviceGetHandleByUUID(uuid)))
	require.Equal(t, 2, got[int](t)(mig.GetGpuInstanceId()))
	require.Equal(t, 0, got[int](t)(mig.GetComputeInstanceId()))
	require.Equal(t, d, got[nvml.Device](t)(mig.GetDeviceHandleFromMigDeviceHandle()))
	attributes := got[nvml.DeviceAttributes](t)(mig.GetAttributes())
	require.Equal(t, uint32(16), attributes.MultiprocessorCount)
	require.Equal(t, uint32(1), attributes.GpuInstanceSliceCount)
	require.Equal(t, uint64(10<<10), attributes.MemorySizeMB)
	_, ret = d.GetAttributes()
	require.Equal(t, nvml.ERROR_NOT_SUPPORTED, ret)
	for name, ret := range map[string]nvml.Return{"power of a part": second(mig.GetPowerUsage()), "temperature": second(mig.GetTemperature(0)),
		"utilisation of a part": second(mig.GetUtilizationRates()), "utilisation": second(d.GetUtilizationRates()),
		"process utilisation": second(d.GetProcessUtilization(0)), "remapped rows": remapped(d)} {
		require.Equal(t, nvml.ERROR_NOT_SUPPORTED, ret, name)
	}
	_, _, ret = d.GetSamples(nvml.GPU_UTILIZATION_SAMPLES, 0)
	require.Equal(t, nvml.ERROR_NOT_SUPPORTED, ret)
}

func second[V any](_ V, ret nvml.Return) nvml.Return { return ret }

func remapped(d nvml.Device) nvml.Return {
	_, _, _, _, ret := d.GetRemappedRows()
	return ret
}

func TestMIGProcessesAndMemory(t *testing.T) {
	r := newRig(t, template(t, "h100", 1))
	require.NoError(t, r.ConfigureMIG(0, true, gpu.MIGInstance{Slices: 3, Memory: 40 << 30}, gpu.MIGInstance{Slices: 1, Memory: 10 << 30}))
	r.update(t, 0, gpu.Sample{
		MemoryUsed: 35 << 30,
		Processes:  []gpu.Process{{PID: 7, Memory: 30 << 30, MIG: 0}, {PID: 8, Memory: 5 << 30, MIG: 1}},
		MIG:        []gpu.MIGSample{{MemoryUsed: 30 << 30}, {MemoryUsed: 5 << 30}},
	})
	d := r.device(t, 0)
	require.Len(t, got[[]nvml.ProcessInfo](t)(d.GetComputeRunningProcesses()), 2)
	mig := got[nvml.Device](t)(d.GetMigDeviceHandleByIndex(1))
	require.Equal(t, []nvml.ProcessInfo{{Pid: 8, UsedGpuMemory: 5 << 30, GpuInstanceId: 2}},
		got[[]nvml.ProcessInfo](t)(mig.GetComputeRunningProcesses()))
	memory := got[nvml.Memory_v2](t)(mig.GetMemoryInfo_v2())
	require.Equal(t, [2]uint64{10 << 30, 5 << 30}, [2]uint64{memory.Total, memory.Used})
	require.EqualError(t, r.Update(0, gpu.Sample{Processes: []gpu.Process{{PID: 1, MIG: 2}}}),
		"device 0: process 0: MIG device must be 0..1, is 2")
	require.ErrorContains(t, r.Update(0, gpu.Sample{MIG: []gpu.MIGSample{{}, {MemoryUsed: 10 << 30}}}), "MIG device 1: memory used: must be")
	require.ErrorContains(t, r.Update(0, gpu.Sample{MIG: []gpu.MIGSample{{Activity: gpu.Activity{SM: 9}}, {}}}), "MIG device 0: activity")
	require.EqualError(t, r.Update(0, gpu.Sample{MIG: make([]gpu.MIGSample, 1)}), "device 0: MIG samples: must be none or 2, are 1")
}

func TestMIGReconfigured(t *testing.T) {
	r := newRig(t, template(t, "h100", 1))
	d := r.device(t, 0)
	require.NoError(t, r.ConfigureMIG(0, true, gpu.MIGInstance{Slices: 7, Memory: 79 << 30}))
	old := got[nvml.Device](t)(d.GetMigDeviceHandleByIndex(0))
	uuid := got[string](t)(old.GetUUID())
	require.NoError(t, r.ConfigureMIG(0, true, gpu.MIGInstance{Slices: 2, Memory: 20 << 30}))
	_, ret := old.GetUUID()
	require.Equal(t, nvml.ERROR_INVALID_ARGUMENT, ret)
	renewed := got[nvml.Device](t)(d.GetMigDeviceHandleByIndex(0))
	require.NotEqual(t, uuid, got[string](t)(renewed.GetUUID()))
	require.NoError(t, r.ConfigureMIG(0, false))
	_, ret = renewed.GetMemoryInfo()
	require.Equal(t, nvml.ERROR_INVALID_ARGUMENT, ret)
	_, ret = d.GetUtilizationRates()
	ok(t, ret)
}

func TestMIGActivity(t *testing.T) {
	r := newRig(t, template(t, "h100", 1))
	require.NoError(t, r.ConfigureMIG(0, true, gpu.MIGInstance{Slices: 3, Memory: 40 << 30}, gpu.MIGInstance{Slices: 1, Memory: 10 << 30}))
	d := r.device(t, 0)
	mig := got[nvml.Device](t)(d.GetMigDeviceHandleByIndex(1))
	first := func(s nvml.GpmSample) nvml.Return { return s.MigGet(d, 2) }
	whole := func(s nvml.GpmSample) nvml.Return { return s.Get(d) }
	byHandle := func(s nvml.GpmSample) nvml.Return { return s.Get(mig) }
	r.update(t, 0, gpu.Sample{MIG: make([]gpu.MIGSample, 2)})
	samples := []*window{r.open(t, first), r.open(t, whole), r.open(t, byHandle)}
	r.clock.Advance(2 * time.Second)
	r.update(t, 0, gpu.Sample{Activity: gpu.Activity{SM: 0.4}, MIG: []gpu.MIGSample{{}, {Activity: gpu.Activity{SM: 1.2}}}})
	require.InDelta(t, 60, samples[0].close(t, nvml.GPM_METRIC_SM_UTIL)[0], 1e-9)
	require.InDelta(t, 20, samples[1].close(t, nvml.GPM_METRIC_SM_UTIL)[0], 1e-9)
	require.InDelta(t, 60, samples[2].close(t, nvml.GPM_METRIC_SM_UTIL)[0], 1e-9)
	s := got[nvml.GpmSample](t)(r.nvml.GpmSampleAlloc())
	defer func() { ok(t, s.Free()) }()
	require.Equal(t, nvml.ERROR_INVALID_ARGUMENT, s.MigGet(d, 5))
}

func TestMIGRefused(t *testing.T) {
	machine := template(t, "h100", 2)
	machine.Devices[1].MIGMultiprocessors = 0
	r := newRig(t, machine)
	big := gpu.MIGInstance{Slices: 4, Memory: 40 << 30}
	require.EqualError(t, r.ConfigureMIG(0, true, big, big), "device 0: MIG slices: must be at most 7 together, are 8")
	require.ErrorContains(t, r.ConfigureMIG(0, true, gpu.MIGInstance{Slices: 1, Memory: 99 << 30}), "MIG memory: must be at most")
	require.EqualError(t, r.ConfigureMIG(0, false, big), "device 0: MIG instances: must be none while MIG is off, are 1")
	require.ErrorContains(t, r.ConfigureMIG(0, true, gpu.MIGInstance{}), "must have slices and memory")
	require.EqualError(t, r.ConfigureMIG(1, true), "device 1: MIG: NVIDIA H100 80GB HBM3 cannot be cut into instances")
	_, _, ret := r.device(t, 1).GetMigMode()
	require.Equal(t, nvml.ERROR_NOT_SUPPORTED, ret)
}
