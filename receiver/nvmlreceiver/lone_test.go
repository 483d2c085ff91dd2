//go:build cgo && linux

package nvmlreceiver

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	sim "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu/gputest"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gonvml"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/metadata"
)

// lone is the worker of one simulated GPU without its threads, in lock step with the GPU: the test moves the clock of both and calls
// what the threads would.
type lone struct {
	t      testing.TB
	clock  *handClock
	state  *sim.State
	log    *observer.ObservedLogs
	host   *statusHost
	find   *finder
	worker *worker
	done   sim.Sample
}

// newLone makes a machine of one GPU; prepare may change the machine's GPU and what it has done so far.
func newLone(t testing.TB, model string, change func(*Config), prepare func(*sim.Model, *lone)) *lone {
	t.Helper()
	l := &lone{t: t, clock: &handClock{now: time.Unix(1_700_000_000, 0)}, host: &statusHost{Host: componenttest.NewNopHost()}}
	machine := template(t, model, 1)
	machine.Clock = l.clock.Now
	if prepare != nil {
		prepare(&machine.Devices[0], l)
	}
	var err error
	l.state, err = sim.Create(filepath.Join(t.TempDir(), "state"), machine)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.state.Close()) })
	t.Setenv("FLEETSIM_NVML_STATE", l.state.Path())
	l.work(time.Millisecond)

	lib := gonvml.NewHost().Library(gputest.BuildStub(t))
	require.NoError(t, lib.Open(func() {}))
	t.Cleanup(l.end)
	cfg := createDefaultConfig().(*Config)
	cfg.PodResources.Socket = ""
	if change != nil {
		change(cfg)
	}
	core, log := observer.New(zapcore.DebugLevel)
	l.log = log
	telemetry, err := metadata.NewTelemetryBuilder(componenttest.NewNopTelemetrySettings())
	require.NoError(t, err)
	tell := newReporter(telemetry, zap.New(core), l.clock)
	tell.addHost(component.Host(l.host))
	p := newPlan(cfg, true, false)
	join, err := newJoiner(cfg, p, tell)
	require.NoError(t, err)
	m := newManager(&shop{
		cfg: cfg, plan: p, words: &vocabulary{metrics: signal.Index(signal.GPUMetrics())}, clock: l.clock, tell: tell,
		ledgers: newLedgers(), join: join, xid: func(context.Context, gpu.Event, gpu.Identity, *ledger) {},
	}, nil)
	l.find = &finder{manager: m, lib: lib, system: lib.System(), stale: make(chan error, 1)}
	return l
}

// begin gives the GPU a worker, as one that is found has.
func (l *lone) begin() {
	l.t.Helper()
	p := l.find.start(0)
	<-p.done
	require.NoError(l.t, p.err)
	l.worker = l.find.manager.shop.newWorker(l.find, p)
	l.worker.note(l.worker.open())
}

// end is what the worker's thread does last, and the manager's: the stub has one machine at a time.
func (l *lone) end() {
	if l.worker == nil {
		return
	}
	l.worker.close()
	l.worker = nil
	require.NoError(l.t, l.find.lib.Close())
}

// work lets the GPU work for a while at a load that has another rate for everything.
func (l *lone) work(dt time.Duration) {
	s, seconds := &l.done, dt.Seconds()
	s.Time = l.clock.advance(dt)
	add := func(to *float64, rate float64) { *to += rate * seconds }
	rates := func(a *sim.Activity, share float64) {
		add(&a.Graphics, 0.9*share)
		add(&a.SM, 0.8*share)
		add(&a.SMOccupancy, 0.3*share)
		add(&a.Tensor, 0.5*share)
		add(&a.TensorDFMA, 0.05*share)
		add(&a.TensorHMMA, 0.25*share)
		add(&a.TensorIMMA, 0.15*share)
		add(&a.DRAM, 0.6*share)
		add(&a.FP64, 0.02*share)
		add(&a.FP32, 0.1*share)
		add(&a.FP16, 0.07*share)
	}
	rates(&s.Activity, 1)
	for i := range s.MIG {
		rates(&s.MIG[i].Activity, 1/float64(i+2))
		s.MIG[i].MemoryUsed = uint64(i+3) << 30
	}
	add(&s.Energy, 512)
	add(&s.PCIe.Receive, 2e9)
	add(&s.PCIe.Transmit, 1e9)
	for i := range s.NVLinks {
		add(&s.NVLinks[i].Receive, float64(i+1)*1e9)
		add(&s.NVLinks[i].Transmit, float64(i+1)*7e8)
	}
	require.NoError(l.t, l.state.Update(0, *s))
}

// collect is one collection after the GPU has worked for a while.
func (l *lone) collect(after time.Duration) map[series]pmetric.NumberDataPoint {
	l.work(after)
	return bySeries(l.worker.collect())
}

func (l *lone) health(points map[series]pmetric.NumberDataPoint) health {
	for s, dp := range points {
		if s.device == l.worker.uuid && s.metric == signal.HWStatus && dp.IntValue() == 1 {
			return health(s.attributes)
		}
	}
	return ""
}

func (l *lone) fault(function string, r sim.Return) {
	require.NoError(l.t, l.state.SetFault(0, function, sim.Fault{Return: r}))
}

func (l *lone) own(metric, attributes string) series {
	return series{l.worker.uuid, metric, attributes}
}
