//go:build unix

package gpu

import (
	_ "embed"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

//go:embed functions.txt
var functionNames string

// Functions returns the NVML functions that the library answers and counts, in the order of tests/nvmlstub/functions.h.
func Functions() []string { return strings.Fields(functionNames) }

// Return is an nvmlReturn_t.
type Return uint16

// The returns that faults are made of (nvml.h of go-nvml v0.13.4-1, nvmlReturn_enum).
const (
	Success         Return = 0
	Uninitialized   Return = 1
	InvalidArgument Return = 2
	NotSupported    Return = 3
	NoPermission    Return = 4
	NotFound        Return = 6
	DriverNotLoaded Return = 9
	Timeout         Return = 10
	GPUIsLost       Return = 15
	ResetRequired   Return = 16
	VersionMismatch Return = 18 // driver and library
	Memory          Return = 20
	NoData          Return = 21
	Unknown         Return = 999
)

const (
	// System stands for a device where a function concerns none: initialisation, versions, counting, UUID lookup, event sets.
	System = -1
	// AllFunctions stands for every function of a device, or of System.
	AllFunctions = "*"
	// Forever is a delay without end.
	Forever time.Duration = math.MaxInt64

	faultCodeBits = 16
	faultForever  = 1<<48 - 1
)

// Fault is what happens to a call: first the delay, then, unless Return is Success, the answer Return instead of the true one.
type Fault struct {
	Return Return
	Delay  time.Duration // resolution 1 µs
}

func (f Fault) word() (uint64, error) {
	delay := uint64(faultForever)
	if f.Delay != Forever {
		if f.Delay < 0 || f.Delay.Microseconds() >= faultForever {
			return 0, fmt.Errorf("delay: must be 0..8.9 years or Forever, is %v", f.Delay)
		}
		delay = uint64(f.Delay.Microseconds())
	}
	return delay<<faultCodeBits | uint64(f.Return), nil
}

// SetFault sets the fault of a function (of Functions, or AllFunctions) on a device (or System). The zero Fault clears it and sets
// free the calls that it holds. A fault of the function goes before one of all functions.
func (s *State) SetFault(device int, function string, fault Fault) error {
	column := 0
	if function != AllFunctions {
		n := slices.Index(Functions(), function)
		if n < 0 {
			return fmt.Errorf("function: must be one the library answers, is %q", function)
		}
		column = 1 + n
	}
	word, err := fault.word()
	if err != nil {
		return err
	}
	return s.open(func(l *stateLayout) error {
		row := device
		if device == System {
			row = MaxDevices
		} else if device < 0 || device >= len(s.sensors) {
			return fmt.Errorf("device: must be 0..%d or System, is %d", len(s.sensors)-1, device)
		}
		atomic.StoreUint64(&l.Faults[row][column], word)
		l.wake()
		return nil
	})
}

// ClearFaults removes every fault and sets free every call held.
func (s *State) ClearFaults() error {
	return s.open(func(l *stateLayout) error {
		for row := range l.Faults {
			for column := range l.Faults[row] {
				atomic.StoreUint64(&l.Faults[row][column], 0)
			}
		}
		l.wake()
		return nil
	})
}

// Calls returns how often each of Functions was called, by all processes together, since the machine was made. Calls that
// failed or hang count. It is nil once the state is closed.
func (s *State) Calls() map[string]uint64 {
	var calls map[string]uint64
	_ = s.open(func(l *stateLayout) error {
		names := Functions()
		calls = make(map[string]uint64, len(names))
		for i, name := range names {
			calls[name] = atomic.LoadUint64(&l.Calls[i])
		}
		return nil
	})
	return calls
}
