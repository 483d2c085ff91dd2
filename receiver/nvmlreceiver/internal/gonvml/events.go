//go:build cgo && linux

package gonvml // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gonvml"

// #include <stdlib.h>
// #include "fast.h"
import "C"

import (
	"math"
	"time"
	"unsafe"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// events waits in C, so that a wait without an event never comes back to Go: for each call that lasts, Go's runtime looks for some 10 ms
// whether its processor is wanted elsewhere, which costs more than the call.
type events struct {
	c    *C.fast_events
	next *C.fast_event // in C
}

// Events registers XIDs and changes of the MIG devices, as far as the GPU supports them.
func (l *library) Events(uuid string) (gpu.Events, error) {
	c := C.CString(uuid)
	defer C.free(unsafe.Pointer(c))
	e := &events{next: (*C.fast_event)(C.malloc(C.sizeof_fast_event))}
	var failed *C.char
	if ret := C.fast_events_open(l.fast.library, c, nvml.EventTypeXidCriticalError|nvml.EventMigConfigChange, &e.c, &failed); ret != 0 {
		C.free(unsafe.Pointer(e.next))
		return nil, fail(C.GoString(failed), int(ret))
	}
	return e, nil
}

func (e *events) Wait(step time.Duration, pulse *gpu.Pulse) (gpu.Event, error) {
	ret := C.fast_events_wait(e.c, C.uint(step.Milliseconds()), (*C.fast_pulse)(unsafe.Pointer(pulse)), e.next)
	if ret != 0 {
		return gpu.Event{}, fail(gpu.EventWait.String(), int(ret))
	}
	event := gpu.Event{GPUInstance: -1, ComputeInstance: -1}
	if e.next._type&nvml.EventMigConfigChange != 0 {
		event.Reconfigured = true
		return event, nil
	}
	event.XID = uint64(e.next.data)
	if i := e.next.gpu_instance; i != math.MaxUint32 {
		event.GPUInstance = int(i)
	}
	if i := e.next.compute_instance; i != math.MaxUint32 {
		event.ComputeInstance = int(i)
	}
	return event, nil
}

func (e *events) Close() {
	C.fast_events_close(e.c)
	C.free(unsafe.Pointer(e.next))
}
