//go:build cgo && linux

package gonvml

import (
	"testing"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/dgxa100"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/dgxb200"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/dgxh100"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/dgxh200"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// over answers by any implementation of go-nvml's interface; missing are symbols that it is said to lack.
func over(api nvml.Interface, missing ...string) *library {
	l := &library{api: api, have: make(map[string]bool), lookup: func(symbol string) bool {
		for _, m := range missing {
			if m == symbol {
				return false
			}
		}
		return true
	}}
	return l
}

func TestTheMachinesOfTheMocks(t *testing.T) {
	for name, test := range map[string]struct {
		api          nvml.Interface
		product      string
		architecture string
		memory       uint64 // MiB
	}{
		"dgxa100": {dgxa100.New(), "A100", "ampere", 40960},
		"dgxh100": {dgxh100.New(), "H100", "hopper", 81920},
		"dgxh200": {dgxh200.New(), "H200", "hopper", 144384},
		"dgxb200": {dgxb200.New(), "B200", "blackwell", 184320},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, nvml.SUCCESS, test.api.Init())
			// What the mocks do not have.
			l := over(test.api, "nvmlDeviceGetMemoryInfo_v2", "nvmlSystemGetCudaDriverVersion_v2", "nvmlDeviceGetSerial", "nvmlDeviceGetVbiosVersion",
				"nvmlDeviceGetMaxMigDeviceCount")
			assert.NotEmpty(t, l.System().DriverVersion)
			n, err := l.Count()
			require.NoError(t, err)
			require.Equal(t, 8, n)
			seen := map[string]bool{}
			for i := range n {
				d, err := l.ByIndex(i)
				require.NoError(t, err)
				id, err := d.Identity(func() {})
				require.NoError(t, err)
				assert.Contains(t, id.Name, test.product)
				assert.Equal(t, test.architecture, id.Architecture)
				assert.Equal(t, i, id.Index)
				assert.Regexp(t, `^GPU-[0-9a-f-]{36}$`, id.UUID)
				assert.Equal(t, -1, id.GPUInstance)
				assert.False(t, seen[id.UUID])
				seen[id.UUID] = true
				same, err := l.ByUUID(id.UUID)
				require.NoError(t, err)
				again, err := same.Identity(func() {})
				require.NoError(t, err)
				assert.Equal(t, id, again)
				var r gpu.Reading
				require.NoError(t, d.Read(gpu.Memory, &r))
				assert.Equal(t, test.memory, r.MemoryTotal>>20)
				assert.False(t, r.HasReserved)
				mig, instances, err := d.Instances()
				require.NoError(t, err)
				assert.False(t, mig)
				assert.Empty(t, instances)
			}
		})
	}
}

// What a device answers must arrive, and in the right place.
func TestAnswers(t *testing.T) {
	const notAvailable = 1<<64 - 1
	device := &mock.Device{
		GetUUIDFunc: func() (string, nvml.Return) { return "GPU-x", nvml.SUCCESS },
		GetMemoryInfo_v2Func: func() (nvml.Memory_v2, nvml.Return) {
			return nvml.Memory_v2{Total: 80, Reserved: 1, Used: 7}, nvml.SUCCESS
		},
		GetUtilizationRatesFunc:       func() (nvml.Utilization, nvml.Return) { return nvml.Utilization{Gpu: 33}, nvml.SUCCESS },
		GetEncoderUtilizationFunc:     func() (uint32, uint32, nvml.Return) { return 11, 0, nvml.SUCCESS },
		GetDecoderUtilizationFunc:     func() (uint32, uint32, nvml.Return) { return 12, 0, nvml.SUCCESS },
		GetTotalEnergyConsumptionFunc: func() (uint64, nvml.Return) { return 123456, nvml.SUCCESS },
		GetPowerUsageFunc:             func() (uint32, nvml.Return) { return 700001, nvml.SUCCESS },
		GetEnforcedPowerLimitFunc:     func() (uint32, nvml.Return) { return 700000, nvml.SUCCESS },
		GetTemperatureFunc:            func(nvml.TemperatureSensors) (uint32, nvml.Return) { return 61, nvml.SUCCESS },
		GetTemperatureThresholdFunc: func(kind nvml.TemperatureThresholds) (uint32, nvml.Return) {
			if kind == nvml.TEMPERATURE_THRESHOLD_SHUTDOWN {
				return 95, nvml.SUCCESS
			}
			return 0, nvml.ERROR_NOT_SUPPORTED
		},
		GetNumFansFunc:     func() (int, nvml.Return) { return 2, nvml.SUCCESS },
		GetFanSpeed_v2Func: func(fan int) (uint32, nvml.Return) { return uint32(40 + fan), nvml.SUCCESS },
		GetClockInfoFunc: func(kind nvml.ClockType) (uint32, nvml.Return) {
			return map[nvml.ClockType]uint32{nvml.CLOCK_SM: 1980, nvml.CLOCK_MEM: 2619}[kind], nvml.SUCCESS
		},
		GetMaxPcieLinkGenerationFunc: func() (int, nvml.Return) { return 5, nvml.SUCCESS },
		GetMaxPcieLinkWidthFunc:      func() (int, nvml.Return) { return 16, nvml.SUCCESS },
		GetComputeRunningProcessesFunc: func() ([]nvml.ProcessInfo, nvml.Return) {
			return []nvml.ProcessInfo{{Pid: 1, UsedGpuMemory: 100}, {Pid: 2, UsedGpuMemory: notAvailable}}, nvml.SUCCESS
		},
		GetGraphicsRunningProcessesFunc: func() ([]nvml.ProcessInfo, nvml.Return) { return nil, nvml.ERROR_NOT_SUPPORTED },
		GetMPSComputeRunningProcessesFunc: func() ([]nvml.ProcessInfo, nvml.Return) {
			return []nvml.ProcessInfo{{Pid: 1, UsedGpuMemory: 100}, {Pid: 3, UsedGpuMemory: 5}}, nvml.SUCCESS
		},
		GetProcessUtilizationFunc: func(seen uint64) ([]nvml.ProcessUtilizationSample, nvml.Return) {
			if seen >= 20 {
				return nil, nvml.ERROR_NOT_FOUND
			}
			return []nvml.ProcessUtilizationSample{{Pid: 1, TimeStamp: 20, SmUtil: 50, MemUtil: 10}, {}}, nvml.SUCCESS
		},
		GetFieldValuesFunc: func(values []nvml.FieldValue) nvml.Return {
			for i := range values {
				v := &values[i]
				switch v.FieldId {
				case gpu.FieldECCCorrected:
					v.ValueType, v.Value = uint32(nvml.VALUE_TYPE_UNSIGNED_LONG_LONG), [8]byte{1, 0, 0, 0, 1}
				case gpu.FieldMemoryTemperature:
					v.ValueType, v.Value = uint32(nvml.VALUE_TYPE_UNSIGNED_INT), [8]byte{70, 0, 0, 0, 0xff}
				default:
					v.NvmlReturn = uint32(nvml.ERROR_NOT_SUPPORTED)
				}
			}
			return nvml.SUCCESS
		},
	}
	d := newDevice(over(&mock.Interface{}, "nvmlDeviceGetTemperatureV"), device, nil)
	r := gpu.Reading{ProcessSeen: 10}
	for _, q := range []gpu.Question{
		gpu.Memory, gpu.Utilization, gpu.Encoder, gpu.Decoder, gpu.Energy, gpu.Power, gpu.PowerLimit, gpu.Temperature, gpu.TemperatureLimits, gpu.Fans,
		gpu.Clocks, gpu.PCIeLink, gpu.Processes, gpu.ProcessUsage,
	} {
		require.NoError(t, d.Read(q, &r), q)
	}
	assert.Equal(t, gpu.Reading{
		MemoryTotal: 80, MemoryUsed: 7, MemoryReserved: 1, HasReserved: true, Utilization: 33, Encoder: 11, Decoder: 12, Energy: 123456,
		Power: 700001, PowerLimit: 700000, Temperature: 61, Shutdown: 95, HasShutdown: true, Fans: 2, FanSpeeds: [gpu.MaxFans]uint32{40, 41},
		ClockSM: 1980, ClockMemory: 2619, PCIeGeneration: 5, PCIeWidth: 16,
		Processes:    []gpu.Process{{PID: 1, Memory: 100, HasMemory: true}, {PID: 2, Memory: notAvailable}, {PID: 3, Memory: 5, HasMemory: true}},
		ProcessUsage: []gpu.ProcessActivity{{PID: 1, UnixMicros: 20, SM: 50, Memory: 10}}, ProcessSeen: 20,
	}, r)
	require.NoError(t, d.Read(gpu.ProcessUsage, &r))
	assert.Empty(t, r.ProcessUsage)

	fields := []gpu.Field{{ID: gpu.FieldECCCorrected}, {ID: gpu.FieldMemoryTemperature}, {ID: 999}}
	require.NoError(t, d.Fields(fields))
	assert.Equal(t, []gpu.Field{
		{ID: gpu.FieldECCCorrected, Value: 1<<32 + 1, Wide: true}, {ID: gpu.FieldMemoryTemperature, Value: 70}, {ID: 999, Code: gpu.NotSupported},
	}, fields)
}

// No question may call a function whose symbol is missing: the mocks would answer, the real library would end the process.
func TestNothingIsCalledThatTheLibraryLacks(t *testing.T) {
	device := &mock.Device{GetUUIDFunc: func() (string, nvml.Return) { return "GPU-x", nvml.SUCCESS }}
	l := over(&mock.Interface{})
	l.lookup = func(string) bool { return false }
	d := newDevice(l, device, nil)
	var r gpu.Reading
	for q := range gpu.FieldValues {
		assert.Equal(t, gpu.FunctionNotFound, gpu.CodeOf(d.Read(q, &r)), q)
	}
	assert.Equal(t, gpu.FunctionNotFound, gpu.CodeOf(d.Fields(make([]gpu.Field, 1))))
	_, err := l.ByUUID("GPU-x")
	assert.Equal(t, gpu.FunctionNotFound, gpu.CodeOf(err))
	assert.Equal(t, gpu.System{}, l.System())
	mig, instances, err := d.Instances()
	assert.NoError(t, err)
	assert.False(t, mig)
	assert.Empty(t, instances)
	id, err := d.Identity(func() {})
	require.NoError(t, err)
	assert.Equal(t, gpu.Identity{UUID: "GPU-x", Index: -1, Minor: -1, GPUInstance: -1, ComputeInstance: -1}, id)
}
