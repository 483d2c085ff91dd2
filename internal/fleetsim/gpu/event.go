//go:build unix

package gpu

import "fmt"

// EventType is a kind of event, nvmlEventType*.
type EventType uint64

// The events that the library supports.
const (
	EventSingleBitECC EventType = 0x1
	EventDoubleBitECC EventType = 0x2
	EventPState       EventType = 0x4
	EventXID          EventType = 0x8
	EventClock        EventType = 0x10
	EventMIGConfig    EventType = 0x100 // the MIG devices changed; ConfigureMIG emits it
)

// EmitXID reports an XID on a device, to every event set that waits for them.
func (s *State) EmitXID(device int, xid uint64) error {
	return s.Emit(device, EventXID, xid)
}

// Emit reports an event with its data on a device. Under MIG too it comes from the whole device.
func (s *State) Emit(device int, event EventType, data uint64) error {
	return s.open(func(l *stateLayout) error {
		if device < 0 || device >= len(s.sensors) {
			return fmt.Errorf("device: must be 0..%d, is %d", len(s.sensors)-1, device)
		}
		l.emit(eventLayout{
			Type: uint64(event), Data: data, Device: uint32(device), GpuInstance: noInstance, ComputeInstance: noInstance,
		})
		return nil
	})
}

// EmitMIGXID reports an XID of a MIG device of a device. It comes from the whole device and names the instance.
func (s *State) EmitMIGXID(device, mig int, xid uint64) error {
	return s.open(func(l *stateLayout) error {
		if device < 0 || device >= len(s.sensors) {
			return fmt.Errorf("device: must be 0..%d, is %d", len(s.sensors)-1, device)
		}
		core := &l.Devices[device].Core
		if mig < 0 || mig >= int(core.MigCount) {
			return fmt.Errorf("MIG device: must be 0..%d, is %d", int(core.MigCount)-1, mig)
		}
		instance := &l.Devices[device].Mig[mig]
		l.emit(eventLayout{
			Type: uint64(EventXID), Data: xid, Device: uint32(device),
			GpuInstance: instance.GpuInstance, ComputeInstance: instance.ComputeInstance,
		})
		return nil
	})
}

// emit adds an event to the ring.
func (l *stateLayout) emit(e eventLayout) {
	l.Events[l.EventHead%maxEvents] = e
	l.event()
}
