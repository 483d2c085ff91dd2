//go:build cgo && linux

package gonvml // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gonvml"

/*
#cgo CFLAGS: -std=c11 -Wall -Wextra -Werror
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>
#include "fast.h"
*/
import "C"

import (
	"runtime"
	"unsafe"

	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// handle is a loaded library.
type handle struct{ library unsafe.Pointer }

// openHandle loads a library, and keeps it loaded until close.
func openHandle(name string) (handle, error) {
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	runtime.LockOSThread() // dlerror is of the thread
	defer runtime.UnlockOSThread()
	library := C.dlopen(c, C.RTLD_LAZY)
	if library == nil {
		return handle{}, &gpu.Error{Function: "dlopen", Code: gpu.LibraryNotFound, Detail: C.GoString(C.dlerror())}
	}
	return handle{library}, nil
}

func (h handle) close() {
	if h.library != nil {
		C.dlclose(h.library)
	}
}

// call calls a function of the library that takes nothing and returns nvmlReturn_t.
func (h handle) call(symbol string) int {
	c := C.CString(symbol)
	defer C.free(unsafe.Pointer(c))
	return int(C.fast_call(h.library, c))
}

// has says whether the library has a symbol.
func (h handle) has(symbol string) bool {
	c := C.CString(symbol)
	defer C.free(unsafe.Pointer(c))
	return C.dlsym(h.library, c) != nil
}

// performance is a GPM sampler in C memory.
type performance struct {
	c       *C.fast_gpm
	metrics []C.fast_metric // in C
}

func (h handle) openPerformance(uuid string, instance int, ids []uint32) (gpu.Performance, error) {
	c := C.CString(uuid)
	defer C.free(unsafe.Pointer(c))
	wanted := make([]C.uint, len(ids)+1)
	for i, id := range ids {
		wanted[i] = C.uint(id)
	}
	var g *C.fast_gpm
	if ret := C.fast_gpm_open(h.library, c, C.int(instance), &wanted[0], C.uint(len(ids)), &g); ret != 0 {
		return nil, fail(gpu.GPM.String(), int(ret))
	}
	return &performance{g, unsafe.Slice(C.fast_gpm_metrics(g), len(ids))}, nil
}

func (p *performance) Sample() error {
	switch ret := C.fast_gpm_sample(p.c); gpu.Code(ret) {
	case gpu.OK:
		return nil
	case gpu.NoData:
		return gpu.NoData // happens in between, so it makes no garbage
	default:
		return fail(gpu.GPM.String(), int(ret))
	}
}

func (p *performance) Metric(i int) (float64, bool) {
	m := &p.metrics[i]
	return float64(m.value), m.ret == 0
}

func (p *performance) Close() { C.fast_gpm_close(p.c) }

// ring is a buffer of the driver, read into C memory.
type ring struct {
	c        *C.fast_ring
	question gpu.Question
	n, kind  C.uint
	room     *ringCounts
}

// ringCounts is where C writes, so that reading makes no garbage.
type ringCounts struct{ n, kind C.uint }

func (h handle) openSamples(uuid string, q gpu.Question, kind int) (gpu.Samples, error) {
	c := C.CString(uuid)
	defer C.free(unsafe.Pointer(c))
	var r *C.fast_ring
	if ret := C.fast_ring_open(h.library, c, C.int(kind), &r); ret != 0 {
		return nil, fail(q.String(), int(ret))
	}
	return &ring{c: r, question: q, room: new(ringCounts)}, nil
}

func (r *ring) Read() (int, error) {
	if ret := C.fast_ring_read(r.c, &r.room.n, &r.room.kind); ret != 0 {
		r.n = 0
		return 0, fail(r.question.String(), int(ret))
	}
	r.n, r.kind = r.room.n, r.room.kind
	return int(r.n), nil
}

// Types of a sample's value, by nvmlValueType_t.
const (
	valueDouble   = 0
	valueUlong    = 2
	valueUlonglng = 3
	valueLonglong = 4
)

func (r *ring) At(i int) (uint64, float64) {
	s := &unsafe.Slice(C.fast_ring_samples(r.c), int(r.n))[i]
	raw := unsafe.Pointer(&s.value)
	switch r.kind {
	case valueDouble:
		return uint64(s.time), *(*float64)(raw)
	case valueUlong, valueUlonglng:
		return uint64(s.time), float64(*(*uint64)(raw))
	case valueLonglong:
		return uint64(s.time), float64(*(*int64)(raw))
	default:
		return uint64(s.time), float64(*(*uint32)(raw))
	}
}

func (r *ring) Close() { C.fast_ring_close(r.c) }
