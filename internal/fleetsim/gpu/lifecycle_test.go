//go:build unix

package gpu_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu/gputest"
)

const (
	envChild   = "GPU_TEST_CHILD"
	envLibrary = "GPU_TEST_LIBRARY"
)

// outcome is what a child process has to tell.
type outcome struct {
	Return  nvml.Return
	Devices int
	Torn    string
	Reads   int
}

// runChild runs a job of TestMain in a process of its own, with a library that nobody has initialised.
func runChild(t testing.TB, job string, environment ...string) outcome {
	t.Helper()
	child := exec.Command(os.Args[0])
	// The race detector would wait a second at the end of every child.
	child.Env = append(os.Environ(), envChild+"="+job, envLibrary+"="+gputest.BuildStub(t), "GORACE=atexit_sleep_ms=0")
	child.Env = append(child.Env, environment...)
	var stderr bytes.Buffer
	child.Stderr = &stderr
	out, err := child.Output()
	require.NoError(t, err, "child: %s", stderr.String())
	var result outcome
	require.NoError(t, json.Unmarshal(out, &result), "child wrote %q", out)
	return result
}

func TestMain(m *testing.M) {
	job := os.Getenv(envChild)
	if job == "" {
		os.Exit(m.Run())
	}
	library := nvml.New(nvml.WithLibraryPath(os.Getenv(envLibrary)))
	result := outcome{Return: library.Init()}
	switch {
	case result.Return != nvml.SUCCESS:
	case job == "init":
		result.Devices, result.Return = library.DeviceGetCount()
	case job == "read":
		result.Reads, result.Torn = readConsistently(library, 20_000)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		os.Exit(1)
	}
}

func TestNoState(t *testing.T) {
	require.Equal(t, nvml.ERROR_DRIVER_NOT_LOADED, runChild(t, "init", gpu.EnvState+"=").Return)
	require.Equal(t, nvml.ERROR_DRIVER_NOT_LOADED, runChild(t, "init", gpu.EnvState+"="+filepath.Join(t.TempDir(), "none")).Return)
}

func TestStateOfAnotherVersion(t *testing.T) {
	r := newMachine(t, template(t, "h100", 1))
	whole, err := os.ReadFile(r.Path())
	require.NoError(t, err)
	for name, damage := range map[string]func([]byte) []byte{
		"magic":   func(b []byte) []byte { b[0]++; return b },
		"version": func(b []byte) []byte { b[8]++; return b },
		"size":    func(b []byte) []byte { return b[:len(b)-8] },
	} {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, damage(bytes.Clone(whole)), 0o600))
		require.Equal(t, nvml.ERROR_LIB_RM_VERSION_MISMATCH, runChild(t, "init", gpu.EnvState+"="+path).Return, name)
	}
}

func TestCreate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state")
	first, err := gpu.Create(path, template(t, "h100", 1))
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	second, err := gpu.Create(path, template(t, "h100", 3))
	require.NoError(t, err)
	require.NoError(t, first.Close())
	require.FileExists(t, path, "the first leaves the second's file alone")
	t.Setenv(gpu.EnvState, path)
	require.Equal(t, 3, runChild(t, "init").Devices)
	require.NoError(t, second.Close())
	require.NoError(t, second.Close())
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
	require.EqualError(t, second.Update(0, gpu.Sample{}), "the GPU state is closed")
	require.Nil(t, second.Calls())
}

func TestCreateRefused(t *testing.T) {
	_, err := gpu.Create(filepath.Join(t.TempDir(), "none", "state"), template(t, "h100", 1))
	require.ErrorIs(t, err, os.ErrNotExist)
	path := filepath.Join(t.TempDir(), "state")
	_, err = gpu.Create(path, gpu.Machine{})
	require.EqualError(t, err, "GPU machine: devices: must be 1..16, are 0")
	_, err = gpu.Create(path, gpu.Machine{Devices: make([]gpu.Model, 1)})
	require.EqualError(t, err, `GPU machine: device 0: name: must have 1..63 bytes, is ""`)
	_, err = gpu.Template("h1000", 1)
	require.EqualError(t, err, `model: must be one of a100, b200, h100, h200, is "h1000"`)
	_, err = gpu.Template("h100", 17)
	require.EqualError(t, err, "number of GPUs: must be 1..16, is 17")
	require.NoFileExists(t, path)
}

func TestTemplates(t *testing.T) {
	models, err := gpu.Models()
	require.NoError(t, err)
	for name, model := range models {
		machine := template(t, name, gpu.MaxDevices)
		require.Len(t, machine.Devices, gpu.MaxDevices)
		require.Equal(t, model.GPM, model.Architecture != "ampere", "%s: GPM came with Hopper", name)
	}
}

func TestHotPlug(t *testing.T) {
	r := newRig(t, template(t, "h100", 3))
	pulled := r.device(t, 2)
	require.NoError(t, r.SetDeviceCount(2))
	require.Equal(t, 2, got[int](t)(r.nvml.DeviceGetCount()))
	require.Equal(t, nvml.ERROR_GPU_IS_LOST, second(pulled.GetName()))
	require.Equal(t, nvml.ERROR_INVALID_ARGUMENT, second(r.nvml.DeviceGetHandleByIndex(2)))
	require.NoError(t, r.SetDeviceCount(3))
	ok(t, second(pulled.GetName()))
	require.EqualError(t, r.SetDeviceCount(4), "number of devices: must be 0..3, is 4")
}

func TestDriverReload(t *testing.T) {
	r := newRig(t, template(t, "h100", 1))
	old := r.device(t, 0)
	set := r.eventSet(t, 0)
	s := gpu.Sample{Power: 500, Energy: 1000, ThrottleReasons: gpu.ThrottleSWPowerCap, NVLink: gpu.Traffic{Receive: 18 << 30}}
	r.drive(t, 0, &s, 1e8, 1e9)
	require.NoError(t, r.SetHealth(0, gpu.Health{ECC: []gpu.ECCErrors{{VolatileCorrected: 5, AggregateCorrected: 9}}}))
	require.NoError(t, r.ReloadDriver())
	require.Equal(t, nvml.ERROR_UNINITIALIZED, second(old.GetName()))
	require.Equal(t, nvml.ERROR_UNINITIALIZED, second(r.nvml.DeviceGetCount()))
	_, ret := set.Wait(0)
	require.Equal(t, nvml.ERROR_UNINITIALIZED, ret)

	ok(t, r.nvml.Init())
	require.Equal(t, nvml.ERROR_UNINITIALIZED, second(r.nvml.DeviceGetCount()), "only the first user initialises")
	ok(t, r.nvml.Shutdown())
	ok(t, r.nvml.Shutdown())
	ok(t, r.nvml.Init())
	require.Equal(t, nvml.ERROR_INVALID_ARGUMENT, second(old.GetName()), "a handle of the driver before")
	d := r.device(t, 0)
	require.Equal(t, uint64(0), got[uint64](t)(d.GetTotalEnergyConsumption()))
	require.Equal(t, []uint64{0, 0, 0, 9}, r.fields(t, d, nvml.FI_DEV_NVLINK_THROUGHPUT_DATA_RX, nvml.FI_DEV_PERF_POLICY_POWER,
		nvml.FI_DEV_ECC_SBE_VOL_TOTAL, nvml.FI_DEV_ECC_SBE_AGG_TOTAL))
	r.drive(t, 0, &s, 1e8, 1e9)
	require.InDelta(t, 500_000, got[uint64](t)(d.GetTotalEnergyConsumption()), 1)
}

func TestShutdown(t *testing.T) {
	r := newMachine(t, template(t, "h100", 1))
	r.nvml = nvml.New(nvml.WithLibraryPath(gputest.BuildStub(t)))
	ok(t, r.nvml.Init())
	ok(t, r.nvml.Init())
	ok(t, r.nvml.Shutdown())
	ok(t, second(r.nvml.DeviceGetCount()))
	ok(t, r.nvml.Shutdown())
	require.Equal(t, nvml.ERROR_UNINITIALIZED, r.nvml.Shutdown())
	ok(t, r.nvml.InitWithFlags(nvml.INIT_FLAG_NO_GPUS))
	ok(t, r.nvml.Shutdown())
}

func TestClosedMachine(t *testing.T) {
	r := newRig(t, template(t, "h100", 1))
	d := r.device(t, 0)
	require.NoError(t, r.Close())
	require.Equal(t, nvml.ERROR_UNINITIALIZED, second(d.GetName()))
}
