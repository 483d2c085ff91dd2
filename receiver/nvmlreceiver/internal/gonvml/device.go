//go:build cgo && linux

package gonvml // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gonvml"

import (
	"encoding/binary"
	"fmt"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// device is a GPU, or a MIG device when it has a parent. One goroutine uses it at a time.
type device struct {
	lib    *library
	nvml   nvml.Device
	parent *device
	uuid   string // once asked
	fields []nvml.FieldValue
}

var _ gpu.Device = (*device)(nil)

func newDevice(l *library, d nvml.Device, parent *device) *device {
	return &device{lib: l, nvml: d, parent: parent}
}

func (d *device) Identity(calling func()) (gpu.Identity, error) {
	calling()
	uuid, ret := d.nvml.GetUUID()
	if ret != nvml.SUCCESS {
		return gpu.Identity{}, fail("nvmlDeviceGetUUID", int(ret))
	}
	if d.uuid != uuid { // written once: the event thread reads it
		d.uuid = uuid
	}
	id := gpu.Identity{UUID: uuid, Index: -1, Minor: -1, GPUInstance: -1, ComputeInstance: -1}
	has := func(symbols ...string) bool {
		calling()
		return d.lib.hasAny(symbols...)
	}
	if has("nvmlDeviceGetName") {
		id.Name = orEmpty(d.nvml.GetName())
	}
	if d.parent != nil {
		return id, d.instance(&id, calling)
	}
	if has("nvmlDeviceGetSerial") {
		id.Serial = orEmpty(d.nvml.GetSerial())
	}
	if has("nvmlDeviceGetVbiosVersion") {
		id.Firmware = orEmpty(d.nvml.GetVbiosVersion())
	}
	if has("nvmlDeviceGetIndex") {
		if i, ret := d.nvml.GetIndex(); ret == nvml.SUCCESS {
			id.Index = i
		}
	}
	if has("nvmlDeviceGetMinorNumber") {
		if n, ret := d.nvml.GetMinorNumber(); ret == nvml.SUCCESS {
			id.Minor = n
		}
	}
	if has("nvmlDeviceGetPciInfo_v3", "nvmlDeviceGetPciInfo_v2", "nvmlDeviceGetPciInfo") {
		if pci, ret := d.nvml.GetPciInfo(); ret == nvml.SUCCESS {
			id.PCIBusID = fmt.Sprintf("%08x:%02x:%02x.0", pci.Domain, pci.Bus, pci.Device)
		}
	}
	if has("nvmlDeviceGetArchitecture") {
		if a, ret := d.nvml.GetArchitecture(); ret == nvml.SUCCESS {
			id.Architecture = architecture(a)
		}
	}
	return id, nil
}

// instance asks a MIG device for its place in the GPU.
func (d *device) instance(id *gpu.Identity, calling func()) error {
	if !d.lib.has("nvmlDeviceGetGpuInstanceId", "nvmlDeviceGetComputeInstanceId") {
		return nil
	}
	calling()
	gi, ret := d.nvml.GetGpuInstanceId()
	if ret != nvml.SUCCESS {
		return fail("nvmlDeviceGetGpuInstanceId", int(ret))
	}
	calling()
	ci, ret := d.nvml.GetComputeInstanceId()
	if ret != nvml.SUCCESS {
		return fail("nvmlDeviceGetComputeInstanceId", int(ret))
	}
	id.GPUInstance, id.ComputeInstance = gi, ci
	return nil
}

func architecture(a nvml.DeviceArchitecture) string {
	names := map[nvml.DeviceArchitecture]string{
		nvml.DEVICE_ARCH_KEPLER: "kepler", nvml.DEVICE_ARCH_MAXWELL: "maxwell", nvml.DEVICE_ARCH_PASCAL: "pascal",
		nvml.DEVICE_ARCH_VOLTA: "volta", nvml.DEVICE_ARCH_TURING: "turing", nvml.DEVICE_ARCH_AMPERE: "ampere",
		nvml.DEVICE_ARCH_ADA: "ada", nvml.DEVICE_ARCH_HOPPER: "hopper", nvml.DEVICE_ARCH_BLACKWELL: "blackwell",
	}
	return names[a]
}

// migEnabled is nil when MIG mode is on.
func (d *device) migEnabled() error {
	if !d.lib.has("nvmlDeviceGetMigMode", "nvmlDeviceGetMaxMigDeviceCount", "nvmlDeviceGetMigDeviceHandleByIndex") {
		return fail("nvmlDeviceGetMigMode", int(gpu.FunctionNotFound))
	}
	mode, _, ret := d.nvml.GetMigMode()
	if ret != nvml.SUCCESS {
		return fail("nvmlDeviceGetMigMode", int(ret))
	}
	if mode != nvml.DEVICE_MIG_ENABLE {
		return gpu.NotSupported
	}
	return nil
}

func (d *device) Instances() (mig bool, found []gpu.Device, err error) {
	if err := d.migEnabled(); err != nil {
		switch gpu.CodeOf(err) {
		case gpu.NotSupported, gpu.FunctionNotFound:
			return false, nil, nil
		default:
			return false, nil, err
		}
	}
	most, ret := d.nvml.GetMaxMigDeviceCount()
	if ret != nvml.SUCCESS {
		return false, nil, fail("nvmlDeviceGetMaxMigDeviceCount", int(ret))
	}
	for i := range most {
		switch handle, ret := d.nvml.GetMigDeviceHandleByIndex(i); ret {
		case nvml.SUCCESS:
			found = append(found, newDevice(d.lib, handle, d))
		case nvml.ERROR_NOT_FOUND, nvml.ERROR_INVALID_ARGUMENT:
			// Indices have holes where instances were destroyed.
		default:
			return false, nil, fail("nvmlDeviceGetMigDeviceHandleByIndex", int(ret))
		}
	}
	return true, found, nil
}

func (d *device) Fields(fields []gpu.Field) error {
	if len(fields) == 0 {
		return nil
	}
	if !d.lib.has("nvmlDeviceGetFieldValues") {
		return fail("nvmlDeviceGetFieldValues", int(gpu.FunctionNotFound))
	}
	d.fields = d.fields[:0]
	for _, f := range fields {
		d.fields = append(d.fields, nvml.FieldValue{FieldId: f.ID, ScopeId: f.Scope})
	}
	if ret := d.nvml.GetFieldValues(d.fields); ret != nvml.SUCCESS {
		return fail("nvmlDeviceGetFieldValues", int(ret))
	}
	for i := range fields {
		fields[i].Code = gpu.Code(d.fields[i].NvmlReturn)
		if fields[i].Code == gpu.OK {
			fields[i].Value, fields[i].Wide = fieldValue(d.fields[i])
		}
	}
	return nil
}

// fieldValue reads the union of a field value: see nvmlValueType_t.
func fieldValue(f nvml.FieldValue) (value uint64, wide bool) {
	raw := binary.NativeEndian.Uint64(f.Value[:])
	switch nvml.ValueType(f.ValueType) {
	case nvml.VALUE_TYPE_UNSIGNED_LONG, nvml.VALUE_TYPE_UNSIGNED_LONG_LONG, nvml.VALUE_TYPE_SIGNED_LONG_LONG:
		return raw, true
	case nvml.VALUE_TYPE_DOUBLE:
		return doubleValue(f.Value), true
	default:
		return uint64(binary.NativeEndian.Uint32(f.Value[:4])), false
	}
}

func (d *device) Performance(ids []uint32) (gpu.Performance, error) {
	if d.parent == nil {
		return d.lib.fast.openPerformance(d.uuid, -1, ids)
	}
	id, err := d.Identity(func() {})
	if err != nil {
		return nil, err
	}
	if id.GPUInstance < 0 {
		return nil, fail(gpu.GPM.String(), int(gpu.NotSupported))
	}
	return d.lib.fast.openPerformance(d.parent.uuid, id.GPUInstance, ids)
}

func (d *device) Samples(q gpu.Question) (gpu.Samples, error) {
	kinds := map[gpu.Question]nvml.SamplingType{
		gpu.PowerBuffer: nvml.TOTAL_POWER_SAMPLES, gpu.UtilizationBuffer: nvml.GPU_UTILIZATION_SAMPLES, gpu.MemoryBuffer: nvml.MEMORY_UTILIZATION_SAMPLES,
	}
	kind, ok := kinds[q]
	if !ok || d.parent != nil {
		return nil, fail(q.String(), int(gpu.NotSupported))
	}
	return d.lib.fast.openSamples(d.uuid, q, int(kind))
}
