//go:build cgo && linux

package gonvml // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gonvml"

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/NVIDIA/go-nvml/pkg/dl"
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

// acquire loads path, if need be, and initialises it.
func (h *Host) acquire(path string) (nvml.Interface, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.users > 0 && h.path != path {
		return nil, &gpu.Error{Function: "dlopen", Code: gpu.LibraryNotFound,
			Detail: fmt.Sprintf("%s cannot be loaded: one process has one NVML library, and %s is loaded", path, h.path)}
	}
	if h.users == 0 {
		if err := check(path); err != nil {
			return nil, err
		}
		h.path, h.nvml = path, nvml.New(nvml.WithLibraryPath(path))
	}
	if ret := h.nvml.Init(); ret != nvml.SUCCESS {
		return nil, fail("nvmlInit", int(ret))
	}
	h.users++
	return h.nvml, nil
}

// release undoes one acquire.
func (h *Host) release() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.users--
	if ret := h.nvml.Shutdown(); ret != nvml.SUCCESS {
		return fail("nvmlShutdown", int(ret))
	}
	return nil
}

// required is what go-nvml calls without a version to fall back to, or what nothing works without.
func required() []string {
	return []string{"nvmlInit_v2", "nvmlShutdown", "nvmlErrorString", "nvmlDeviceGetCount_v2", "nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetUUID"}
}

// check loads the library once to see whether it can be, and whether it has what is called unseen.
func check(path string) error {
	lib := dl.New(path, dl.RTLD_LAZY)
	if err := lib.Open(); err != nil {
		return &gpu.Error{Function: "dlopen", Code: gpu.LibraryNotFound, Detail: err.Error()}
	}
	var missing []string
	for _, symbol := range required() {
		if lib.Lookup(symbol) != nil {
			missing = append(missing, symbol)
		}
	}
	if err := lib.Close(); err != nil {
		return &gpu.Error{Function: "dlclose", Code: gpu.LibraryNotFound, Detail: err.Error()}
	}
	if len(missing) > 0 {
		return &gpu.Error{Function: "dlsym", Code: gpu.FunctionNotFound, Detail: path + " lacks " + strings.Join(missing, ", ")}
	}
	return nil
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

func (l *library) Open() error {
	api, err := l.host.acquire(l.path)
	if err != nil {
		return err
	}
	fast, ok := openHandle(l.path)
	if !ok {
		return errors.Join(&gpu.Error{Function: "dlopen", Code: gpu.LibraryNotFound, Detail: l.path + " is gone"}, l.host.release())
	}
	l.api, l.fast, l.lookup, l.have = api, fast, fast.has, make(map[string]bool)
	return nil
}

func (l *library) Close() error {
	if l.api == nil {
		return nil
	}
	l.fast.close()
	l.api = nil
	return l.host.release()
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
