//go:build unix

package gpu

import "sync/atomic"

// StallWriter leaves a device as a writer that dies in the middle of a write does, until the returned function is called.
func (s *State) StallWriter(device int) (resume func()) {
	generation := &s.layout.Devices[device].Generation
	atomic.AddUint64(generation, 1)
	return func() { atomic.AddUint64(generation, 1) }
}
