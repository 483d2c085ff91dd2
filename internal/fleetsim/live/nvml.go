//go:build unix

package live

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/scenario"
)

// gpuState shows the GPUs of all workers, one after the other, to the NVML library of tests/nvmlstub.
type gpuState struct {
	state *gpu.State
	lock  *os.File // taken while the state is ours
	first []int    // device of each worker's first GPU
	count []int    // GPUs of each worker
	clock []float64
	idle  []float64 // W
}

// openGPUs makes the state file.
func openGPUs(o *scenario.NVML, cfg *fleetsim.Config, now func() time.Time) (*gpuState, error) {
	g := &gpuState{}
	machine := gpu.Machine{Name: "fleetsim", Clock: now}
	models, err := gpu.Models()
	if err != nil {
		return nil, err
	}
	for i, p := range workerPools(cfg) {
		model, ok := models[p.GPU]
		if !ok {
			return nil, fmt.Errorf("protocols.nvml: worker %d: gpu %q is not among the models of the library", i, p.GPU)
		}
		g.first = append(g.first, len(machine.Devices))
		g.count = append(g.count, p.TensorParallel)
		g.clock = append(g.clock, model.MaxSMClock)
		g.idle = append(g.idle, model.IdlePower)
		for range p.TensorParallel {
			machine.Devices = append(machine.Devices, model)
		}
	}
	if n := g.devices(); n > gpu.MaxDevices {
		return nil, fmt.Errorf("protocols.nvml: the library shows at most %d GPUs, the pools have %d", gpu.MaxDevices, n)
	}
	if g.lock, err = lockFile(o.State + ".lock"); err != nil {
		return nil, fmt.Errorf("protocols.nvml.state: %w", err)
	}
	if g.state, err = gpu.Create(o.State, machine); err != nil {
		return nil, errors.Join(fmt.Errorf("protocols.nvml.state: %w", err), g.lock.Close())
	}
	return g, nil
}

// close removes the state.
func (g *gpuState) close() error {
	return errors.Join(g.state.Close(), os.Remove(g.lock.Name()), g.lock.Close())
}

// lockFile takes a file that the kernel gives back when the process ends, however it does.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another fleet uses it (%s): %w", path, err), f.Close())
	}
	return f, nil
}

// devices is the number of GPUs.
func (g *gpuState) devices() int {
	n := 0
	for _, c := range g.count {
		n += c
	}
	return n
}

// temperature is 35 degrees of an idle device and up to 75 of one at its limit: a stand-in, nothing in the simulation depends on it.
func temperature(power, limit float64) float64 { return 35 + 40*min(power/limit, 1) }

// update copies the truth of every GPU; at is the wall time at which it holds.
func (g *gpuState) update(f *fleetsim.Fleet, at time.Time) error {
	for w := range f.Workers() {
		t := f.GPU(w)
		s := gpu.Sample{
			Time: at, Energy: t.EnergyJoules,
			Activity: gpu.Activity{
				Graphics: t.BusySeconds, SM: t.SMSeconds, SMOccupancy: t.SMSeconds * occupancy, Tensor: t.TensorSeconds,
				TensorHMMA: t.TensorSeconds, DRAM: t.DRAMSeconds,
			},
			NVLink:     gpu.Traffic{Transmit: t.NVLinkTxBytes, Receive: t.NVLinkRxBytes},
			PCIe:       gpu.Traffic{Transmit: t.PCIeTxBytes, Receive: t.PCIeRxBytes},
			MemoryUsed: uint64(t.MemoryUsedBytes), Power: t.PowerWatts, SMClock: t.ClockRatio * g.clock[w],
			MemoryClock: memoryClock, Temperature: temperature(t.PowerWatts, t.PowerLimitWatts),
			Processes: []gpu.Process{{PID: uint32(os.Getpid()), Memory: uint64(t.MemoryUsedBytes), SM: busy(t.Busy), DRAM: busy(t.Busy)}},
		}
		switch {
		case t.ClockRatio < 1:
			s.ThrottleReasons = gpu.ThrottleSWPowerCap
		case !t.Busy:
			s.ThrottleReasons = gpu.ThrottleIdle
		}
		for i := range g.count[w] {
			if err := g.state.Update(g.first[w]+i, s); err != nil {
				return fmt.Errorf("worker %d, GPU %d: %w", w, i, err)
			}
		}
	}
	return nil
}

// occupancy is resident warps over possible ones while an SM works, of large GEMM and attention kernels: an assumption.
const occupancy = 0.25

// memoryClock of the data-centre GPUs simulated here, Hz; it does not change under load.
const memoryClock = 2.6e9

func busy(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// fault makes calls of the library fail until undo is called.
func (g *gpuState) fault(f *scenario.GPU) (undo func() error, err error) {
	function := f.Function
	if function == "" {
		function = gpu.AllFunctions
	}
	x := gpu.Fault{Delay: f.Delay}
	if f.Hang {
		x.Delay = gpu.Forever
	}
	if x.Return, err = gpuResult(f.Result); err != nil {
		return nil, err
	}
	if err := g.state.SetFault(f.Device, function, x); err != nil {
		return nil, err
	}
	return func() error { return g.state.SetFault(f.Device, function, gpu.Fault{}) }, nil
}

func gpuResult(name string) (gpu.Return, error) {
	switch name {
	case "":
		return gpu.Success, nil
	case "UNINITIALIZED":
		return gpu.Uninitialized, nil
	case "NOT_SUPPORTED":
		return gpu.NotSupported, nil
	case "NO_PERMISSION":
		return gpu.NoPermission, nil
	case "DRIVER_NOT_LOADED":
		return gpu.DriverNotLoaded, nil
	case "TIMEOUT":
		return gpu.Timeout, nil
	case "GPU_IS_LOST":
		return gpu.GPUIsLost, nil
	case "LIB_RM_VERSION_MISMATCH":
		return gpu.VersionMismatch, nil
	case "UNKNOWN":
		return gpu.Unknown, nil
	}
	return 0, fmt.Errorf("result: must be UNINITIALIZED, NOT_SUPPORTED, NO_PERMISSION, DRIVER_NOT_LOADED, TIMEOUT, GPU_IS_LOST, "+
		"LIB_RM_VERSION_MISMATCH, UNKNOWN or empty, is %q", name)
}
