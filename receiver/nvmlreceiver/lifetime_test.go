//go:build cgo && linux

package nvmlreceiver

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	sim "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/wall"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gonvml"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/metadata"
)

// looks waits until the GPUs were looked for n more times.
func (b *bench) looks(r *rig, n uint64) {
	goal := b.state.Calls()["nvmlDeviceGetCount_v2"] + n
	r.until("looks for GPUs", func() bool { return b.state.Calls()["nvmlDeviceGetCount_v2"] >= goal })
}

// references is how often the library was initialised without having been shut down. No initialisation may have failed.
func (b *bench) references() int {
	calls := b.state.Calls()
	return int(calls["nvmlInit_v2"]) - int(calls["nvmlShutdown"])
}

// A GPU whose thread hangs gets no second one when it leaves and returns, and stays failed until that thread has come back.
func TestAHungGPUThatReturnsGetsNoSecondThread(t *testing.T) {
	b := newBench(t, template(t, "h100", 2), busy())
	r := b.observe(func(c *Config) { c.CallTimeout = 300 * time.Millisecond })
	well, sick := r.device(0), r.device(1)
	b.fault(1, "nvmlDeviceGetFieldValues", sim.Fault{Delay: sim.Forever})
	r.until("failed", func() bool { return r.health(sick) == healthFailed })
	before := runtime.NumGoroutine()
	for range 2 {
		require.NoError(t, b.state.SetDeviceCount(1))
		b.looks(r, 2)
		require.NoError(t, b.state.SetDeviceCount(2))
		b.looks(r, 2)
		r.batches(2)
		assert.Equal(t, healthFailed, r.health(sick))
		assert.True(t, r.reading(well))
	}
	r.status(componentstatus.StatusRecoverableError, "nvmlDeviceGetFieldValues has not returned")
	assert.LessOrEqual(t, runtime.NumGoroutine(), before+1, "a second worker has three")
	require.NoError(t, b.state.ClearFaults())
	r.until("back", func() bool { return r.health(sick) == healthOK && r.reading(sick) })
	r.status(componentstatus.StatusOK, "")
	r.stop()
	assert.Zero(t, b.references())
}

// The library is given back only when no thread is inside, neither one that is read nor one that was dismissed, and then wholly.
func TestTheLibraryIsKeptWhileAThreadIsInside(t *testing.T) {
	for name, gone := range map[string]bool{"the GPU is there": false, "the GPU is gone": true} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, template(t, "h100", 2), busy())
			r := b.observe(func(c *Config) { c.CallTimeout = 300 * time.Millisecond })
			first, sick := r.device(0), r.device(1)
			b.fault(1, "nvmlDeviceGetPowerUsage", sim.Fault{Delay: sim.Forever})
			r.until("failed", func() bool { return r.health(sick) == healthFailed })
			if gone {
				require.NoError(t, b.state.SetDeviceCount(1))
				b.looks(r, 2)
			}
			before := b.state.Calls()["nvmlShutdown"]
			require.NoError(t, b.state.ReloadDriver())
			r.status(componentstatus.StatusRecoverableError, "must be initialised anew")
			r.until("failed", func() bool { return r.health(first) == healthFailed })
			b.looks(r, 2)
			assert.Equal(t, before, b.state.Calls()["nvmlShutdown"], "nvmlShutdown while a thread is inside is undefined")
			require.NoError(t, b.state.SetDeviceCount(2))
			require.NoError(t, b.state.ClearFaults())
			r.until("all back", func() bool { return r.reading(first) && r.reading(sick) })
			assert.Equal(t, 1, b.references())
			r.stop()
			assert.Zero(t, b.references())
		})
	}
}

// While NVML does not work the GPUs that were there have failed.
func TestGPUsHaveFailedWhileThereIsNoNVML(t *testing.T) {
	b := newBench(t, template(t, "h100", 1), busy())
	r := b.observe(nil)
	id := r.device(0)
	b.fault(sim.System, "nvmlInit_v2", sim.Fault{Return: sim.VersionMismatch})
	require.NoError(t, b.state.ReloadDriver())
	r.status(componentstatus.StatusRecoverableError, "different versions")
	r.batches(2)
	assert.Equal(t, healthFailed, r.health(id))
	require.NoError(t, b.state.ClearFaults())
	r.until("back", func() bool { return r.health(id) == healthOK })
}

// A GPU that is gone is forgotten after a while, but not while NVML does not work, nor while its thread is inside the library.
func TestWhenAGPUIsForgotten(t *testing.T) {
	l := newMachine(t, "h100", nil)
	l.begin()
	m := l.find.manager
	absent := func(after time.Duration) int {
		l.clock.advance(after)
		return len(m.absent())
	}
	l.worker.stop = func() {}
	m.attend()
	m.hire(l.worker)
	assert.Zero(t, absent(0))
	m.dismiss(l.worker)
	assert.Equal(t, 1, absent(departedFor+time.Second), "its thread is inside")
	m.abandon()
	close(l.worker.done)
	assert.Zero(t, m.sweep())
	assert.Equal(t, 1, absent(departedFor+time.Second), "NVML does not work")
	m.attend()
	assert.Equal(t, 1, absent(departedFor), "it is gone from now on")
	assert.Zero(t, absent(time.Second))
	l.end()
}

// A GPU that is slow, and not held up, is not failed: its page comes later.
func TestASlowGPUHasNotFailed(t *testing.T) {
	b := newBench(t, template(t, "h100", 1), busy())
	r := b.observe(func(c *Config) { c.CallTimeout, c.CollectionInterval = time.Minute, 100*time.Millisecond })
	id := r.device(0)
	b.fault(0, "nvmlDeviceGetPowerUsage", sim.Fault{Delay: 350 * time.Millisecond})
	b.fault(0, "nvmlDeviceGetEnforcedPowerLimit", sim.Fault{Delay: 350 * time.Millisecond})
	r.metrics.Reset()
	r.until("pages", func() bool { return len(r.metrics.AllMetrics()) >= 3 })
	for _, batch := range r.metrics.AllMetrics() {
		points := bySeries(batch)
		assert.Contains(t, points, series{id, signal.HWPower, ""})
		assert.EqualValues(t, 0, points[series{id, signal.HWStatus, string(healthFailed)}].IntValue())
	}
	status, why := r.host.last()
	assert.NotEqual(t, componentstatus.StatusRecoverableError, status, why)
}

// A worker that is held up is not waited for: on this clock a wait has no end.
func TestAHeldWorkerHoldsNobodyUp(t *testing.T) {
	l := newMachine(t, "h100", nil)
	l.begin()
	m := l.find.manager
	m.hire(l.worker)
	l.worker.guard.enter(gpu.Power)
	l.clock.advance(m.shop.cfg.CallTimeout + time.Millisecond)
	assert.Equal(t, healthFailed, l.health(bySeries(m.collect(t.Context(), time.Second))))
	assert.Equal(t, 1, m.check())
	l.worker.guard.leave()

	// What was read before the call came back is old.
	l.worker.guard.longest = 0
	assert.NotEmpty(t, l.collect(time.Second))
	require.NoError(t, l.state.SetFault(0, "nvmlDeviceGetPowerUsage", sim.Fault{Delay: time.Millisecond}))
	l.worker.shop.cfg.CallTimeout = -1
	assert.Empty(t, l.collect(time.Second))
	l.end()
}

// The event thread may hang by itself, from the start or after it has waited for a while: the readings go on.
func TestABlockedEventThreadTakesNoMetricsAway(t *testing.T) {
	b := newBench(t, template(t, "h100", 1), busy())
	b.fault(0, "nvmlDeviceRegisterEvents", sim.Fault{Delay: sim.Forever})
	r := b.observe(func(c *Config) { c.CallTimeout = 300 * time.Millisecond })
	id := r.device(0)
	for _, function := range []string{"nvmlDeviceRegisterEvents", "nvmlEventSetWait_v2"} {
		r.status(componentstatus.StatusRecoverableError, "nvmlEventSetWait_v2 has not returned")
		r.batches(3)
		assert.True(t, r.reading(id))
		assert.Equal(t, healthOK, r.health(id))
		require.NoError(t, b.state.ClearFaults())
		r.status(componentstatus.StatusOK, "")
		if function == "nvmlDeviceRegisterEvents" {
			require.NoError(t, b.state.SetFault(sim.System, "nvmlEventSetWait_v2", sim.Fault{Delay: sim.Forever}))
		}
	}
	before := b.state.Calls()["nvmlEventSetWait_v2"]
	r.until("more waits", func() bool { return b.state.Calls()["nvmlEventSetWait_v2"] > before })
}

// A GPU that is found under another index is told so.
func TestARenumberedGPU(t *testing.T) {
	l := newMachine(t, "h100", nil)
	l.begin()
	m := l.find.manager
	m.hire(l.worker)
	id := l.worker.identity()
	id.Index, id.Minor = 5, 6
	l.find.meet(t.Context(), &probe{id: id})
	assert.Len(t, m.all(), 1)
	info := l.own(signal.GPUInfo, "580.82.07,13.0,hopper,5,false,13.580.82.07")
	assert.Contains(t, l.collect(time.Second), info)
	assert.Equal(t, 6, l.worker.identity().Minor)
	l.end()
}

// A logs pipeline alone waits for events and reads nothing else.
func TestALogsPipelineAloneReadsNoMetrics(t *testing.T) {
	b := newBench(t, template(t, "h100", 1), busy())
	factory := NewFactory()
	cfg := factory.CreateDefaultConfig().(*Config)
	cfg.Library, cfg.Preset = b.lib, PresetFull
	logs, err := factory.CreateLogs(t.Context(), receivertest.NewNopSettings(metadata.Type), cfg, new(consumertest.LogsSink))
	require.NoError(t, err)
	require.NoError(t, logs.Start(t.Context(), componenttest.NewNopHost()))
	require.Eventually(t, func() bool { return b.state.Calls()["nvmlEventSetWait_v2"] >= 2 }, patience, 10*time.Millisecond)
	calls := b.state.Calls()
	var called []string
	for _, name := range sortedKeys(calls) {
		if calls[name] > 0 && !slices.Contains(identityFunctions(), name) {
			called = append(called, name)
		}
	}
	assert.Equal(t, []string{"nvmlDeviceGetSupportedEventTypes", "nvmlDeviceRegisterEvents", "nvmlEventSetCreate", "nvmlEventSetWait_v2"}, called)
	require.NoError(t, logs.Shutdown(context.Background()))
}

// identityFunctions find the GPUs and say who they are.
func identityFunctions() []string {
	return []string{
		"nvmlInit_v2", "nvmlShutdown", "nvmlSystemGetDriverVersion", "nvmlSystemGetNVMLVersion", "nvmlSystemGetCudaDriverVersion_v2",
		"nvmlDeviceGetCount_v2", "nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetHandleByUUID", "nvmlDeviceGetName", "nvmlDeviceGetUUID",
		"nvmlDeviceGetSerial", "nvmlDeviceGetVbiosVersion", "nvmlDeviceGetIndex", "nvmlDeviceGetMinorNumber", "nvmlDeviceGetPciInfo_v3",
		"nvmlDeviceGetArchitecture",
	}
}

// patientClock never ends the wait for the threads at the end.
type patientClock struct{ wall.Clock }

func (c patientClock) After(d time.Duration) (<-chan time.Time, func()) {
	if d == 2*shutdownGrace {
		return nil, func() {}
	}
	return c.Clock.After(d)
}

// The end waits no longer than its context lets it, and a thread that comes back later says nothing.
func TestTheEndMindsItsContext(t *testing.T) {
	b := newBench(t, template(t, "h100", 1), busy())
	core, log := observer.New(zap.DebugLevel)
	set := receivertest.NewNopSettings(metadata.Type)
	set.Logger = zap.New(core)
	cfg := createDefaultConfig().(*Config)
	cfg.Library, cfg.CallTimeout, cfg.CollectionInterval, cfg.PodResources.Socket = b.lib, 300*time.Millisecond, 100*time.Millisecond, ""
	host := gonvml.NewHost()
	r, err := newReceiver(set, cfg, patientClock{}, func() gpu.Library { return host.Library(b.lib) })
	require.NoError(t, err)
	r.metrics = new(consumertest.MetricsSink)
	status := &statusHost{Host: componenttest.NewNopHost()}
	require.NoError(t, r.Start(t.Context(), status))
	b.fault(0, "nvmlGpmSampleGet", sim.Fault{Delay: sim.Forever})
	require.Eventually(t, func() bool { s, _ := status.last(); return s == componentstatus.StatusRecoverableError }, patience, 10*time.Millisecond)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, r.Shutdown(ended)) // would hang if it waited for the thread
	assert.Equal(t, 1, log.FilterMessageSnippet("its thread is left behind").Len())
	lines, events := log.Len(), len(status.events)
	b.fault(0, "nvmlGpmSampleGet", sim.Fault{Return: sim.GPUIsLost})
	r.manager.threads.Wait()
	assert.Equal(t, lines, log.Len())
	assert.Len(t, status.events, events)
}

func TestASilentReporterSaysNothing(t *testing.T) {
	l := newMachine(t, "h100", nil)
	tell := l.find.manager.tell
	tell.silence()
	err := errors.New("late")
	tell.unsupported("GPU-1", gpu.Power, err)
	tell.unsupportedFields("GPU-1", []uint32{1})
	tell.failed("GPU-1", gpu.Power, err)
	tell.trouble("GPU-1", err)
	tell.aside("kubelet", err)
	assert.Zero(t, l.log.Len())
	assert.Empty(t, l.host.events)
	require.NoError(t, l.find.lib.Close())
}

// Changes of the MIG devices are events, and an XID of a MIG device names it.
func TestEventsOfMIGDevices(t *testing.T) {
	b := newBench(t, template(t, "h100", 1), busy())
	r := b.observe(func(c *Config) { c.DiscoveryInterval = time.Hour })
	id := r.device(0)
	r.until("registration", func() bool { return b.state.Calls()["nvmlEventSetWait_v2"] >= 2 })
	require.NoError(t, b.state.ConfigureMIG(0, true, sim.MIGInstance{Slices: 3, Memory: 30 << 30}, sim.MIGInstance{Slices: 4, Memory: 40 << 30}))
	devices := func() map[string]bool {
		found := map[string]bool{}
		for s := range r.last() {
			found[s.device] = true
		}
		return found
	}
	r.until("the MIG devices, long before the next look", func() bool { return len(devices()) == 3 })
	require.NoError(t, b.state.EmitMIGXID(0, 1, 94))
	r.until("the XID", func() bool { return r.logs.LogRecordCount() == 1 })
	rl := r.logs.AllLogs()[0].ResourceLogs().At(0)
	device, _ := rl.Resource().Attributes().Get(signal.AttrHWID)
	assert.Equal(t, id, device.Str())
	a := rl.ScopeLogs().At(0).LogRecords().At(0).Attributes().AsRaw()
	assert.Equal(t, []any{int64(94), int64(2), int64(0)}, []any{a[signal.AttrGPUXID], a[signal.AttrGPUInstance], a[signal.AttrGPUComputeInst]})
	inits := b.state.Calls()["nvmlInit_v2"]
	require.NoError(t, b.state.ConfigureMIG(0, false))
	r.until("the GPU alone", func() bool { return len(devices()) == 1 && len(r.last()) > 30 })
	assert.Equal(t, inits, b.state.Calls()["nvmlInit_v2"], "NVML is none the worse for it")
}

// NVML may say that the temperature's newer function is not for this GPU.
func TestTheOlderTemperature(t *testing.T) {
	l := newMachine(t, "h100", nil)
	l.begin()
	l.done.Temperature = 56
	l.fault("nvmlDeviceGetTemperatureV", sim.NotSupported)
	assert.EqualValues(t, 56, l.collect(time.Second)[l.own(signal.HWTemperature, "gpu")].DoubleValue())
	l.end()
}
