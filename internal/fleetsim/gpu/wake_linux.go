package gpu

import (
	"math"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// wake ends the waits for events, in every process that has mapped the state: those that wait sleep on the low half of the number of wakes
// (tests/nvmlstub/events.c) and look again. What they shall see is written before.
func (l *stateLayout) wake() {
	const futexWake = 1 // FUTEX_WAKE of linux/futex.h, not private: between processes
	atomic.AddUint64(&l.Wakes, 1)
	_, _, _ = unix.Syscall(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&l.Wakes)), futexWake, math.MaxInt32)
}

// event counts an event that lies in the ring, and wakes those that wait for one.
func (l *stateLayout) event() {
	atomic.AddUint64(&l.EventHead, 1)
	l.wake()
}
