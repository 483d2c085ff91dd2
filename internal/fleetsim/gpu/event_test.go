//go:build unix

package gpu_test

import (
	"testing"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu"
)

const noInstance = 0xFFFFFFFF

func (r *rig) eventSet(t testing.TB, devices ...int) nvml.EventSet {
	t.Helper()
	set := got[nvml.EventSet](t)(r.nvml.EventSetCreate())
	t.Cleanup(func() { _ = set.Free() })
	for _, i := range devices {
		ok(t, r.device(t, i).RegisterEvents(nvml.EventTypeXidCriticalError, set))
	}
	return set
}

func TestXIDs(t *testing.T) {
	r := newRig(t, template(t, "h100", 3))
	require.NoError(t, r.EmitXID(1, 13)) // before anyone listens
	set := r.eventSet(t, 0, 1)
	_, ret := set.Wait(0)
	require.Equal(t, nvml.ERROR_TIMEOUT, ret)
	require.NoError(t, r.EmitXID(1, 79))
	require.NoError(t, r.EmitXID(2, 31)) // not registered
	require.NoError(t, r.Emit(0, gpu.EventPState, 2))
	require.NoError(t, r.EmitXID(0, 48))
	want := func(device int, xid uint64) nvml.EventData {
		return nvml.EventData{Device: r.device(t, device), EventType: nvml.EventTypeXidCriticalError, EventData: xid,
			GpuInstanceId: noInstance, ComputeInstanceId: noInstance}
	}
	require.Equal(t, want(1, 79), got[nvml.EventData](t)(set.Wait(1000)))
	require.Equal(t, want(0, 48), got[nvml.EventData](t)(set.Wait(1000)))
	_, ret = set.Wait(1)
	require.Equal(t, nvml.ERROR_TIMEOUT, ret)
}

func TestXIDWakesAWaiter(t *testing.T) {
	r := newRig(t, template(t, "h100", 1))
	set := r.eventSet(t, 0)
	type result struct {
		event nvml.EventData
		ret   nvml.Return
	}
	done := make(chan result, 1)
	go func() {
		event, ret := set.Wait(60_000)
		done <- result{event, ret}
	}()
	require.Eventually(t, func() bool { return r.Calls()["nvmlEventSetWait_v2"] == 1 }, waitFor, tick)
	require.NoError(t, r.EmitXID(0, 94))
	arrived := <-done
	ok(t, arrived.ret)
	require.Equal(t, uint64(94), arrived.event.EventData)
}

func TestEventsOverflow(t *testing.T) {
	r := newRig(t, template(t, "h100", 1))
	set := r.eventSet(t, 0)
	for xid := range uint64(1000) {
		require.NoError(t, r.EmitXID(0, xid))
	}
	first := got[nvml.EventData](t)(set.Wait(0)).EventData
	require.Equal(t, uint64(1000-255), first, "the oldest that are overwritten are lost")
	for xid := first + 1; xid < 1000; xid++ {
		require.Equal(t, xid, got[nvml.EventData](t)(set.Wait(0)).EventData)
	}
	_, ret := set.Wait(0)
	require.Equal(t, nvml.ERROR_TIMEOUT, ret)
}

func TestEventSets(t *testing.T) {
	r := newRig(t, template(t, "h100", 1))
	d := r.device(t, 0)
	types := got[uint64](t)(d.GetSupportedEventTypes())
	require.Equal(t, uint64(0x11f), types)
	set := got[nvml.EventSet](t)(r.nvml.EventSetCreate())
	require.Equal(t, nvml.ERROR_NOT_SUPPORTED, d.RegisterEvents(nvml.EventTypePowerSourceChange, set))
	require.Equal(t, nvml.ERROR_INVALID_ARGUMENT, d.RegisterEvents(1<<60, set))
	ok(t, d.RegisterEvents(types, set))
	require.NoError(t, r.SetFault(0, gpu.AllFunctions, gpu.Fault{Return: gpu.GPUIsLost}))
	require.NoError(t, r.EmitXID(0, 79))
	require.Equal(t, uint64(79), got[nvml.EventData](t)(set.Wait(1000)).EventData, "what was reported before the loss arrives")
	_, ret := set.Wait(60_000)
	require.Equal(t, nvml.ERROR_GPU_IS_LOST, ret)
	ok(t, set.Free())
	require.Equal(t, nvml.ERROR_INVALID_ARGUMENT, set.Free())
	_, ret = set.Wait(0)
	require.Equal(t, nvml.ERROR_INVALID_ARGUMENT, ret)
}

func TestEventsOfMIGDevices(t *testing.T) {
	r := newRig(t, template(t, "h100", 1))
	set := got[nvml.EventSet](t)(r.nvml.EventSetCreate())
	t.Cleanup(func() { _ = set.Free() })
	ok(t, r.device(t, 0).RegisterEvents(nvml.EventTypeXidCriticalError|nvml.EventMigConfigChange, set))
	require.NoError(t, r.ConfigureMIG(0, true, gpu.MIGInstance{Slices: 3, Memory: 30 << 30}, gpu.MIGInstance{Slices: 4, Memory: 40 << 30}))
	event := got[nvml.EventData](t)(set.Wait(1000))
	require.Equal(t, uint64(nvml.EventMigConfigChange), event.EventType)
	require.NoError(t, r.EmitMIGXID(0, 1, 94))
	event = got[nvml.EventData](t)(set.Wait(1000))
	require.Equal(t, uint64(94), event.EventData)
	require.Equal(t, r.device(t, 0), event.Device, "from the whole device")
	require.Equal(t, []uint32{2, 0}, []uint32{event.GpuInstanceId, event.ComputeInstanceId})
	require.EqualError(t, r.EmitMIGXID(0, 2, 94), "MIG device: must be 0..1, is 2")
}
