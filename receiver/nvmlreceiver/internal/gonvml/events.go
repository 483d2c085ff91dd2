//go:build cgo && linux

package gonvml // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gonvml"

import (
	"math"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

type events struct {
	set   nvml.EventSet
	uuids map[nvml.Device]string
}

// Events registers XIDs and changes of the MIG devices, as far as each GPU supports them.
func (l *library) Events(devices []gpu.Device) (gpu.Events, error) {
	if !l.has("nvmlEventSetCreate", "nvmlEventSetFree", "nvmlDeviceRegisterEvents", "nvmlDeviceGetSupportedEventTypes") ||
		!l.hasAny("nvmlEventSetWait_v2", "nvmlEventSetWait") {
		return nil, fail("nvmlEventSetCreate", int(gpu.FunctionNotFound))
	}
	set, ret := l.api.EventSetCreate()
	if ret != nvml.SUCCESS {
		return nil, fail("nvmlEventSetCreate", int(ret))
	}
	if set == nil {
		return nil, fail("nvmlEventSetCreate", int(gpu.NotSupported))
	}
	e := &events{set: set, uuids: make(map[nvml.Device]string, len(devices))}
	last := nvml.ERROR_NOT_SUPPORTED
	for _, d := range devices {
		own, ok := d.(*device)
		if !ok {
			continue
		}
		supported, ret := own.nvml.GetSupportedEventTypes()
		if ret != nvml.SUCCESS {
			last = ret
			continue
		}
		wanted := supported & (nvml.EventTypeXidCriticalError | nvml.EventMigConfigChange)
		if wanted == 0 {
			continue
		}
		if ret := own.nvml.RegisterEvents(wanted, set); ret != nvml.SUCCESS {
			last = ret
			continue
		}
		e.uuids[own.nvml] = own.uuid
	}
	if len(e.uuids) == 0 {
		e.Close()
		return nil, fail("nvmlDeviceRegisterEvents", int(last))
	}
	return e, nil
}

func (e *events) Wait(timeout time.Duration) (gpu.Event, error) {
	data, ret := e.set.Wait(uint32(timeout.Milliseconds()))
	if ret != nvml.SUCCESS {
		return gpu.Event{}, fail("nvmlEventSetWait_v2", int(ret))
	}
	event := gpu.Event{UUID: e.uuids[data.Device], GPUInstance: -1, ComputeInstance: -1}
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
