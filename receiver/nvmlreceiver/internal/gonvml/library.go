//go:build cgo && linux

package gonvml // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gonvml"

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// Host holds what go-nvml and the dynamic loader have once per process: a program has one Host. Several receivers may use it, all
// with the same library.
type Host struct {
	mu    sync.Mutex // over loading and unloading, which write go-nvml's package variables
	path  string
	nvml  nvml.Interface
	users int
}

// NewHost returns a host that has loaded nothing.
func NewHost() *Host { return &Host{} }

// Library returns the library with this path; "" is DefaultLibrary, by the loader's search path.
func (h *Host) Library(path string) gpu.Library {
	if path == "" {
		path = DefaultLibrary
	}
	return &library{host: h, path: path}
}

// acquire loads path, if need be, and initialises it. The handle is for lookups.
//
// A library that cannot be initialised must not stay: after an update of the driver the next attempt must find the new one. go-nvml
// does not let go of one that it has tried, and a function that it has called ties the library to the process. So it is tried by a
// handle of our own first.
func (h *Host) acquire(path string, calling func()) (nvml.Interface, handle, error) {
	calling() // another receiver's initialisation may hold the lock
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.users > 0 && h.path != path {
		return nil, handle{}, &gpu.Error{Function: "dlopen", Code: gpu.LibraryNotFound,
			Detail: fmt.Sprintf("%s cannot be loaded: one process has one NVML library, and %s is loaded", path, h.path)}
	}
	own, err := openHandle(path)
	if err != nil {
		return nil, handle{}, err
	}
	if err := h.initialise(own, path, calling); err != nil {
		own.close()
		return nil, handle{}, err
	}
	h.users++
	return h.nvml, own, nil
}

// initialise has go-nvml initialise the library of the handle.
func (h *Host) initialise(own handle, path string, calling func()) error {
	var missing []string
	for _, symbol := range required() {
		if !own.has(symbol) {
			missing = append(missing, symbol)
		}
	}
	if len(missing) > 0 {
		return &gpu.Error{Function: "dlsym", Code: gpu.FunctionNotFound, Detail: path + " lacks " + strings.Join(missing, ", ")}
	}
	calling()
	if ret := own.call("nvmlInit_v2"); ret != 0 {
		return fail("nvmlInit", ret)
	}
	if h.users == 0 {
		h.path, h.nvml = path, nvml.New(nvml.WithLibraryPath(path))
	}
	calling()
	if ret := h.nvml.Init(); ret != nvml.SUCCESS {
		_ = h.nvml.Shutdown() // of the handle's initialisation; then go-nvml lets go of the library
		return fail("nvmlInit", int(ret))
	}
	calling()
	if ret := own.call("nvmlShutdown"); ret != 0 { // go-nvml has its own now
		return errors.Join(fail("nvmlShutdown", ret), h.shutdown())
	}
	return nil
}

// release undoes one acquire.
func (h *Host) release() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.users--
	return h.shutdown()
}

func (h *Host) shutdown() error {
	if ret := h.nvml.Shutdown(); ret != nvml.SUCCESS {
		return fail("nvmlShutdown", int(ret))
	}
	return nil
}

// required is what go-nvml calls without a version to fall back to, or what nothing works without.
func required() []string {
	return []string{"nvmlInit_v2", "nvmlShutdown", "nvmlErrorString", "nvmlDeviceGetCount_v2", "nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetUUID"}
}

// fail makes an error of a nvmlReturn_t that is not success.
func fail(function string, ret int) error { return &gpu.Error{Function: function, Code: gpu.Code(ret)} }

// library is one user's view of the host's library.
type library struct {
	host   *Host
	path   string
	api    nvml.Interface
	fast   handle
	lookup func(symbol string) bool
	mu     sync.Mutex
	have   map[string]bool // symbols looked up so far
}

var _ gpu.Library = (*library)(nil)

func (l *library) Open(calling func()) error {
	api, fast, err := l.host.acquire(l.path, calling)
	if err != nil {
		return err
	}
	l.api, l.fast, l.lookup, l.have = api, fast, fast.has, make(map[string]bool)
	return nil
}

func (l *library) Close() error {
	if l.api == nil {
		return nil
	}
	l.api = nil
	err := l.host.release()
	l.fast.close()
	return err
}

// has says whether the library has all of these symbols.
func (l *library) has(symbols ...string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, symbol := range symbols {
		have, known := l.have[symbol]
		if !known {
			have = l.lookup(symbol)
			l.have[symbol] = have
		}
		if !have {
			return false
		}
	}
	return true
}

// hasAny says whether the library has one of these symbols: go-nvml takes the newest version that there is.
func (l *library) hasAny(symbols ...string) bool {
	for _, symbol := range symbols {
		if l.has(symbol) {
			return true
		}
	}
	return false
}

func (l *library) System() gpu.System {
	var s gpu.System
	if l.has("nvmlSystemGetDriverVersion") {
		s.DriverVersion = orEmpty(l.api.SystemGetDriverVersion())
	}
	if l.has("nvmlSystemGetNVMLVersion") {
		s.NVMLVersion = orEmpty(l.api.SystemGetNVMLVersion())
	}
	if l.has("nvmlSystemGetCudaDriverVersion_v2") {
		if v, ret := l.api.SystemGetCudaDriverVersion_v2(); ret == nvml.SUCCESS && v > 0 {
			s.CUDAVersion = fmt.Sprintf("%d.%d", v/1000, v%1000/10) // 13010 is 13.1
		}
	}
	return s
}

func orEmpty(s string, ret nvml.Return) string {
	if ret != nvml.SUCCESS {
		return ""
	}
	return s
}

func (l *library) Count() (int, error) {
	n, ret := l.api.DeviceGetCount()
	if ret != nvml.SUCCESS {
		return 0, fail("nvmlDeviceGetCount_v2", int(ret))
	}
	return n, nil
}

func (l *library) ByIndex(index int) (gpu.Device, error) {
	d, ret := l.api.DeviceGetHandleByIndex(index)
	if ret != nvml.SUCCESS {
		return nil, fail("nvmlDeviceGetHandleByIndex_v2", int(ret))
	}
	return newDevice(l, d, nil), nil
}

func (l *library) ByUUID(uuid string) (gpu.Device, error) {
	const function = "nvmlDeviceGetHandleByUUID"
	if !l.has(function) {
		return nil, fail(function, int(gpu.FunctionNotFound))
	}
	d, ret := l.api.DeviceGetHandleByUUID(uuid)
	if ret != nvml.SUCCESS {
		return nil, fail(function, int(ret))
	}
	return newDevice(l, d, nil), nil
}
