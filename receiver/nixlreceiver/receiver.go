package nixlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver"

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"

	"github.com/otelcol-inference/otelcol-inference/internal/nixl"
	"github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/metadata"
	"github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/owner"
)

// nixlReceiver runs three loops: one polls the rings, one looks for agents, one collects and delivers. A pipeline that is slow, or a
// directory that hangs, holds up no poll.
type nixlReceiver struct {
	cfg       *Config
	set       receiver.Settings
	next      consumer.Metrics
	clock     clock
	telemetry *metadata.TelemetryBuilder
	obsreport *receiverhelper.ObsReport
	tell      *reporter

	cancel  context.CancelFunc // nil before Start
	fleet   *fleet
	collect *collector
	saved   *checkpoint
	watcher *fsnotify.Watcher // nil where there is none
	changed atomic.Bool       // a directory has changed since the last survey
	refused bool              // the pipeline refused the last points
	loops   sync.WaitGroup
}

func newReceiver(set receiver.Settings, cfg *Config, next consumer.Metrics, c clock) (*nixlReceiver, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	obsreport, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
		ReceiverID: set.ID, Transport: "file", LongLivedCtx: true, ReceiverCreateSettings: set,
	})
	if err != nil {
		return nil, err
	}
	return &nixlReceiver{
		cfg: cfg, set: set, next: next, clock: c, telemetry: telemetry, obsreport: obsreport, tell: newReporter(telemetry, set.Logger),
	}, nil
}

// Start begins to read. Directories that are not there are no error.
func (r *nixlReceiver) Start(ctx context.Context, host component.Host) error {
	hostname, err := os.Hostname()
	if err != nil {
		r.set.Logger.Debug("The host has no name, so host.name is left out", zap.Error(err))
	}
	if r.saved, err = openCheckpoint(ctx, host, r.cfg.Storage, r.set.ID, r.set.Logger); err != nil {
		return err
	}
	r.tell.host = host
	finder := owner.New(os.DirFS(r.cfg.ProcPath))
	r.fleet = newFleet(r.cfg, newRenderer(hostname, r.set.BuildInfo.Version), r.tell, finder, r.saved, r.clock.Monotonic)
	c := &collector{fleet: r.fleet, links: newLinks(nil)}
	r.collect = c
	if r.cfg.Sources.Links.Enabled {
		c.links.sys = os.DirFS(r.cfg.SysPath)
	}
	c.tail = newTail(r.cfg)
	if r.watcher, err = fsnotify.NewWatcher(); err != nil {
		r.set.Logger.Info("No inotify, so new agents are found by looking every rescan_interval", zap.Error(err))
	}
	running, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	last := r.clock.Now()
	r.fleet.survey(last)
	r.watch()
	scratch := new(nixl.Scratch)
	r.every(running, r.cfg.PollInterval, func() { r.fleet.poll(r.clock.Now(), scratch) })
	r.every(running, surveyTick, func() {
		if now := r.clock.Now(); r.changed.Swap(false) || now.Sub(last) >= r.cfg.RescanInterval {
			last = now
			r.fleet.survey(now)
			r.watch()
		}
	})
	r.every(running, r.cfg.CollectionInterval, func() {
		now := r.clock.Now()
		r.deliver(running, c.collect(now))
		r.saved.save(running, r.fleet)
	})
	if r.watcher != nil {
		r.loops.Go(r.listen)
	}
	return nil
}

// surveyTick is how soon after a change of a directory it is looked at, so that a storm of changes is one look.
const surveyTick = 500 * time.Millisecond

// every runs do each interval until ctx ends.
func (r *nixlReceiver) every(ctx context.Context, interval time.Duration, do func()) {
	ticks, stop := r.clock.Ticks(interval)
	r.loops.Go(func() {
		defer stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticks:
				do()
			}
		}
	})
}

// watch asks to be told of changes in the directories. Those that are not there yet are asked for again after each survey.
func (r *nixlReceiver) watch() {
	if r.watcher == nil {
		return
	}
	for _, dirs := range [][]string{r.cfg.Sources.Buffer.Directories, r.cfg.Sources.Multiproc.Directories} {
		for _, dir := range dirs {
			if err := r.watcher.Add(dir); err != nil {
				r.set.Logger.Debug("A directory cannot be watched", zap.String("directory", dir), zap.Error(err))
			}
		}
	}
}

// listen takes changes until the watcher is closed. An overflow of its queue is a change as well.
func (r *nixlReceiver) listen() {
	events, errs := r.watcher.Events, r.watcher.Errors
	for events != nil || errs != nil {
		select {
		case e, ok := <-events:
			if !ok {
				events = nil
			} else if e.Op&^(fsnotify.Chmod|fsnotify.Write) != 0 {
				r.changed.Store(true)
			}
		case _, ok := <-errs:
			if !ok {
				errs = nil
			} else {
				r.changed.Store(true)
			}
		}
	}
}

// deliver hands points to the pipeline. What it refuses is counted: the next collection has the totals again, and the last points
// of lives that ended.
func (r *nixlReceiver) deliver(ctx context.Context, metrics pmetric.Metrics) {
	n := metrics.DataPointCount()
	ctx = r.obsreport.StartMetricsOp(ctx)
	err := r.next.ConsumeMetrics(ctx, metrics)
	r.obsreport.EndMetricsOp(ctx, metadata.Type.String(), n, err)
	if err != nil && !r.refused {
		r.set.Logger.Warn("The pipeline refuses the points", zap.Error(err))
	}
	r.refused = err != nil
	if err == nil {
		r.fleet.delivered()
	}
}

// Shutdown ends reading and waits for it.
func (r *nixlReceiver) Shutdown(ctx context.Context) error {
	var err error
	if r.cancel != nil {
		r.cancel()
		if r.watcher != nil {
			err = r.watcher.Close()
		}
		r.loops.Wait()
		r.cancel = nil
		// What was taken out of the rings since the last collection is told as well.
		now := r.clock.Now()
		r.fleet.drainAll(now)
		r.deliver(ctx, r.collect.collect(now))
		r.saved.save(ctx, r.fleet)
		r.fleet.close()
		if failed := r.saved.close(ctx); err == nil {
			err = failed
		}
	}
	r.telemetry.Shutdown()
	if err != nil {
		return fmt.Errorf("end of reading: %w", err)
	}
	return nil
}
