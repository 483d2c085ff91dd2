// Package gpu is what the receiver knows of NVML: the questions it asks and the answers, as plain Go values. It has no cgo, so
// that everything above it builds and is tested without a library; package gonvml answers by go-nvml.
package gpu // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"

import (
	"sync/atomic"
	"time"
)

// Library is one NVML library. Its methods may block for as long as the driver does, so each caller has a thread of its own.
type Library interface {
	// Open loads and initialises the library. Each successful Open wants one Close. It takes several calls, and calling is called
	// before each.
	Open(calling func()) error
	// Close gives the library back. No call may be under way in it.
	Close() error
	// System tells versions; what the library does not tell is empty.
	System() System
	// Count is the number of GPUs.
	Count() (int, error)
	// ByIndex is the GPU with this index.
	ByIndex(index int) (Device, error)
	// ByUUID is the GPU with this UUID.
	ByUUID(uuid string) (Device, error)
	// Events watches the GPU with this UUID, or says NotSupported.
	Events(uuid string) (Events, error)
}

// System is what the library says of itself.
type System struct {
	DriverVersion string
	NVMLVersion   string
	CUDAVersion   string
}

// Device is a GPU or a MIG device.
type Device interface {
	// Identity asks the driver who the device is; it is also the cheapest proof that the handle is good. It takes several calls, and
	// calling is called before each, so that one that blocks can be told from many that are slow.
	Identity(calling func()) (Identity, error)
	// Read asks one question and puts the answer into r.
	Read(q Question, r *Reading) error
	// Fields asks for field values in one call. The error is that of the call; each field has its own in Code.
	Fields(fields []Field) error
	// Instances says whether MIG mode is on, and lists the MIG devices: a GPU in MIG mode may have none.
	Instances() (mig bool, found []Device, err error)
	// Performance begins to sample GPM metrics, or says NotSupported. A MIG device samples its GPU instance.
	Performance(ids []uint32) (Performance, error)
	// Samples opens one of the driver's buffers of samples: UtilizationBuffer, percent of time a kernel ran; MemoryBuffer, percent of
	// time device memory was read or written; PowerBuffer, mW.
	Samples(q Question) (Samples, error)
}

// Identity says who a device is. What the driver does not tell is empty.
type Identity struct {
	UUID         string // GPU-... or MIG-...
	Name         string // as the driver calls the product
	Serial       string
	PCIBusID     string // domain:bus:device.function
	Architecture string // ampere, hopper, ...
	Firmware     string // VBIOS version
	Index        int    // of NVML; -1 when not known
	Minor        int    // of the device file; -1 when not known
	// Of a MIG device only.
	GPUInstance, ComputeInstance int
}

// Performance samples GPM metrics. Its methods do not allocate.
type Performance interface {
	// Sample takes a sample. The metrics then span the time from the last one that succeeded; the first has none before it. It fails
	// with NoData when the device has not renewed its counters since.
	Sample() error
	// Metric is that of ids[i]: percent, or MiB/s for traffic. ok is false where the driver has no value.
	Metric(i int) (value float64, ok bool)
	// Close frees the samples.
	Close()
}

// Samples reads a buffer of the driver. Its methods do not allocate.
type Samples interface {
	// Read gets the samples that are newer than those of the last Read. The first Read gets all that there are.
	Read() (n int, err error)
	// At is sample i of the last Read: when it ended and its value.
	At(i int) (unixMicros uint64, value float64)
	// Close frees the buffer.
	Close()
}

// Event is something that a GPU said by itself.
type Event struct {
	XID                          uint64 // 0 when Reconfigured
	Reconfigured                 bool   // the set of MIG devices changed
	GPUInstance, ComputeInstance int    // -1 when the event is not of an instance
}

// Events waits for events.
type Events interface {
	// Wait returns the next event, or Timeout once the pulse says stop. It waits inside the library, for a step at a time, which is how
	// late it sees that it shall stop.
	Wait(step time.Duration, pulse *Pulse) (Event, error)
	// Close ends it. No Wait may be under way.
	Close()
}

// Pulse is what a Wait shares with other threads. C code reads and writes it.
type Pulse struct {
	Stop  atomic.Uint32 // 1: Wait shall return
	Beats atomic.Uint32 // steps that came back from the library
}
