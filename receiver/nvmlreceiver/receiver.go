package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"context"
	"fmt"
	"os"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/metadata"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/xid"
)

// nvmlReceiver reads the GPUs of the host for a metrics pipeline, a logs pipeline or both.
type nvmlReceiver struct {
	cfg       *Config
	set       receiver.Settings
	clock     clock
	library   func() gpu.Library
	telemetry *metadata.TelemetryBuilder
	tell      *reporter
	obsreport *receiverhelper.ObsReport
	xids      *xid.Table

	metrics consumer.Metrics // nil without a pipeline
	logs    consumer.Logs    // nil without a pipeline

	start, end sync.Once
	startErr   error
	words      *vocabulary
	manager    *manager
	join       *joiner
	cancel     context.CancelFunc // nil before Start
	loops      sync.WaitGroup
	refused    bool // the pipeline refused the last points
}

func newReceiver(set receiver.Settings, cfg *Config, c clock, library func() gpu.Library) (*nvmlReceiver, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	obsreport, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
		ReceiverID: set.ID, Transport: "nvml", LongLivedCtx: true, ReceiverCreateSettings: set,
	})
	if err != nil {
		return nil, err
	}
	return &nvmlReceiver{
		cfg: cfg, set: set, clock: c, library: library, telemetry: telemetry, tell: newReporter(telemetry, set.Logger, c),
		obsreport: obsreport, xids: xid.NewTable(),
	}, nil
}

// Start begins to read, once for all pipelines. That there is no GPU is an error only when the configuration requires one.
func (r *nvmlReceiver) Start(ctx context.Context, host component.Host) error {
	r.tell.addHost(host)
	r.start.Do(func() { r.startErr = r.begin(ctx) })
	return r.startErr
}

func (r *nvmlReceiver) begin(ctx context.Context) error {
	p := newPlan(r.cfg, r.metrics != nil, r.logs != nil)
	hostname, err := os.Hostname()
	if err != nil {
		r.set.Logger.Debug("The host has no name, so host.name is left out", zap.Error(err))
	}
	r.words = &vocabulary{
		metrics: signal.Index(signal.GPUMetrics()), version: r.set.BuildInfo.Version, pointIdentity: r.cfg.PointIdentity, host: hostname,
	}
	if r.join, err = newJoiner(r.cfg, p, r.tell); err != nil {
		return err
	}
	r.manager = newManager(&shop{
		cfg: r.cfg, plan: p, words: r.words, clock: r.clock, beat: &metronome{clock: r.clock, every: r.cfg.SamplingInterval}, tell: r.tell,
		ledgers: newLedgers(), join: r.join, xid: r.takeXID,
	}, r.library)
	running, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	first := make(chan error, 1)
	r.manager.threads.Go(func() { r.manager.run(running, first) })
	r.loops.Go(func() { r.refreshJoins(running) })
	if err := r.waitFirst(ctx, first); err != nil {
		cancel()
		return err
	}
	r.loops.Go(func() { r.loop(running) })
	return nil
}

// waitFirst waits until the GPUs are found when one is required, for as long as no call takes longer than call_timeout.
func (r *nvmlReceiver) waitFirst(ctx context.Context, first <-chan error) error {
	if !r.cfg.RequireGPU {
		return nil
	}
	looks, stop := r.clock.Ticks(r.cfg.CallTimeout / 4)
	defer stop()
	for {
		select {
		case err := <-first:
			if err != nil && len(r.manager.all()) == 0 {
				return fmt.Errorf("require_gpu is set and there is no GPU to read: %w", err)
			}
			return nil
		case <-ctx.Done():
			return fmt.Errorf("require_gpu is set and NVML has not answered: %w", ctx.Err())
		case <-looks:
			if q, held := r.manager.blocked(); held {
				return fmt.Errorf("require_gpu is set and %s has not returned within call_timeout, which is %s", q, r.cfg.CallTimeout)
			}
		}
	}
}

// loop collects at each interval and looks after the threads.
func (r *nvmlReceiver) loop(ctx context.Context) {
	first, stop := r.clock.After(r.cfg.InitialDelay)
	defer stop()
	select {
	case <-ctx.Done():
		return
	case <-first:
	}
	ticks, stop := r.clock.Ticks(r.cfg.CollectionInterval)
	defer stop()
	for {
		if r.metrics != nil {
			r.deliver(ctx, r.manager.collect(ctx, min(r.cfg.CallTimeout, r.cfg.CollectionInterval)))
		}
		r.telemetry.ReceiverNvmlBlocked.Record(ctx, int64(r.manager.check()))
		r.telemetry.ReceiverNvmlDevices.Record(ctx, int64(len(r.manager.all())))
		select {
		case <-ctx.Done():
			return
		case <-ticks:
		}
	}
}

// refreshJoins asks the kubelet at each discovery.
func (r *nvmlReceiver) refreshJoins(ctx context.Context) {
	ticks, stop := r.clock.Ticks(r.cfg.DiscoveryInterval)
	defer stop()
	for {
		r.join.refresh(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticks:
		}
	}
}

// deliver hands points to the pipeline. What it refuses is dropped and counted: the next collection has the totals again.
func (r *nvmlReceiver) deliver(ctx context.Context, points pmetric.Metrics) {
	n := points.DataPointCount()
	if n == 0 || ctx.Err() != nil {
		return
	}
	ctx = r.obsreport.StartMetricsOp(ctx)
	err := r.metrics.ConsumeMetrics(ctx, points)
	r.obsreport.EndMetricsOp(ctx, metadata.Type.String(), n, err)
	if err != nil && !r.refused {
		r.set.Logger.Warn("The pipeline refuses the points of the GPUs", zap.Error(err))
	}
	r.refused = err != nil
}

// Shutdown ends the reading, for all pipelines. It does not wait for threads that the driver holds longer than 2 * shutdownGrace, nor
// longer than ctx; they say nothing any more.
func (r *nvmlReceiver) Shutdown(ctx context.Context) error {
	var err error
	r.end.Do(func() {
		if r.cancel != nil {
			r.cancel()
			r.loops.Wait()
			r.awaitThreads(ctx)
			err = r.join.close()
		}
		r.tell.silence()
		r.telemetry.Shutdown()
	})
	return err
}

func (r *nvmlReceiver) awaitThreads(ctx context.Context) {
	ended := make(chan struct{})
	go func() {
		r.manager.threads.Wait()
		close(ended)
	}()
	late, stop := r.clock.After(2 * shutdownGrace)
	defer stop()
	select {
	case <-ended:
		return
	case <-late:
	case <-ctx.Done():
	}
	r.set.Logger.Warn("A call of NVML does not return; its thread is left behind")
}
