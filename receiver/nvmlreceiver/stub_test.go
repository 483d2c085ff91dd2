//go:build cgo && linux

package nvmlreceiver

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	sim "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu/gputest"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/metadata"
)

// patience bounds how long a test waits for something that must happen.
const patience = 20 * time.Second

// load is what the simulated GPUs do: shares of a second, and rates per second.
type load struct {
	activity sim.Activity
	power    float64
	pcie     sim.Traffic
	nvlink   sim.Traffic
}

// bench is a machine of simulated GPUs that work at a constant load.
type bench struct {
	t     testing.TB
	state *sim.State
	lib   string

	mu     sync.Mutex
	loads  []load
	totals []sim.Sample
	last   time.Time
	cancel context.CancelFunc
	done   chan struct{}
}

// newBench makes a machine and makes it the one that the library answers for.
func newBench(t testing.TB, machine sim.Machine, l load) *bench {
	t.Helper()
	state, err := sim.Create(filepath.Join(t.TempDir(), "state"), machine)
	require.NoError(t, err)
	t.Setenv("FLEETSIM_NVML_STATE", state.Path())
	ctx, cancel := context.WithCancel(context.Background())
	b := &bench{t: t, state: state, lib: gputest.BuildStub(t), cancel: cancel, done: make(chan struct{}), last: time.Now()}
	for range machine.Devices {
		b.loads = append(b.loads, l)
		b.totals = append(b.totals, sim.Sample{MemoryUsed: 20 << 30, Temperature: 55, MemoryTemperature: 60, SMClock: 1.7e9, MemoryClock: 2.6e9})
	}
	b.step()
	go func() {
		defer close(b.done)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				b.step()
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-b.done
		require.NoError(t, state.Close())
	})
	return b
}

// step brings the GPUs up to now.
func (b *bench) step() {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	dt := now.Sub(b.last).Seconds()
	b.last = now
	for i := range b.totals {
		s, l := &b.totals[i], b.loads[i]
		s.Time = now
		s.Power = l.power
		s.Energy += l.power * dt
		add := func(to *float64, rate float64) { *to += rate * dt }
		a := &s.Activity
		add(&a.Graphics, l.activity.Graphics)
		add(&a.SM, l.activity.SM)
		add(&a.SMOccupancy, l.activity.SMOccupancy)
		add(&a.Tensor, l.activity.Tensor)
		add(&a.TensorHMMA, l.activity.TensorHMMA)
		add(&a.DRAM, l.activity.DRAM)
		add(&a.FP32, l.activity.FP32)
		add(&s.PCIe.Receive, l.pcie.Receive)
		add(&s.PCIe.Transmit, l.pcie.Transmit)
		add(&s.NVLink.Receive, l.nvlink.Receive)
		add(&s.NVLink.Transmit, l.nvlink.Transmit)
		if err := b.state.Update(i, *s); err != nil {
			b.t.Errorf("update: %v", err)
		}
	}
}

func (b *bench) change(f func(loads []load, totals []sim.Sample)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(b.loads, b.totals)
}

func template(t testing.TB, model string, n int) sim.Machine {
	m, err := sim.Template(model, n)
	require.NoError(t, err)
	return m
}

func busy() load {
	return load{
		activity: sim.Activity{Graphics: 0.9, SM: 0.8, SMOccupancy: 0.3, Tensor: 0.5, TensorHMMA: 0.5, DRAM: 0.6, FP32: 0.1},
		power:    500, pcie: sim.Traffic{Receive: 2e9, Transmit: 1e9}, nvlink: sim.Traffic{Receive: 40e9, Transmit: 30e9},
	}
}

// statusHost remembers the last status of the receiver.
type statusHost struct {
	component.Host
	mu     sync.Mutex
	events []*componentstatus.Event
}

func (h *statusHost) Report(e *componentstatus.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
}

func (h *statusHost) last() (componentstatus.Status, string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.events) == 0 {
		return componentstatus.StatusNone, ""
	}
	e := h.events[len(h.events)-1]
	if e.Err() == nil {
		return e.Status(), ""
	}
	return e.Status(), e.Err().Error()
}

// rig is a receiver that reads a bench.
type rig struct {
	t         testing.TB
	cfg       *Config
	metrics   *consumertest.MetricsSink
	logs      *consumertest.LogsSink
	log       *observer.ObservedLogs
	host      *statusHost
	telemetry *componenttest.Telemetry
	stop      func()
}

// observe starts a receiver that ends with the test, or with stop.
func (b *bench) observe(change func(*Config)) *rig {
	b.t.Helper()
	r, err := b.try(change, true)
	require.NoError(b.t, err)
	return r
}

// observeMetrics starts a receiver without a logs pipeline.
func (b *bench) observeMetrics(change func(*Config)) *rig {
	b.t.Helper()
	r, err := b.try(change, false)
	require.NoError(b.t, err)
	return r
}

func (b *bench) try(change func(*Config), withLogs bool) (*rig, error) {
	b.t.Helper()
	core, log := observer.New(zapcore.DebugLevel)
	r := &rig{
		t: b.t, metrics: new(consumertest.MetricsSink), logs: new(consumertest.LogsSink), log: log,
		host: &statusHost{Host: componenttest.NewNopHost()}, telemetry: componenttest.NewTelemetry(),
	}
	factory := NewFactory()
	r.cfg = factory.CreateDefaultConfig().(*Config)
	r.cfg.Library = b.lib
	r.cfg.CollectionInterval = 200 * time.Millisecond
	r.cfg.DiscoveryInterval = time.Second
	r.cfg.CallTimeout = time.Second
	r.cfg.PodResources.Socket = ""
	if change != nil {
		change(r.cfg)
	}
	require.NoError(b.t, r.cfg.Validate())
	set := receivertest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = r.telemetry.NewTelemetrySettings()
	set.Logger = zap.New(core)
	metrics, err := factory.CreateMetrics(b.t.Context(), set, r.cfg, r.metrics)
	require.NoError(b.t, err)
	members := []component.Component{metrics}
	if withLogs {
		logs, err := factory.CreateLogs(b.t.Context(), set, r.cfg, r.logs)
		require.NoError(b.t, err)
		members = append(members, logs)
	}
	r.stop = sync.OnceFunc(func() {
		for _, m := range members {
			require.NoError(b.t, m.Shutdown(context.Background()))
		}
		require.NoError(b.t, r.telemetry.Shutdown(context.Background()))
	})
	b.t.Cleanup(r.stop)
	for _, m := range members {
		if err := m.Start(b.t.Context(), r.host); err != nil {
			return r, err
		}
	}
	return r, nil
}

// series is one point, by what identifies it.
type series struct{ device, metric, attributes string }

// value is a point's value as a float.
func value(dp pmetric.NumberDataPoint) float64 {
	if dp.ValueType() == pmetric.NumberDataPointValueTypeInt {
		return float64(dp.IntValue())
	}
	return dp.DoubleValue()
}

// forEach calls f for each point of a batch.
func forEach(m pmetric.Metrics, f func(device string, m pmetric.Metric, dp pmetric.NumberDataPoint)) {
	for _, rm := range m.ResourceMetrics().All() {
		id, _ := rm.Resource().Attributes().Get(signal.AttrHWID)
		for _, sm := range rm.ScopeMetrics().All() {
			for _, metric := range sm.Metrics().All() {
				points := pmetric.NumberDataPointSlice{}
				switch metric.Type() {
				case pmetric.MetricTypeSum:
					points = metric.Sum().DataPoints()
				default:
					points = metric.Gauge().DataPoints()
				}
				for _, dp := range points.All() {
					f(id.Str(), metric, dp)
				}
			}
		}
	}
}

// last returns the points of the newest batch by series: the device's UUID, the metric, and its attributes as key=value by key.
func (r *rig) last() map[series]pmetric.NumberDataPoint {
	all := r.metrics.AllMetrics()
	if len(all) == 0 {
		return nil
	}
	return bySeries(all[len(all)-1])
}

func bySeries(m pmetric.Metrics) map[series]pmetric.NumberDataPoint {
	points := make(map[series]pmetric.NumberDataPoint)
	forEach(m, func(device string, m pmetric.Metric, dp pmetric.NumberDataPoint) {
		text := ""
		for _, k := range sortedKeys(dp.Attributes().AsRaw()) {
			v, _ := dp.Attributes().Get(k)
			if text != "" {
				text += ","
			}
			text += v.AsString()
		}
		points[series{device, m.Name(), text}] = dp
	})
	return points
}

// until waits for something that must happen.
func (r *rig) until(what string, ok func() bool) {
	r.t.Helper()
	require.Eventually(r.t, ok, patience, 10*time.Millisecond, what)
}

// batches waits until n more batches have come.
func (r *rig) batches(n int) {
	r.t.Helper()
	goal := len(r.metrics.AllMetrics()) + n
	r.until("batches", func() bool { return len(r.metrics.AllMetrics()) >= goal })
}
