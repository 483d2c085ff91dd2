//go:build cgo && linux

package nvmlreceiver

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/pdata/pmetric"

	sim "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// functionsOf are the functions that a worker calls with everything on.
func functionsOf(t *testing.T) (functions []string) {
	l := newMachine(t, "h100", everything)
	l.begin()
	l.collect(time.Second)
	l.worker.look()
	for name, n := range l.state.Calls() {
		if n > 0 && !strings.HasPrefix(name, "nvmlSystem") && !slices.Contains([]string{
			"nvmlInit_v2", "nvmlShutdown", "nvmlGpmSampleAlloc", "nvmlGpmSampleFree", "nvmlDeviceGetHandleByUUID",
		}, name) {
			functions = append(functions, name)
		}
	}
	l.end()
	require.Greater(t, len(functions), 25)
	slices.Sort(functions)
	return functions
}

func keys(points map[series]pmetric.NumberDataPoint) (all []string) {
	for s := range points {
		all = append(all, fmt.Sprintf("%s{%s}", s.metric, s.attributes))
	}
	slices.Sort(all)
	return all
}

// Every function may answer anything: it costs at most what it is asked for, or the GPU, or a new initialisation; and when it answers
// again all is there again, save what the device said that it does not support.
func TestEveryFunctionMayAnswerAnything(t *testing.T) {
	type outcome int
	const (
		value outcome = iota // costs what is asked for
		device
		stale
	)
	answers := map[sim.Return]outcome{
		sim.NotSupported: value, sim.NoPermission: value, sim.InvalidArgument: value, sim.NotFound: value, sim.Timeout: value, sim.Memory: value,
		sim.NoData: value, sim.Unknown: value, sim.GPUIsLost: device, sim.ResetRequired: device, sim.Uninitialized: stale,
		sim.DriverNotLoaded: stale, sim.VersionMismatch: stale,
	}
	for _, function := range functionsOf(t) {
		t.Run(function, func(t *testing.T) {
			for answer, want := range answers {
				l := newMachine(t, "h100", everything)
				l.begin()
				l.collect(time.Second)
				l.collect(time.Second)
				whole := keys(l.collect(time.Second))
				before := l.state.Calls()[function]
				l.fault(function, answer)
				var points map[series]pmetric.NumberDataPoint
				for range 3 {
					points = l.collect(time.Second)
					l.worker.look()
				}
				asked := l.state.Calls()[function] > before
				switch {
				case want == value && function != "nvmlDeviceGetUUID":
					assert.Equal(t, healthOK, l.health(points), "%d", answer)
					assert.Greater(t, len(points), len(whole)/3, "%d", answer)
				case asked && want == device:
					assert.LessOrEqual(t, len(points), len(whole), "%d", answer)
				case asked && want == stale && len(l.find.stale) == 0:
					// Facts of a GPU are left out when they are not told.
					assert.Equal(t, whole, keys(points), "%d", answer)
				}
				require.NoError(t, l.state.ClearFaults())
				if len(l.find.stale) > 0 { // a new initialisation
					assert.ErrorIs(t, <-l.find.stale, errStale)
					l.worker.close()
					l.begin()
				}
				for range 15 {
					l.collect(time.Minute)
					l.worker.look()
				}
				l.collect(time.Second)
				got := keys(l.collect(time.Second))
				if answer == sim.NotSupported {
					// Without GPM there are other samples.
					assert.Subset(t, append(whole, "nvidia.gpu.sample.count{utilization}"), got)
				} else {
					assert.Equal(t, whole, got, "after %d", answer)
				}
				assert.Equal(t, healthOK, l.health(l.collect(time.Second)))
				l.end()
			}
		})
	}
}

// A GPU that answers no question has failed, whatever it says, and is looked for ever more rarely; that it answers again is noticed.
func TestAMuteGPUHasFailed(t *testing.T) {
	for _, answer := range []sim.Return{sim.Unknown, sim.NoPermission, sim.Timeout, sim.InvalidArgument} {
		t.Run(fmt.Sprint(answer), func(t *testing.T) {
			l := newMachine(t, "h100", nil)
			l.begin()
			require.Equal(t, healthOK, l.health(l.collect(time.Second)))
			for _, f := range sim.Functions() {
				if f != "nvmlDeviceGetUUID" && !strings.Contains(f, "Handle") {
					l.fault(f, answer)
				}
			}
			points := l.collect(time.Second)
			assert.Equal(t, healthFailed, l.health(points))
			assert.Len(t, points, 4, "old values are not sent again")
			status, why := l.host.last()
			assert.Equal(t, componentstatus.StatusRecoverableError, status)
			assert.Contains(t, why, "the GPU does not answer any question: nvml")

			tried := l.state.Calls()["nvmlDeviceGetFieldValues"]
			for range 600 {
				assert.Equal(t, healthFailed, l.health(l.collect(time.Second)))
			}
			assert.Less(t, l.state.Calls()["nvmlDeviceGetFieldValues"]-tried, uint64(40), "with back-off")
			require.NoError(t, l.state.ClearFaults())
			for range 61 {
				points = l.collect(time.Second)
			}
			assert.Equal(t, healthOK, l.health(points))
			assert.Greater(t, len(points), 40)
			status, _ = l.host.last()
			assert.Equal(t, componentstatus.StatusOK, status)
			l.end()
		})
	}
}

// What is refused is asked again after discovery_interval, then after twice as long, and so on up to ten minutes.
func TestARefusedQuestionRests(t *testing.T) {
	l := newMachine(t, "h100", func(c *Config) { c.DiscoveryInterval = 30 * time.Second })
	l.begin()
	l.collect(time.Second)
	l.fault("nvmlDeviceGetPowerUsage", sim.NoPermission)
	var gaps []time.Duration
	last, begun := l.state.Calls()["nvmlDeviceGetPowerUsage"], l.clock.Now()
	for range 3600 {
		l.collect(time.Second)
		if n := l.state.Calls()["nvmlDeviceGetPowerUsage"]; n > last {
			gaps = append(gaps, l.clock.Now().Sub(begun))
			last, begun = n, l.clock.Now()
		}
	}
	s := time.Second
	assert.Equal(t, []time.Duration{s, 30 * s, 60 * s, 120 * s, 240 * s, 480 * s, 600 * s, 600 * s, 600 * s, 600 * s}, gaps)
	require.NoError(t, l.state.ClearFaults())
	l.collect(10 * time.Minute)
	_, ok := l.collect(s)[l.own(signal.HWPower, "")]
	assert.True(t, ok)
}

// GPM that is refused while it samples gives way to the driver's buffers, and comes back. Each change begins new sums of what both
// have, and no other.
func TestGPMThatIsRefusedGivesWay(t *testing.T) {
	l := newMachine(t, "h100", func(c *Config) { c.DiscoveryInterval = 10 * time.Second })
	l.begin()
	l.collect(time.Second)
	graphics, tensor := l.own(signal.GPUActivityTime, signal.UnitGraphics), l.own(signal.GPUActivityTime, signal.UnitTensor)
	byGPM := l.collect(time.Second)
	l.fault("nvmlGpmSampleGet", sim.NoPermission)
	l.work(100 * time.Millisecond)
	require.NoError(t, l.worker.sample())
	assert.True(t, l.worker.gpu.sampler.reads(gpu.UtilizationBuffer), "at once")
	l.collect(time.Second)
	byBuffers := l.collect(time.Second)
	require.Contains(t, byBuffers, graphics)
	assert.NotContains(t, byBuffers, tensor)
	assert.Contains(t, byBuffers, l.own(signal.GPUSampleCount, signal.SamplerUtilization))
	assert.NotContains(t, byBuffers, l.own(signal.GPUSampleCount, signal.SamplerGPM))
	assert.GreaterOrEqual(t, byBuffers[graphics].StartTimestamp(), byGPM[graphics].Timestamp(), "another sum, after the first")
	seconds := byBuffers[graphics].Timestamp().AsTime().Sub(byBuffers[graphics].StartTimestamp().AsTime()).Seconds()
	assert.InDelta(t, 0.9*seconds, byBuffers[graphics].DoubleValue(), 0.01*seconds)

	require.NoError(t, l.state.ClearFaults())
	for range 10 {
		l.collect(time.Second)
	}
	again := l.collect(time.Second)
	require.Contains(t, again, tensor)
	assert.Equal(t, byGPM[tensor].StartTimestamp(), again[tensor].StartTimestamp(), "only GPM has it")
	assert.GreaterOrEqual(t, again[graphics].StartTimestamp(), byBuffers[graphics].Timestamp())
	assert.NotContains(t, again, l.own(signal.GPUSampleCount, signal.SamplerUtilization))
	l.end()
}

// A sum that nobody could read is not sent again as if it were new.
func TestOldValuesAreNotSent(t *testing.T) {
	l := newMachine(t, "h100", everything)
	l.begin()
	l.collect(time.Second)
	before := l.collect(time.Second)
	for _, f := range []string{"nvmlDeviceGetTotalEnergyConsumption", "nvmlGpmSampleGet", "nvmlDeviceGetFieldValues"} {
		l.fault(f, sim.Unknown)
	}
	for s, dp := range l.collect(time.Second) {
		assert.Equal(t, l.clock.Now().UTC(), dp.Timestamp().AsTime(), s)
		assert.NotEqual(t, signal.GPUActivityTime, s.metric)
	}
	require.NoError(t, l.state.ClearFaults())
	l.collect(time.Second)
	after := l.collect(time.Second)
	assert.Equal(t, keys(before), keys(after))
	energy := l.own(signal.HWEnergy, "")
	assert.Equal(t, before[energy].StartTimestamp(), after[energy].StartTimestamp())
	assert.InDelta(t, 3*512, after[energy].DoubleValue()-before[energy].DoubleValue(), 60, "the counter went on meanwhile")
	l.end()
}

// An energy counter that is gone for good is followed by the sum of the power samples, which is another sum.
func TestPowerSamplesTakeOverFromALostEnergyCounter(t *testing.T) {
	l := newMachine(t, "h100", nil)
	l.begin()
	l.collect(time.Second)
	energy := l.own(signal.HWEnergy, "")
	counter := l.collect(time.Second)[energy]
	l.fault("nvmlDeviceGetTotalEnergyConsumption", sim.NotSupported)
	l.collect(time.Second)
	l.collect(time.Second)
	power := l.collect(time.Second)[energy]
	assert.GreaterOrEqual(t, power.StartTimestamp(), counter.Timestamp())
	seconds := power.Timestamp().AsTime().Sub(power.StartTimestamp().AsTime()).Seconds()
	assert.Greater(t, seconds, 1.5)
	assert.InDelta(t, 512*seconds, power.DoubleValue(), 10)
	l.end()
}

// While a GPU is lost the component says so, and what the last attempt to find it said.
func TestTheTroubleOfALostGPUIsTheLastAttempts(t *testing.T) {
	l := newMachine(t, "h100", nil)
	l.begin()
	l.collect(time.Second)
	l.fault(sim.AllFunctions, sim.GPUIsLost)
	l.collect(time.Second)
	l.worker.shop.tell.trouble(l.worker.uuid, nil) // as after a call that was late
	status, _ := l.host.last()
	require.Equal(t, componentstatus.StatusOK, status)
	require.NoError(t, l.state.ClearFaults())
	l.fault("nvmlDeviceGetUUID", sim.Timeout)
	assert.Equal(t, healthFailed, l.health(l.collect(time.Minute)))
	status, why := l.host.last()
	assert.Equal(t, componentstatus.StatusRecoverableError, status)
	assert.Contains(t, why, "the GPU does not answer: nvmlDeviceGetUUID")
	require.NoError(t, l.state.ClearFaults())
	assert.Equal(t, healthOK, l.health(l.collect(2*time.Minute)))
	status, _ = l.host.last()
	assert.Equal(t, componentstatus.StatusOK, status)
	l.end()
}
