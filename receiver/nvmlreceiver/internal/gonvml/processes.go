//go:build cgo && linux

package gonvml // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gonvml"

import (
	"math"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// readProcesses lists compute, graphics and MPS client processes; one that is in several lists is there once.
func (d *device) readProcesses(r *gpu.Reading) nvml.Return {
	r.Processes = r.Processes[:0]
	lists := []struct {
		symbol string
		read   func() ([]nvml.ProcessInfo, nvml.Return)
	}{
		{"nvmlDeviceGetComputeRunningProcesses", d.nvml.GetComputeRunningProcesses},
		{"nvmlDeviceGetGraphicsRunningProcesses", d.nvml.GetGraphicsRunningProcesses},
		{"nvmlDeviceGetMPSComputeRunningProcesses", d.nvml.GetMPSComputeRunningProcesses},
	}
	answered, failed := false, nvml.ERROR_FUNCTION_NOT_FOUND
	for _, list := range lists {
		if !d.lib.hasAny(list.symbol+"_v3", list.symbol+"_v2", list.symbol) {
			continue
		}
		found, ret := list.read()
		if ret != nvml.SUCCESS {
			failed = ret
			continue
		}
		answered = true
		for _, p := range found {
			r.Processes = addProcess(r.Processes, gpu.Process{
				PID: p.Pid, Memory: p.UsedGpuMemory, HasMemory: p.UsedGpuMemory != math.MaxUint64, // NVML_VALUE_NOT_AVAILABLE
			})
		}
	}
	if !answered {
		return failed
	}
	return nvml.SUCCESS
}

func addProcess(all []gpu.Process, p gpu.Process) []gpu.Process {
	for i := range all {
		if all[i].PID != p.PID {
			continue
		}
		if p.HasMemory && (!all[i].HasMemory || p.Memory > all[i].Memory) {
			all[i] = p
		}
		return all
	}
	return append(all, p)
}

// readProcessUsage gets the driver's samples that are newer than r.ProcessSeen.
func (d *device) readProcessUsage(r *gpu.Reading) nvml.Return {
	r.ProcessUsage = r.ProcessUsage[:0]
	if !d.lib.has("nvmlDeviceGetProcessUtilization") {
		return nvml.ERROR_FUNCTION_NOT_FOUND
	}
	samples, ret := d.nvml.GetProcessUtilization(r.ProcessSeen)
	if ret == nvml.ERROR_NOT_FOUND { // nothing ran since
		return nvml.SUCCESS
	}
	if ret != nvml.SUCCESS {
		return ret
	}
	for _, s := range samples {
		if s.Pid == 0 && s.TimeStamp == 0 { // room that the driver did not fill
			continue
		}
		r.ProcessUsage = append(r.ProcessUsage, gpu.ProcessActivity{PID: s.Pid, UnixMicros: s.TimeStamp, SM: s.SmUtil, Memory: s.MemUtil})
		r.ProcessSeen = max(r.ProcessSeen, s.TimeStamp)
	}
	return nvml.SUCCESS
}
