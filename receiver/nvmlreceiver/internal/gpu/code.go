package gpu // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"

import (
	"errors"
	"fmt"
)

// Code is an answer of NVML other than success, by nvmlReturn_t.
type Code int

// The codes that the receiver tells apart.
const (
	OK                 Code = 0
	Uninitialized      Code = 1
	InvalidArgument    Code = 2
	NotSupported       Code = 3
	NoPermission       Code = 4
	NotFound           Code = 6
	InsufficientSize   Code = 7
	DriverNotLoaded    Code = 9
	Timeout            Code = 10
	LibraryNotFound    Code = 12
	FunctionNotFound   Code = 13
	GPULost            Code = 15
	ResetRequired      Code = 16
	OperatingSystem    Code = 17
	VersionMismatch    Code = 18
	NoData             Code = 21
	NotReady           Code = 27
	GPUNotFound        Code = 28
	DeprecatedFunction Code = 26
	Unknown            Code = 999
)

// Error says the code in words.
func (c Code) Error() string {
	switch c {
	case OK:
		return "success"
	case Uninitialized:
		return "the library is not initialised"
	case InvalidArgument:
		return "invalid argument"
	case NotSupported:
		return "not supported by this device"
	case NoPermission:
		return "no permission"
	case NotFound:
		return "not found"
	case InsufficientSize:
		return "the buffer is too small"
	case DriverNotLoaded:
		return "the NVIDIA driver is not loaded"
	case Timeout:
		return "timeout"
	case LibraryNotFound:
		return "the NVML library cannot be loaded"
	case FunctionNotFound:
		return "the NVML library has no such function"
	case GPULost:
		return "the GPU is lost: it fell off the bus or cannot be reached"
	case ResetRequired:
		return "the GPU needs a reset"
	case OperatingSystem:
		return "the operating system or a cgroup blocks the GPU's device file"
	case VersionMismatch:
		return "the NVML library and the driver have different versions"
	case NoData:
		return "no data"
	case NotReady:
		return "not ready"
	case GPUNotFound:
		return "no GPU"
	case DeprecatedFunction:
		return "the function is deprecated"
	case Unknown:
		return "unknown error of the driver"
	default:
		return fmt.Sprintf("NVML error %d", int(c))
	}
}

// Error is a call that failed.
type Error struct {
	Function string // of NVML
	Code     Code
	Detail   string // "" when the code says it all
}

func (e *Error) Error() string {
	if e.Detail != "" {
		return fmt.Sprintf("%s: %s: %s", e.Function, e.Code, e.Detail)
	}
	return fmt.Sprintf("%s: %s", e.Function, e.Code)
}

// Unwrap makes errors.Is(err, code) work.
func (e *Error) Unwrap() error { return e.Code }

// CodeOf is the code behind err: OK for nil, Unknown when there is none.
func CodeOf(err error) Code {
	if err == nil {
		return OK
	}
	var code Code
	if errors.As(err, &code) {
		return code
	}
	return Unknown
}
