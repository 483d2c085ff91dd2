//go:build cgo && linux

package gonvml // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gonvml"

// #include "fast.h"
import "C"

import "unsafe"

const gpmRoom = C.FAST_GPM_ROOM

// layouts are the sizes of the structures of fast.h, for the test that holds them equal to go-nvml's.
func layouts() (metric, sample, event, value uintptr) {
	return unsafe.Sizeof(C.fast_metric{}), unsafe.Sizeof(C.fast_sample{}), unsafe.Sizeof(C.fast_event{}), unsafe.Offsetof(C.fast_metric{}.value)
}
