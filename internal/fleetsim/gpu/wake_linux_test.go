package gpu_test

import (
	"runtime"
	"testing"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu"
)

// TestAWaiterSleeps: who waits for an event is woken for one and costs next to nothing until then, as with a driver.
func TestAWaiterSleeps(t *testing.T) {
	r := newRig(t, template(t, "h100", 1))
	set := r.eventSet(t, 0)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	slept := func() int64 {
		var u unix.Rusage
		require.NoError(t, unix.Getrusage(unix.RUSAGE_THREAD, &u))
		return u.Nvcsw
	}
	before := slept()
	_, ret := set.Wait(500)
	require.Equal(t, nvml.ERROR_TIMEOUT, ret)
	require.Less(t, slept()-before, int64(10), "250 with a look every 2 ms")
}

// TestAFaultEndsAWait: what is no event is seen by those that wait, too.
func TestAFaultEndsAWait(t *testing.T) {
	r := newRig(t, template(t, "h100", 1))
	set := r.eventSet(t, 0)
	done := make(chan nvml.Return, 1)
	go func() {
		_, ret := set.Wait(60_000)
		done <- ret
	}()
	require.Eventually(t, func() bool { return r.Calls()["nvmlEventSetWait_v2"] == 1 }, waitFor, tick)
	require.NoError(t, r.SetFault(0, gpu.AllFunctions, gpu.Fault{Return: gpu.GPUIsLost}))
	require.Equal(t, nvml.ERROR_GPU_IS_LOST, <-done)
}

// TestAReloadEndsAWait: so does a driver that is another now.
func TestAReloadEndsAWait(t *testing.T) {
	r := newRig(t, template(t, "h100", 1))
	set := r.eventSet(t, 0)
	done := make(chan nvml.Return, 1)
	go func() {
		_, ret := set.Wait(60_000)
		done <- ret
	}()
	require.Eventually(t, func() bool { return r.Calls()["nvmlEventSetWait_v2"] == 1 }, waitFor, tick)
	require.NoError(t, r.ReloadDriver())
	require.Equal(t, nvml.ERROR_UNINITIALIZED, <-done)
}
