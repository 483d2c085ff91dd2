//go:build cgo && linux

package nvmlreceiver

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap/zapcore"

	sim "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// health is the state that hw.status has for a device in the newest batch.
func (r *rig) health(device string) health {
	for s, dp := range r.last() {
		if s.device == device && s.metric == signal.HWStatus && dp.IntValue() == 1 {
			return health(s.attributes)
		}
	}
	return ""
}

// reading says whether a device's power is in the newest batch.
func (r *rig) reading(device string) bool {
	_, ok := r.last()[series{device, signal.HWPower, ""}]
	return ok
}

func (r *rig) status(want componentstatus.Status, text string) {
	r.t.Helper()
	r.until("status "+want.String()+" with "+text, func() bool {
		got, why := r.host.last()
		return got == want && strings.Contains(why, text)
	})
}

func (b *bench) fault(device int, function string, f sim.Fault) {
	b.t.Helper()
	require.NoError(b.t, b.state.SetFault(device, function, f))
}

func TestALostGPUHasFailedAndComesBack(t *testing.T) {
	b := newBench(t, template(t, "h100", 2), busy())
	r := b.observe(nil)
	sick, well := r.device(0), r.device(1)
	b.fault(0, sim.AllFunctions, sim.Fault{Return: sim.GPUIsLost})
	r.until("failed", func() bool { return r.health(sick) == healthFailed && r.health(well) == healthOK })
	assert.False(t, r.reading(sick))
	assert.True(t, r.reading(well))
	r.status(componentstatus.StatusRecoverableError, "the GPU is lost")
	before := r.last()[series{well, signal.HWEnergy, ""}]
	require.NoError(t, b.state.ClearFaults())
	r.until("back", func() bool { return r.health(sick) == healthOK && r.reading(sick) })
	r.status(componentstatus.StatusOK, "")
	after := r.last()[series{well, signal.HWEnergy, ""}]
	assert.Equal(t, before.StartTimestamp(), after.StartTimestamp(), "the other GPU was not disturbed")
}

// A call that does not return costs its GPU only; when it returns, reading goes on, and the energy of the meantime is there.
func TestAGPUThatHangsIsIsolated(t *testing.T) {
	for _, function := range []string{"nvmlGpmSampleGet", "nvmlDeviceGetPowerUsage", "nvmlDeviceGetFieldValues"} {
		t.Run(function, func(t *testing.T) {
			b := newBench(t, template(t, "h100", 2), busy())
			r := b.observe(func(c *Config) { c.CallTimeout = 300 * time.Millisecond })
			sick, well := r.device(0), r.device(1)
			start := r.last()[series{sick, signal.HWEnergy, ""}].StartTimestamp()
			b.fault(0, function, sim.Fault{Delay: sim.Forever})
			r.status(componentstatus.StatusRecoverableError, function+" has not returned")
			r.until("failed", func() bool { return r.health(sick) == healthFailed && r.health(well) == healthOK && r.reading(well) })
			assert.False(t, r.reading(sick), "old values are not sent again")
			require.NoError(t, b.state.ClearFaults())
			r.until("back", func() bool { return r.health(sick) == healthOK && r.reading(sick) })
			r.status(componentstatus.StatusOK, "")
			energy := r.last()[series{sick, signal.HWEnergy, ""}]
			assert.Equal(t, start, energy.StartTimestamp())
			seconds := energy.Timestamp().AsTime().Sub(start.AsTime()).Seconds()
			assert.InDelta(t, 500*seconds, energy.DoubleValue(), 250, "500 W all the time, to the board's 100 ms and the scheduling of the simulation")
		})
	}
}

// The end does not wait for a call that hangs, and the library is left alone.
func TestTheEndIsPromptWhileACallHangs(t *testing.T) {
	b := newBench(t, template(t, "h100", 2), busy())
	r := b.observe(func(c *Config) { c.CallTimeout = 300 * time.Millisecond })
	r.device(0)
	b.fault(0, "nvmlGpmSampleGet", sim.Fault{Delay: sim.Forever})
	r.status(componentstatus.StatusRecoverableError, "has not returned")
	before := b.state.Calls()["nvmlShutdown"]
	r.stop() // would hang the test for ever if it waited
	assert.Equal(t, before, b.state.Calls()["nvmlShutdown"], "nvmlShutdown while a thread is inside would be undefined")
	require.NoError(t, b.state.ClearFaults())
}

func TestAGPUThatHangsFromTheStartHoldsNobodyUp(t *testing.T) {
	b := newBench(t, template(t, "h100", 3), busy())
	b.fault(1, "nvmlDeviceGetUUID", sim.Fault{Delay: sim.Forever})
	r := b.observe(func(c *Config) { c.CallTimeout = 300 * time.Millisecond })
	first, third := r.device(0), r.device(2)
	r.until("two GPUs", func() bool { return r.reading(first) && r.reading(third) })
	r.status(componentstatus.StatusRecoverableError, "GPU 1: ")
	require.NoError(t, b.state.ClearFaults())
	second := r.device(1)
	r.until("the third", func() bool { return r.reading(second) })
	r.status(componentstatus.StatusOK, "")
}

func TestFaultsOfTheWholeHostAreRecoverable(t *testing.T) {
	for name, test := range map[string]struct {
		fault sim.Fault
		text  string
	}{
		"driver and library of different versions": {sim.Fault{Return: sim.VersionMismatch}, "different versions"},
		"no driver":         {sim.Fault{Return: sim.DriverNotLoaded}, "driver is not loaded"},
		"no permission":     {sim.Fault{Return: sim.NoPermission}, "no permission"},
		"unknown":           {sim.Fault{Return: sim.Unknown}, "unknown error"},
		"the start hangs":   {sim.Fault{Delay: sim.Forever}, "nvmlInit_v2 has not returned"},
		"the start is slow": {sim.Fault{Delay: time.Second}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, template(t, "h100", 1), busy())
			b.fault(sim.System, "nvmlInit_v2", test.fault)
			r := b.observe(func(c *Config) { c.CallTimeout = 300 * time.Millisecond })
			if test.text != "" {
				r.status(componentstatus.StatusRecoverableError, test.text)
			}
			require.NoError(t, b.state.ClearFaults())
			r.until("readings", func() bool { return r.reading(r.device(0)) })
			if test.text != "" {
				r.status(componentstatus.StatusOK, "")
			}
		})
	}
}

// A reload of the driver makes every handle stale. Sums go on where they were.
func TestADriverReload(t *testing.T) {
	b := newBench(t, template(t, "h100", 2), busy())
	r := b.observe(nil)
	id := r.device(0)
	r.batches(3)
	before := r.last()
	require.NoError(t, b.state.ReloadDriver())
	inits := b.state.Calls()["nvmlInit_v2"]
	r.until("a new initialisation", func() bool { return b.state.Calls()["nvmlInit_v2"] > inits })
	goal := len(r.metrics.AllMetrics()) + 2
	r.until("readings", func() bool { return len(r.metrics.AllMetrics()) > goal && r.reading(id) && r.health(id) == healthOK })
	r.status(componentstatus.StatusOK, "")
	for _, s := range []series{{id, signal.HWEnergy, ""}, {id, signal.GPUActivityTime, signal.UnitSM}, {id, signal.GPUIO, "receive,nvlink"}} {
		assert.Equal(t, before[s].StartTimestamp(), r.last()[s].StartTimestamp(), s)
		assert.GreaterOrEqual(t, value(r.last()[s]), value(before[s]), s)
	}
}

func TestHotPlug(t *testing.T) {
	b := newBench(t, template(t, "h100", 2), busy())
	require.NoError(t, b.state.SetDeviceCount(1))
	r := b.observe(nil)
	first := r.device(0)
	r.until("one GPU", func() bool { return r.reading(first) })
	require.NoError(t, b.state.SetDeviceCount(2))
	second := r.device(1)
	r.until("two GPUs", func() bool { return r.reading(second) })
	require.NoError(t, b.state.SetDeviceCount(1))
	r.until("the pulled GPU has failed", func() bool { return r.health(second) == healthFailed && r.reading(first) })
	require.NoError(t, b.state.SetDeviceCount(0))
	r.status(componentstatus.StatusRecoverableError, "no GPU")
	require.NoError(t, b.state.SetDeviceCount(2))
	r.until("all back", func() bool { return r.reading(first) && r.reading(second) })
	r.status(componentstatus.StatusOK, "")
}

// Each function may be unsupported on some device: the metrics that need it are absent, the others stay, and it is said once. Each GPU
// of the machines lacks another one; what is asked of the whole system is lacking on a machine of its own.
func TestEveryFunctionMayBeUnsupported(t *testing.T) {
	needed := []string{ // without these there is no GPU
		"nvmlErrorString", "nvmlInit", "nvmlInit_v2", "nvmlInitWithFlags", "nvmlShutdown", "nvmlDeviceGetCount_v2", "nvmlDeviceGetHandleByIndex_v2",
		"nvmlDeviceGetUUID",
	}
	var functions []string
	func() {
		b := newBench(t, template(t, "h100", 1), busy())
		r := b.observe(everything)
		r.batches(4)
		r.stop()
		for name, n := range b.state.Calls() {
			if n > 0 && !slices.Contains(needed, name) {
				functions = append(functions, name)
			}
		}
	}()
	require.Greater(t, len(functions), 25)
	slices.Sort(functions)
	for chunk := range slices.Chunk(functions, sim.MaxDevices) {
		withoutFunctions(t, len(chunk), func(b *bench) {
			for i, function := range chunk {
				b.fault(i, function, sim.Fault{Return: sim.NotSupported})
			}
		})
	}
	withoutFunctions(t, 1, func(b *bench) {
		for _, function := range functions {
			b.fault(sim.System, function, sim.Fault{Return: sim.NotSupported})
		}
		b.fault(sim.System, "nvmlDeviceGetHandleByIndex_v2", sim.Fault{})
	})
}

// withoutFunctions observes a machine that lacks something.
func withoutFunctions(t *testing.T, gpus int, lack func(*bench)) {
	b := newBench(t, template(t, "h100", gpus), busy())
	lack(b)
	r := b.observe(everything)
	r.until("points of each GPU", func() bool {
		devices := map[string]int{}
		for s := range r.last() {
			devices[s.device]++
		}
		ok := len(devices) == gpus
		for _, n := range devices {
			ok = ok && n > 5
		}
		return ok
	})
	r.batches(5)
	said := map[string]int{}
	for _, w := range r.log.FilterLevelExact(zapcore.WarnLevel).FilterMessageSnippet("does not tell everything").All() {
		text := w.ContextMap()["hw.id"].(string)
		if err, ok := w.ContextMap()["error"].(string); ok {
			text += " " + err
		}
		said[text]++
	}
	assert.GreaterOrEqual(t, len(said), gpus)
	for text, n := range said {
		assert.Equal(t, 1, n, text)
	}
	status, why := r.host.last()
	assert.NotEqual(t, componentstatus.StatusRecoverableError, status, why)
}

// A device that answers nothing but who it is, as some on vGPU, WSL or Jetson.
func TestADeviceThatTellsNothing(t *testing.T) {
	b := newBench(t, template(t, "h100", 1), busy())
	for _, function := range sim.Functions() {
		if function != "nvmlDeviceGetUUID" && strings.HasPrefix(function, "nvmlDevice") || strings.HasPrefix(function, "nvmlGpm") {
			b.fault(0, function, sim.Fault{Return: sim.NotSupported})
		}
	}
	b.fault(0, "nvmlDeviceGetHandleByIndex_v2", sim.Fault{})
	b.fault(0, "nvmlDeviceGetIndex", sim.Fault{})
	r := b.observe(everything)
	r.until("a status", func() bool { return r.health(r.device(0)) == healthOK })
	assert.False(t, r.reading(r.device(0)))
}

// An error that is neither of the device nor of NVML costs one value, and only while it lasts.
func TestAnUnknownErrorCostsItsValueOnly(t *testing.T) {
	b := newBench(t, template(t, "h100", 1), busy())
	r := b.observe(nil)
	id := r.device(0)
	b.fault(0, "nvmlDeviceGetPowerUsage", sim.Fault{Return: sim.Unknown})
	r.until("no power", func() bool { return !r.reading(id) && r.health(id) == healthOK })
	_, energy := r.last()[series{id, signal.HWEnergy, ""}]
	assert.True(t, energy)
	failures, err := r.telemetry.GetMetric("otelcol_receiver_nvml_call_failures")
	require.NoError(t, err)
	found := false
	for _, dp := range failures.Data.(metricdata.Sum[int64]).DataPoints {
		function, _ := dp.Attributes.Value("function")
		reason, _ := dp.Attributes.Value("reason")
		found = found || function.AsString() == "nvmlDeviceGetPowerUsage" && reason.AsString() == "failed" && dp.Value > 0
	}
	assert.True(t, found)
	require.NoError(t, b.state.ClearFaults())
	r.until("power", func() bool { return r.reading(id) })
	assert.LessOrEqual(t, r.log.FilterMessageSnippet("A call of NVML failed").Len(), 1)
}

func TestNoLibrary(t *testing.T) {
	b := newBench(t, template(t, "h100", 1), busy())
	link := filepath.Join(t.TempDir(), "libnvidia-ml.so.1")
	r := b.observe(func(c *Config) { c.Library = link })
	r.status(componentstatus.StatusRecoverableError, "cannot be loaded")
	assert.Empty(t, r.metrics.AllMetrics())
	require.NoError(t, os.Symlink(b.lib, link))
	r.until("readings", func() bool { return r.reading(r.device(0)) })
	r.status(componentstatus.StatusOK, "")
}
