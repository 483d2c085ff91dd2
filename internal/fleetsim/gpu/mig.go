//go:build unix

package gpu

import (
	"fmt"
	"math"
)

// MIGInstance is a MIG device: a GPU instance with one compute instance over all of it.
type MIGInstance struct {
	Slices int    // of the 7 of compute
	Memory uint64 // bytes
}

// ConfigureMIG turns MIG on with these instances, or off (without any). Handles of earlier MIG devices become invalid, the device runs
// no process until the next Update.
func (s *State) ConfigureMIG(device int, enabled bool, instances ...MIGInstance) error {
	return s.device(device, func(d *deviceLayout, sensors *sensors) error {
		model := s.machine.Devices[device]
		if err := checkMIG(model, enabled, instances); err != nil {
			return err
		}
		d.write(func() {
			d.Core.MigMode, d.Core.MigPending = flag(enabled), flag(enabled)
			d.Core.MigGeneration++
			d.Core.MigCount = uint32(len(instances))
			d.Processes.Count = 0
			for i, instance := range instances {
				d.Mig[i] = migLayout{}
				describeMIG(&d.Mig[i], s.machine.Name, device, i, model, instance)
				d.Mig[i].Integrals.TimeNs = sensors.last.TimeNs
			}
		})
		s.layout.emit(eventLayout{
			Type: uint64(EventMIGConfig), Device: uint32(device), GpuInstance: noInstance, ComputeInstance: noInstance,
		})
		return nil
	})
}

func checkMIG(model Model, enabled bool, instances []MIGInstance) error {
	if enabled && model.MIGMultiprocessors == 0 {
		return fmt.Errorf("MIG: %s cannot be cut into instances", model.Name)
	}
	if !enabled && len(instances) > 0 {
		return fmt.Errorf("MIG instances: must be none while MIG is off, are %d", len(instances))
	}
	slices, memory := 0, uint64(0)
	for i, instance := range instances {
		if instance.Slices < 1 || instance.Memory == 0 {
			return fmt.Errorf("MIG instance %d: must have slices and memory, has %d and %d bytes", i, instance.Slices, instance.Memory)
		}
		slices += instance.Slices
		memory += instance.Memory
	}
	if slices > MaxMIG {
		return fmt.Errorf("MIG slices: must be at most %d together, are %d", MaxMIG, slices)
	}
	if memory > model.Memory {
		return fmt.Errorf("MIG memory: must be at most %d bytes together, is %d", model.Memory, memory)
	}
	return nil
}

func describeMIG(m *migLayout, machine string, device, index int, model Model, instance MIGInstance) {
	gib := int(math.Round(float64(instance.Memory) / (1 << 30)))
	putText(m.Name[:], fmt.Sprintf("%s MIG %dg.%dgb", model.Name, instance.Slices, gib))
	putText(m.Uuid[:], "MIG-"+uuidOf(machine, fmt.Sprint(device), fmt.Sprint(index), fmt.Sprint(instance)))
	m.MemoryTotal, m.MemoryReserved = instance.Memory, instance.Memory/256
	m.GpuInstance = uint32(index + 1) // instance 0 is the whole device
	m.Multiprocessors = uint32(instance.Slices) * model.MIGMultiprocessors
	m.GpuSlices, m.ComputeSlices = uint32(instance.Slices), uint32(instance.Slices)
	m.CopyEngines, m.Decoders = uint32(instance.Slices), 1
}
