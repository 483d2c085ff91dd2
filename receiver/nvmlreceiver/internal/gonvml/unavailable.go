//go:build !cgo || !linux

package gonvml // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gonvml"

import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"

// Host opens libraries; in this build none.
type Host struct{}

// NewHost returns a host that says why it cannot work.
func NewHost() *Host { return &Host{} }

// Library returns a library that cannot be opened.
func (*Host) Library(string) gpu.Library { return unavailable{} }

type unavailable struct{}

var errBuild = &gpu.Error{
	Function: "dlopen", Code: gpu.LibraryNotFound,
	Detail: "this binary was built without cgo or not for Linux, and NVML needs both: build it with CGO_ENABLED=1 GOOS=linux",
}

func (unavailable) Open(func()) error                 { return errBuild }
func (unavailable) Close() error                      { return nil }
func (unavailable) System() gpu.System                { return gpu.System{} }
func (unavailable) Count() (int, error)               { return 0, errBuild }
func (unavailable) ByIndex(int) (gpu.Device, error)   { return nil, errBuild }
func (unavailable) ByUUID(string) (gpu.Device, error) { return nil, errBuild }
func (unavailable) Events(string) (gpu.Events, error) { return nil, errBuild }
