//go:build cgo && linux

package nvmlreceiver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu"
)

func TestRequireGPU(t *testing.T) {
	must := func(c *Config) { c.RequireGPU = true; c.CallTimeout = 500 * time.Millisecond }
	t.Run("present", func(t *testing.T) {
		newBench(t, template(t, "h100", 1), busy()).observe(must)
	})
	t.Run("no library", func(t *testing.T) {
		b := newBench(t, template(t, "h100", 1), busy())
		_, err := b.try(func(c *Config) { must(c); c.Library = "/does/not/exist.so" }, true)
		assert.ErrorContains(t, err, "require_gpu is set and there is no GPU to read: dlopen: the NVML library cannot be loaded")
	})
	t.Run("no GPU", func(t *testing.T) {
		b := newBench(t, template(t, "h100", 1), busy())
		require.NoError(t, b.state.SetDeviceCount(0))
		_, err := b.try(must, true)
		assert.ErrorContains(t, err, "require_gpu is set and there is no GPU to read: NVML finds no GPU")
	})
	t.Run("no answer", func(t *testing.T) {
		b := newBench(t, template(t, "h100", 1), busy())
		b.fault(sim.System, "nvmlInit_v2", sim.Fault{Delay: sim.Forever})
		r, err := b.try(must, true)
		assert.ErrorContains(t, err, "require_gpu is set and nvmlInit_v2 has not returned within call_timeout, which is 500ms")
		require.NoError(t, b.state.ClearFaults())
		r.stop()
	})
	t.Run("one of two GPUs is lost", func(t *testing.T) {
		b := newBench(t, template(t, "h100", 2), busy())
		b.fault(1, sim.AllFunctions, sim.Fault{Return: sim.GPUIsLost})
		b.observe(must)
	})
}

// An initialisation of many GPUs may take longer than one call may.
func TestRequireGPUWaitsForSlowGPUs(t *testing.T) {
	b := newBench(t, template(t, "h100", 8), busy())
	b.fault(sim.System, "nvmlInit_v2", sim.Fault{Delay: 400 * time.Millisecond})
	for i := range 8 {
		b.fault(i, sim.AllFunctions, sim.Fault{Delay: 80 * time.Millisecond})
	}
	_, err := b.try(func(c *Config) { c.RequireGPU = true; c.CallTimeout = 700 * time.Millisecond }, true)
	require.NoError(t, err)
	require.NoError(t, b.state.ClearFaults())
}
