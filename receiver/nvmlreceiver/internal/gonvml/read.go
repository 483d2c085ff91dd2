//go:build cgo && linux

package gonvml // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gonvml"

import (
	"encoding/binary"
	"math"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

func doubleValue(raw [8]byte) uint64 {
	f := math.Float64frombits(binary.NativeEndian.Uint64(raw[:]))
	if !(f >= 0 && f < math.MaxUint64) {
		return 0
	}
	return uint64(f)
}

// Read answers one question. A function that the library lacks is FunctionNotFound.
func (d *device) Read(q gpu.Question, r *gpu.Reading) error {
	ret := nvml.Return(gpu.FunctionNotFound)
	switch q {
	case gpu.Memory:
		ret = d.readMemory(r)
	case gpu.Utilization:
		if d.lib.has("nvmlDeviceGetUtilizationRates") {
			var rates nvml.Utilization
			rates, ret = d.nvml.GetUtilizationRates()
			r.Utilization = rates.Gpu
		}
	case gpu.Encoder:
		if d.lib.has("nvmlDeviceGetEncoderUtilization") {
			r.Encoder, _, ret = d.nvml.GetEncoderUtilization()
		}
	case gpu.Decoder:
		if d.lib.has("nvmlDeviceGetDecoderUtilization") {
			r.Decoder, _, ret = d.nvml.GetDecoderUtilization()
		}
	case gpu.Energy:
		if d.lib.has("nvmlDeviceGetTotalEnergyConsumption") {
			r.Energy, ret = d.nvml.GetTotalEnergyConsumption()
		}
	case gpu.Power:
		if d.lib.has("nvmlDeviceGetPowerUsage") {
			r.Power, ret = d.nvml.GetPowerUsage()
		}
	case gpu.PowerLimit:
		if d.lib.has("nvmlDeviceGetEnforcedPowerLimit") {
			r.PowerLimit, ret = d.nvml.GetEnforcedPowerLimit()
		}
	case gpu.Temperature:
		ret = d.readTemperature(r)
	case gpu.TemperatureLimits:
		ret = d.readTemperatureLimits(r)
	case gpu.Fans:
		ret = d.readFans(r)
	case gpu.Clocks:
		ret = d.readClocks(r)
	case gpu.PCIeLink:
		ret = d.readPCIeLink(r)
	case gpu.Processes:
		ret = d.readProcesses(r)
	case gpu.ProcessUsage:
		ret = d.readProcessUsage(r)
	default:
		ret = nvml.ERROR_INVALID_ARGUMENT
	}
	if ret != nvml.SUCCESS {
		return fail(q.String(), int(ret))
	}
	return nil
}

func (d *device) readMemory(r *gpu.Reading) nvml.Return {
	if d.lib.has("nvmlDeviceGetMemoryInfo_v2") {
		m, ret := d.nvml.GetMemoryInfo_v2()
		if ret == nvml.SUCCESS {
			r.MemoryTotal, r.MemoryUsed, r.MemoryReserved, r.HasReserved = m.Total, m.Used, m.Reserved, true
			return nvml.SUCCESS
		}
		if ret != nvml.ERROR_NOT_SUPPORTED && ret != nvml.ERROR_ARGUMENT_VERSION_MISMATCH {
			return ret
		}
	}
	if !d.lib.has("nvmlDeviceGetMemoryInfo") {
		return nvml.ERROR_FUNCTION_NOT_FOUND
	}
	m, ret := d.nvml.GetMemoryInfo()
	r.MemoryTotal, r.MemoryUsed, r.MemoryReserved, r.HasReserved = m.Total, m.Used, 0, false
	return ret
}

func (d *device) readTemperature(r *gpu.Reading) nvml.Return {
	if d.lib.has("nvmlDeviceGetTemperatureV") {
		t, ret := d.nvml.GetTemperatureV().V1()
		r.Temperature = t.Temperature
		if ret != nvml.ERROR_NOT_SUPPORTED && ret != nvml.ERROR_ARGUMENT_VERSION_MISMATCH {
			return ret
		}
	}
	if !d.lib.has("nvmlDeviceGetTemperature") {
		return nvml.ERROR_FUNCTION_NOT_FOUND
	}
	t, ret := d.nvml.GetTemperature(nvml.TEMPERATURE_GPU)
	r.Temperature = int32(t)
	return ret
}

func (d *device) readTemperatureLimits(r *gpu.Reading) nvml.Return {
	if !d.lib.has("nvmlDeviceGetTemperatureThreshold") {
		return nvml.ERROR_FUNCTION_NOT_FOUND
	}
	shutdown, ret := d.nvml.GetTemperatureThreshold(nvml.TEMPERATURE_THRESHOLD_SHUTDOWN)
	r.Shutdown, r.HasShutdown = shutdown, ret == nvml.SUCCESS && shutdown > 0
	slowdown, second := d.nvml.GetTemperatureThreshold(nvml.TEMPERATURE_THRESHOLD_SLOWDOWN)
	r.Slowdown, r.HasSlowdown = slowdown, second == nvml.SUCCESS && slowdown > 0
	if r.HasShutdown || r.HasSlowdown {
		return nvml.SUCCESS
	}
	return max(ret, second)
}

func (d *device) readFans(r *gpu.Reading) nvml.Return {
	if !d.lib.has("nvmlDeviceGetNumFans", "nvmlDeviceGetFanSpeed_v2") {
		return nvml.ERROR_FUNCTION_NOT_FOUND
	}
	n, ret := d.nvml.GetNumFans()
	if ret != nvml.SUCCESS {
		return ret
	}
	if n == 0 {
		return nvml.ERROR_NOT_SUPPORTED // cooled from outside; nothing to ask again
	}
	r.Fans = 0
	for i := range min(n, gpu.MaxFans) {
		speed, ret := d.nvml.GetFanSpeed_v2(i)
		if ret != nvml.SUCCESS {
			return ret
		}
		r.FanSpeeds[i] = speed
		r.Fans++
	}
	return nvml.SUCCESS
}

func (d *device) readClocks(r *gpu.Reading) (ret nvml.Return) {
	if !d.lib.has("nvmlDeviceGetClockInfo") {
		return nvml.ERROR_FUNCTION_NOT_FOUND
	}
	if r.ClockSM, ret = d.nvml.GetClockInfo(nvml.CLOCK_SM); ret != nvml.SUCCESS {
		return ret
	}
	r.ClockMemory, ret = d.nvml.GetClockInfo(nvml.CLOCK_MEM)
	return ret
}

func (d *device) readPCIeLink(r *gpu.Reading) (ret nvml.Return) {
	if !d.lib.has("nvmlDeviceGetMaxPcieLinkGeneration", "nvmlDeviceGetMaxPcieLinkWidth") {
		return nvml.ERROR_FUNCTION_NOT_FOUND
	}
	if r.PCIeGeneration, ret = d.nvml.GetMaxPcieLinkGeneration(); ret != nvml.SUCCESS {
		return ret
	}
	r.PCIeWidth, ret = d.nvml.GetMaxPcieLinkWidth()
	return ret
}
