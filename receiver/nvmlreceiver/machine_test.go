//go:build cgo && linux

package nvmlreceiver

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	sim "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// everything turns on every metric.
func everything(c *Config) {
	c.Preset = PresetFull
	c.Metrics = map[string]MetricConfig{}
	for name := range metricLevels() {
		c.Metrics[name] = MetricConfig{Enabled: new(true)}
	}
}

func TestEveryMetricHasALevelAndAWord(t *testing.T) {
	words := signal.Index(signal.GPUMetrics())
	assert.Equal(t, sortedKeys(words), sortedKeys(metricLevels()))
}

// Every point must be what the vocabulary says; every metric must be seen on one of the machines.
func TestPointsAreWhatTheVocabularySays(t *testing.T) {
	words := signal.Index(signal.GPUMetrics())
	seen := map[string]bool{signal.GPUAllocation: true} // TestPods has it
	for _, model := range []string{"a100", "h100", "h200", "b200"} {
		t.Run(model, func(t *testing.T) {
			machine := template(t, model, 2)
			machine.Devices[1].Fans, machine.Devices[1].RetiresPages = 2, true
			b := newBench(t, machine, busy())
			b.change(func(_ []load, totals []sim.Sample) {
				totals[0].Processes = []sim.Process{{PID: 1, Memory: 1 << 30, SM: 0.5, DRAM: 0.2}}
			})
			r := b.observe(everything)
			r.until("devices", func() bool { return len(r.last()) > 60 })
			require.NoError(t, b.state.EmitXID(0, 31))
			r.until("an XID", func() bool {
				return slices.ContainsFunc(r.metrics.AllMetrics(), func(m pmetric.Metrics) bool {
					return strings.Contains(strings.Join(names(m), " "), signal.GPUXIDCount)
				})
			})
			r.batches(2)
			r.stop()
			for _, batch := range r.metrics.AllMetrics() {
				forEach(batch, func(_ string, m pmetric.Metric, dp pmetric.NumberDataPoint) {
					seen[m.Name()] = true
					checkPoint(t, words, m, dp)
				})
			}
		})
	}
	for name := range words {
		assert.True(t, seen[name], "%s was never emitted", name)
	}
}

func names(m pmetric.Metrics) (all []string) {
	forEach(m, func(_ string, m pmetric.Metric, _ pmetric.NumberDataPoint) { all = append(all, m.Name()) })
	return all
}

func checkPoint(t *testing.T, words map[string]signal.Metric, m pmetric.Metric, dp pmetric.NumberDataPoint) {
	word, ok := words[m.Name()]
	if !assert.True(t, ok, "%s is in no vocabulary", m.Name()) {
		return
	}
	assert.Equal(t, word.Unit, m.Unit(), m.Name())
	assert.Equal(t, word.Description, m.Description())
	assert.False(t, dp.Timestamp().AsTime().IsZero())
	switch word.Instrument {
	case signal.Gauge:
		assert.Equal(t, pmetric.MetricTypeGauge, m.Type(), m.Name())
	default:
		require.Equal(t, pmetric.MetricTypeSum, m.Type(), m.Name())
		assert.Equal(t, word.Instrument == signal.Sum, m.Sum().IsMonotonic(), m.Name())
		assert.Equal(t, pmetric.AggregationTemporalityCumulative, m.Sum().AggregationTemporality())
		assert.NotZero(t, dp.StartTimestamp(), m.Name())
		assert.LessOrEqual(t, dp.StartTimestamp(), dp.Timestamp(), m.Name())
	}
	for key := range dp.Attributes().All() {
		assert.Contains(t, word.Attributes, key, m.Name())
	}
	assert.GreaterOrEqual(t, value(dp), 0.0, m.Name())
}

// How many points a GPU has in each preset is part of the documentation.
func TestPointsPerPreset(t *testing.T) {
	for preset, want := range map[Preset]int{PresetMinimal: 15, PresetDefault: 46, PresetFull: 64} {
		t.Run(string(preset), func(t *testing.T) {
			b := newBench(t, template(t, "h100", 1), busy())
			r := b.observe(func(c *Config) { c.Preset = preset })
			r.batches(3)
			assert.Len(t, sortedSeries(r.last()), want)
		})
	}
}

func sortedSeries(points map[series]pmetric.NumberDataPoint) (all []string) {
	for s := range points {
		all = append(all, s.metric+"{"+s.attributes+"}")
	}
	slices.Sort(all)
	return all
}

// Sums neither fall nor change their start.
func TestSumsGrow(t *testing.T) {
	b := newBench(t, template(t, "h100", 1), busy())
	r := b.observe(nil)
	r.batches(8)
	r.stop()
	type state struct {
		start, at uint64
		value     float64
	}
	before := map[series]state{}
	for _, batch := range r.metrics.AllMetrics() {
		for s, dp := range bySeries(batch) {
			word := signal.Index(signal.GPUMetrics())[s.metric]
			if word.Instrument != signal.Sum {
				continue
			}
			now := state{uint64(dp.StartTimestamp()), uint64(dp.Timestamp()), value(dp)}
			if last, ok := before[s]; ok {
				assert.Equal(t, last.start, now.start, s)
				assert.GreaterOrEqual(t, now.at, last.at, s)
				assert.GreaterOrEqual(t, now.value, last.value, s)
			}
			before[s] = now
		}
	}
	assert.Positive(t, before[series{r.device(0), signal.HWEnergy, ""}].value)
}

// device is the UUID of the GPU with this index.
func (r *rig) device(index int) string {
	var found string
	r.until("an info point", func() bool {
		for s, dp := range r.last() {
			if i, ok := dp.Attributes().Get(signal.AttrGPUIndex); s.metric == signal.GPUInfo && ok && i.Int() == int64(index) {
				found = s.device
			}
		}
		return found != ""
	})
	return found
}

func TestPointIdentity(t *testing.T) {
	b := newBench(t, template(t, "h100", 1), busy())
	r := b.observe(func(c *Config) { c.PointIdentity = true })
	r.batches(1)
	r.until("points", func() bool { return len(r.last()) > 0 })
	for s, dp := range r.last() {
		id, ok := dp.Attributes().Get(signal.AttrHWID)
		require.True(t, ok, s)
		if s.metric != signal.HWTemperature {
			assert.Equal(t, s.device, id.Str())
			continue
		}
		where, _ := dp.Attributes().Get(signal.AttrHWSensor)
		parent, _ := dp.Attributes().Get(signal.AttrHWParent)
		assert.Equal(t, s.device+"/temperature/"+where.Str(), id.Str())
		assert.Equal(t, s.device, parent.Str())
	}
}

func TestMIGDevicesAreResourcesOfTheirOwn(t *testing.T) {
	b := newBench(t, template(t, "h100", 1), busy())
	require.NoError(t, b.state.ConfigureMIG(0, true, sim.MIGInstance{Slices: 3, Memory: 30 << 30}, sim.MIGInstance{Slices: 4, Memory: 40 << 30}))
	b.change(func(_ []load, totals []sim.Sample) {
		totals[0].MIG = make([]sim.MIGSample, 2)
		totals[0].MemoryUsed = 0
	})
	r := b.observe(nil)
	migs := func() (found []string) {
		for s := range r.last() {
			if s.metric == signal.HWGPUMemoryLimit && strings.HasPrefix(s.device, "MIG-") {
				found = append(found, s.device)
			}
		}
		return found
	}
	r.until("two MIG devices", func() bool { return len(migs()) == 2 })
	last := r.metrics.AllMetrics()[len(r.metrics.AllMetrics())-1]
	for _, rm := range last.ResourceMetrics().All() {
		id, _ := rm.Resource().Attributes().Get(signal.AttrHWID)
		parent, isMIG := rm.Resource().Attributes().Get(signal.AttrHWParent)
		assert.Equal(t, strings.HasPrefix(id.Str(), "MIG-"), isMIG)
		if isMIG {
			assert.Equal(t, r.device(0), parent.Str())
			_, ok := rm.Resource().Attributes().Get(signal.AttrGPUInstance)
			assert.True(t, ok)
		}
	}
	r.until("activity of an instance", func() bool {
		_, ok := r.last()[series{migs()[0], signal.GPUActivityTime, signal.UnitSM}]
		return ok
	})

	require.NoError(t, b.state.ConfigureMIG(0, true, sim.MIGInstance{Slices: 7, Memory: 70 << 30}))
	b.change(func(_ []load, totals []sim.Sample) { totals[0].MIG = nil })
	r.until("the new MIG device only", func() bool { return len(migs()) == 1 })
	require.NoError(t, b.state.ConfigureMIG(0, false))
	r.until("no MIG device", func() bool { return len(migs()) == 0 && len(r.last()) > 0 })
}

// callsOf is how often the library was called for anything that costs the device something, while n collections came.
func (b *bench) callsOf(r *rig, collections int) map[string]uint64 {
	r.batches(2)
	before := b.state.Calls()
	r.batches(collections)
	after := b.state.Calls()
	calls := map[string]uint64{}
	for name, n := range after {
		if n > before[name] {
			calls[name] = n - before[name]
		}
	}
	return calls
}

// A metric that is off must cost no call: with everything off but one, only that one's function is called.
func TestAMetricThatIsOffCostsNoCall(t *testing.T) {
	for metric, want := range map[string][]string{
		"":                        nil,
		signal.HWEnergy:           {"nvmlDeviceGetTotalEnergyConsumption"},
		signal.HWPower:            {"nvmlDeviceGetPowerUsage"},
		signal.HWGPUMemoryUsage:   {"nvmlDeviceGetMemoryInfo_v2"},
		signal.HWErrors:           {"nvmlDeviceGetFieldValues"},
		signal.GPUClockFrequency:  {"nvmlDeviceGetClockInfo"},
		signal.GPUActivityTime:    {"nvmlDeviceGetFieldValues", "nvmlGpmMetricsGet", "nvmlGpmSampleGet"},
		signal.GPUProcessMemory:   {"nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetGraphicsRunningProcesses_v3", "nvmlDeviceGetMPSComputeRunningProcesses_v3"},
		signal.GPUProcessActivity: {"nvmlDeviceGetProcessUtilization"},
		signal.GPUXIDCount:        {"nvmlEventSetWait_v2"},
	} {
		t.Run(metric, func(t *testing.T) {
			b := newBench(t, template(t, "h100", 1), busy())
			r := b.observeMetrics(func(c *Config) {
				c.DiscoveryInterval, c.CollectionInterval = time.Hour, 100*time.Millisecond
				c.SamplingInterval = 20 * time.Millisecond
				c.Metrics = map[string]MetricConfig{}
				for name := range metricLevels() {
					c.Metrics[name] = MetricConfig{Enabled: new(name == metric || name == signal.GPUInfo)}
				}
			})
			assert.Equal(t, want, sortedKeysOrNil(b.callsOf(r, 5)))
		})
	}
}

func sortedKeysOrNil(m map[string]uint64) []string {
	if len(m) == 0 {
		return nil
	}
	return sortedKeys(m)
}
