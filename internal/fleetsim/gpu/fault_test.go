//go:build unix

package gpu_test

import (
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu"
)

const (
	waitFor = 30 * time.Second
	tick    = 2 * time.Millisecond
)

func TestInitialisationFaults(t *testing.T) {
	for fault, want := range map[gpu.Return]nvml.Return{
		gpu.VersionMismatch: nvml.ERROR_LIB_RM_VERSION_MISMATCH,
		gpu.NoPermission:    nvml.ERROR_NO_PERMISSION,
		gpu.DriverNotLoaded: nvml.ERROR_DRIVER_NOT_LOADED,
		gpu.Unknown:         nvml.ERROR_UNKNOWN,
	} {
		r := newMachine(t, template(t, "h100", 1))
		require.NoError(t, r.SetFault(gpu.System, "nvmlInit_v2", gpu.Fault{Return: fault}))
		outcome := runChild(t, "init")
		require.Equal(t, want, outcome.Return)
		require.NoError(t, r.SetFault(gpu.System, "nvmlInit_v2", gpu.Fault{}))
		require.Equal(t, nvml.SUCCESS, runChild(t, "init").Return)
	}
}

func TestLostGPU(t *testing.T) {
	r := newRig(t, template(t, "h100", 2))
	lost, well := r.device(t, 0), r.device(t, 1)
	require.NoError(t, r.SetFault(0, gpu.AllFunctions, gpu.Fault{Return: gpu.GPUIsLost}))
	require.Equal(t, nvml.ERROR_GPU_IS_LOST, second(lost.GetName()))
	require.Equal(t, nvml.ERROR_GPU_IS_LOST, second(lost.GetTotalEnergyConsumption()))
	require.Equal(t, nvml.ERROR_GPU_IS_LOST, second(r.nvml.DeviceGetHandleByIndex(0)))
	ok(t, second(well.GetName()))
	ok(t, second(r.nvml.DeviceGetCount()))
	require.NoError(t, r.ClearFaults())
	ok(t, second(lost.GetName()))
}

func TestFaultOfOneFunction(t *testing.T) {
	r := newRig(t, template(t, "h100", 2))
	d := r.device(t, 0)
	for _, c := range []struct {
		fault gpu.Return
		want  nvml.Return
	}{{gpu.NotSupported, nvml.ERROR_NOT_SUPPORTED}, {gpu.Unknown, nvml.ERROR_UNKNOWN}} {
		require.NoError(t, r.SetFault(0, "nvmlDeviceGetPowerUsage", gpu.Fault{Return: c.fault}))
		require.Equal(t, c.want, second(d.GetPowerUsage()))
		ok(t, second(d.GetTotalEnergyConsumption()))
		ok(t, second(r.device(t, 1).GetPowerUsage()))
	}
	require.NoError(t, r.SetFault(0, gpu.AllFunctions, gpu.Fault{Return: gpu.GPUIsLost}))
	require.Equal(t, nvml.ERROR_UNKNOWN, second(d.GetPowerUsage()), "the function's own fault goes before")
}

// TestFaultsReachEveryFile takes one function of each source file of the library.
func TestFaultsReachEveryFile(t *testing.T) {
	r := newRig(t, template(t, "h100", 1))
	d := r.device(t, 0)
	s := got[nvml.GpmSample](t)(r.nvml.GpmSampleAlloc())
	defer func() { ok(t, s.Free()) }()
	for function, call := range map[string]func() nvml.Return{
		"nvmlDeviceGetMemoryInfo_v2":              func() nvml.Return { return second(d.GetMemoryInfo_v2()) },
		"nvmlDeviceGetUtilizationRates":           func() nvml.Return { return second(d.GetUtilizationRates()) },
		"nvmlDeviceGetFieldValues":                func() nvml.Return { return d.GetFieldValues(make([]nvml.FieldValue, 1)) },
		"nvmlDeviceGetComputeRunningProcesses_v3": func() nvml.Return { return second(d.GetComputeRunningProcesses()) },
		"nvmlGpmSampleGet":                        func() nvml.Return { return s.Get(d) },
		"nvmlDeviceGetNvLinkState":                func() nvml.Return { return second(d.GetNvLinkState(0)) },
		"nvmlDeviceGetTemperature":                func() nvml.Return { return second(d.GetTemperature(nvml.TEMPERATURE_GPU)) },
	} {
		ok(t, call())
		require.NoError(t, r.SetFault(0, function, gpu.Fault{Return: gpu.ResetRequired}))
		require.Equal(t, nvml.ERROR_RESET_REQUIRED, call(), function)
	}
}

func TestHangUntilCleared(t *testing.T) {
	r := newRig(t, template(t, "h100", 2))
	hung := r.device(t, 0)
	require.NoError(t, r.SetFault(0, "nvmlDeviceGetPowerUsage", gpu.Fault{Delay: gpu.Forever}))
	done := make(chan nvml.Return, 1)
	go func() { done <- second(hung.GetPowerUsage()) }()
	require.Eventually(t, func() bool { return r.Calls()["nvmlDeviceGetPowerUsage"] == 1 }, waitFor, tick)
	ok(t, second(hung.GetTotalEnergyConsumption()))
	ok(t, second(r.device(t, 1).GetPowerUsage()))
	select {
	case ret := <-done:
		t.Fatalf("the call returned %v while it should hang", ret)
	default:
	}
	require.NoError(t, r.SetFault(0, "nvmlDeviceGetPowerUsage", gpu.Fault{}))
	ok(t, <-done)
}

func TestHangEndsInAnotherFault(t *testing.T) {
	r := newRig(t, template(t, "h100", 1))
	d := r.device(t, 0)
	require.NoError(t, r.SetFault(0, gpu.AllFunctions, gpu.Fault{Delay: gpu.Forever}))
	done := make(chan nvml.Return, 1)
	go func() { done <- second(d.GetName()) }()
	require.Eventually(t, func() bool { return r.Calls()["nvmlDeviceGetName"] == 1 }, waitFor, tick)
	require.NoError(t, r.SetFault(0, gpu.AllFunctions, gpu.Fault{Return: gpu.GPUIsLost}))
	require.Equal(t, nvml.ERROR_GPU_IS_LOST, <-done)
}

func TestDelayThenAnswer(t *testing.T) {
	r := newRig(t, template(t, "h100", 1))
	d := r.device(t, 0)
	require.NoError(t, r.SetFault(0, "nvmlDeviceGetName", gpu.Fault{Delay: time.Hour}))
	done := make(chan nvml.Return, 1)
	go func() { done <- second(d.GetName()) }()
	require.Eventually(t, func() bool { return r.Calls()["nvmlDeviceGetName"] == 1 }, waitFor, tick)
	require.Empty(t, done)
	require.NoError(t, r.SetFault(0, "nvmlDeviceGetName", gpu.Fault{Delay: time.Millisecond, Return: gpu.Timeout}))
	require.Equal(t, nvml.ERROR_TIMEOUT, <-done, "a call that waits takes the new fault")
	require.NoError(t, r.SetFault(0, "nvmlDeviceGetName", gpu.Fault{Delay: time.Millisecond}))
	ok(t, second(d.GetName()))
}

func TestFaultsRefused(t *testing.T) {
	r := newMachine(t, template(t, "h100", 2))
	require.EqualError(t, r.SetFault(0, "nvmlNone", gpu.Fault{}), `function: must be one the library answers, is "nvmlNone"`)
	require.EqualError(t, r.SetFault(2, gpu.AllFunctions, gpu.Fault{}), "device: must be 0..1 or System, is 2")
	require.EqualError(t, r.SetFault(0, gpu.AllFunctions, gpu.Fault{Delay: -1}), "delay: must be 0..8.9 years or Forever, is -1ns")
}

func TestCallsAreCounted(t *testing.T) {
	r := newRig(t, template(t, "h100", 1))
	d := r.device(t, 0)
	before := r.Calls()
	require.Len(t, before, len(gpu.Functions()))
	ok(t, second(d.GetPowerUsage()))
	ok(t, second(d.GetPowerUsage()))
	after := r.Calls()
	require.Equal(t, before["nvmlDeviceGetPowerUsage"]+2, after["nvmlDeviceGetPowerUsage"])
	delete(after, "nvmlDeviceGetPowerUsage")
	delete(before, "nvmlDeviceGetPowerUsage")
	require.Equal(t, before, after, "and nothing else was")
}
