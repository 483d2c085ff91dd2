//go:build cgo && linux

package gonvml // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gonvml"

import (
	"math"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

type events struct{ set nvml.EventSet }

// Events registers XIDs and changes of the MIG devices, as far as the GPU supports them.
func (l *library) Events(d gpu.Device) (gpu.Events, error) {
	own, ok := d.(*device)
	if !ok {
		return nil, fail("nvmlDeviceRegisterEvents", int(gpu.InvalidArgument))
	}
	if !l.has("nvmlEventSetCreate", "nvmlEventSetFree", "nvmlDeviceRegisterEvents", "nvmlDeviceGetSupportedEventTypes") ||
		!l.hasAny("nvmlEventSetWait_v2", "nvmlEventSetWait") {
		return nil, fail("nvmlEventSetCreate", int(gpu.FunctionNotFound))
	}
	supported, ret := own.nvml.GetSupportedEventTypes()
	if ret != nvml.SUCCESS {
		return nil, fail("nvmlDeviceGetSupportedEventTypes", int(ret))
	}
	wanted := supported & (nvml.EventTypeXidCriticalError | nvml.EventMigConfigChange)
	if wanted == 0 {
		return nil, fail("nvmlDeviceGetSupportedEventTypes", int(gpu.NotSupported))
	}
	set, ret := l.api.EventSetCreate()
	if ret != nvml.SUCCESS {
		return nil, fail("nvmlEventSetCreate", int(ret))
	}
	e := &events{set}
	if ret := own.nvml.RegisterEvents(wanted, set); ret != nvml.SUCCESS {
		e.Close()
		return nil, fail("nvmlDeviceRegisterEvents", int(ret))
	}
	return e, nil
}

func (e *events) Wait(timeout time.Duration) (gpu.Event, error) {
	data, ret := e.set.Wait(uint32(timeout.Milliseconds()))
	if ret != nvml.SUCCESS {
		return gpu.Event{}, fail("nvmlEventSetWait_v2", int(ret))
	}
	event := gpu.Event{GPUInstance: -1, ComputeInstance: -1}
	if data.EventType&nvml.EventMigConfigChange != 0 {
		event.Reconfigured = true
		return event, nil
	}
	event.XID = data.EventData
	if data.GpuInstanceId != math.MaxUint32 {
		event.GPUInstance = int(data.GpuInstanceId)
	}
	if data.ComputeInstanceId != math.MaxUint32 {
		event.ComputeInstance = int(data.ComputeInstanceId)
	}
	return event, nil
}

func (e *events) Close() { _ = e.set.Free() } // nothing can be done about it
