//go:build unix

package gpu

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// EnvState is the environment variable that tells the library where the state lies.
const EnvState = "FLEETSIM_NVML_STATE"

var errClosed = errors.New("the GPU state is closed")

// State is a simulated machine whose state is shared with every process that has loaded the library. Its methods may be called from
// several goroutines. A later State on the same path takes over the clients that initialise after it.
type State struct {
	path    string
	machine Machine

	mu      sync.Mutex
	file    os.FileInfo
	memory  []byte // nil once closed
	layout  *stateLayout
	sensors []sensors
}

// Create makes the state file at path, with all GPUs idle, and keeps it mapped. The file appears whole (written aside and renamed) and
// only its owner may read it; a file that lay there is replaced. Close it.
func Create(path string, machine Machine) (*State, error) {
	machine, err := machine.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("GPU machine: %w", err)
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return nil, fmt.Errorf("GPU state %s: %w", path, err)
	}
	defer temporary.Close()
	s := &State{path: path, machine: machine}
	if err := s.mapFile(temporary); err != nil {
		os.Remove(temporary.Name())
		return nil, fmt.Errorf("GPU state %s: %w", path, err)
	}
	s.fill()
	if err := os.Rename(temporary.Name(), path); err != nil {
		os.Remove(temporary.Name())
		return nil, errors.Join(fmt.Errorf("GPU state %s: %w", path, err), syscall.Munmap(s.memory))
	}
	return s, nil
}

func (s *State) mapFile(file *os.File) error {
	const size = int(unsafe.Sizeof(stateLayout{}))
	if err := file.Truncate(int64(size)); err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	memory, err := syscall.Mmap(int(file.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("mmap of %d bytes: %w", size, err)
	}
	s.file, s.memory = info, memory
	s.layout = (*stateLayout)(unsafe.Pointer(unsafe.SliceData(memory)))
	return nil
}

// fill writes the machine into the fresh mapping, the mark that it is whole last.
func (s *State) fill() {
	l, m := s.layout, s.machine
	l.Version = stateVersion
	l.Size = uint32(unsafe.Sizeof(*l))
	putText(l.DriverVersion[:], m.DriverVersion)
	putText(l.NvmlVersion[:], m.NVMLVersion)
	l.CudaVersion = uint32(m.CUDAVersion)
	l.DeviceCount = uint32(len(m.Devices))
	l.DriverGeneration = 1
	now := m.Clock()
	s.sensors = make([]sensors, len(m.Devices))
	for i, model := range m.Devices {
		d := &l.Devices[i]
		describe(&d.Core, m.Name, i, model)
		d.Core.Integrals.TimeNs = nanoseconds(now)
		s.sensors[i].begin(&d.Core.Integrals)
	}
	atomic.StoreUint64(&l.Magic, stateMagic)
}

// Path returns where the state lies: the value for EnvState.
func (s *State) Path() string { return s.path }

// Close unloads the driver for every client, removes the file and gives the memory back. A second Close does nothing.
func (s *State) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.memory == nil {
		return nil
	}
	atomic.StoreUint64(&s.layout.DriverGeneration, 0)
	s.layout.wake()
	err := syscall.Munmap(s.memory)
	s.memory, s.layout = nil, nil
	// Another State may have taken the path since.
	if now, statErr := os.Stat(s.path); statErr == nil && os.SameFile(now, s.file) {
		err = errors.Join(err, os.Remove(s.path))
	}
	return err
}

// open runs f with the mapping, unless the state is closed.
func (s *State) open(f func(*stateLayout) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.memory == nil {
		return errClosed
	}
	return f(s.layout)
}

// device runs f for a device. f must not write without write.
func (s *State) device(index int, f func(*deviceLayout, *sensors) error) error {
	return s.open(func(l *stateLayout) error {
		if index < 0 || index >= len(s.sensors) {
			return fmt.Errorf("device: must be 0..%d, is %d", len(s.sensors)-1, index)
		}
		if err := f(&l.Devices[index], &s.sensors[index]); err != nil {
			return fmt.Errorf("device %d: %w", index, err)
		}
		return nil
	})
}

// write runs f under the sequence lock of the device: readers see all of it or nothing.
func (d *deviceLayout) write(f func()) {
	atomic.AddUint64(&d.Generation, 1)
	// On arm64 the addition alone lets later stores pass its own; a load behind it does not.
	atomic.LoadUint64(&d.Generation)
	defer atomic.AddUint64(&d.Generation, 1)
	f()
}

// SetDeviceCount plugs the machine's GPUs in or pulls them, the last first. Handles of pulled ones answer GPU_IS_LOST.
func (s *State) SetDeviceCount(n int) error {
	return s.open(func(l *stateLayout) error {
		if n < 0 || n > len(s.sensors) {
			return fmt.Errorf("number of devices: must be 0..%d, is %d", len(s.sensors), n)
		}
		atomic.StoreUint32(&l.DeviceCount, uint32(n))
		return nil
	})
}

// ReloadDriver begins a new life of the driver: clients are uninitialised until they initialise anew, their handles are invalid, and
// the counters that a driver keeps (energy, NVLink bytes, throttling, volatile ECC) begin at 0.
func (s *State) ReloadDriver() error {
	return s.open(func(l *stateLayout) error {
		for i := range s.sensors {
			d := &l.Devices[i]
			d.write(func() {
				s.sensors[i].reload(&d.Core)
				for kind := range d.Core.EccErrors {
					clear(d.Core.EccErrors[kind][0][:])
				}
			})
		}
		atomic.AddUint64(&l.DriverGeneration, 1)
		l.wake()
		return nil
	})
}

func nanoseconds(t time.Time) uint64 { return uint64(t.UnixNano()) }
