package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter/internal/metadata"
)

// maxHeader bounds the header of a request, in bytes.
const maxHeader = 16 << 10

// dashboard ties the parts together: points in, one judgement per update, pages out.
type dashboard struct {
	config   *Config
	settings exporter.Settings
	now      func() time.Time

	telemetry *metadata.TelemetryBuilder
	rejected  *rejectionCounter
	tracker   *tracker
	register  *register
	advisory  *advisory
	board     *board
	hub       *hub
	api       *api

	found *found // update alone uses it

	mu     sync.Mutex
	server *http.Server // nil until started and after shutdown
	addr   net.Addr
	stop   context.CancelFunc
	done   sync.WaitGroup
}

func newDashboard(cfg *Config, set exporter.Settings, now func() time.Time) (*dashboard, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	assets, err := readAssets()
	if err != nil {
		return nil, fmt.Errorf("cannot read the embedded page: %w", err)
	}
	description, err := describe(set.BuildInfo.Version)
	if err != nil {
		return nil, fmt.Errorf("cannot describe the API: %w", err)
	}
	ofWorker := func() *history { return newHistory(cfg.workerFine(), cfg.workerLong()) }
	ofFleet := func(others int) *history {
		if (others+1)*(cfg.fine().slots+cfg.long().slots) > maxCells {
			return ofWorker()
		}
		return newHistory(cfg.fine(), cfg.long())
	}
	started := now().UnixMilli()
	d := &dashboard{config: cfg, settings: set, now: now, telemetry: telemetry, rejected: newRejectionCounter(telemetry)}
	d.tracker = newTracker(cfg.MaxWorkers, ofWorker)
	d.register, d.advisory = newRegister(cfg.MaxWorkers), newAdvisory()
	d.board = newBoard(d.tracker, d.register, d.advisory, ofFleet)
	_, charts := assets[chartLibrary]
	d.hub = newHub(d.register, func(s *snapshot) any {
		return greeting{
			message: message{
				At: s.At, Fleets: s.Fleets, Workers: s.Workers, Subjects: s.Subjects, Advice: &s.Advice, Cost: &s.Cost, Scope: &s.Scope,
			},
			Started:    started,
			Step:       cfg.Resolution.Milliseconds(),
			History:    cfg.History.Milliseconds(),
			LongStep:   cfg.long().step.Milliseconds(),
			Long:       cfg.LongHistory.Milliseconds(),
			Window:     trailingLength.Milliseconds(),
			Heartbeat:  heartbeat.Milliseconds(),
			Charts:     charts,
			MaxWorkers: cfg.MaxWorkers,
			Version:    set.BuildInfo.Version,
			Links:      cfg.Links,
		}
	})
	d.api = &api{board: d.board, hub: d.hub, assets: assets, description: description, patience: writeTimeout}
	d.found = newFound(set.Logger, now())
	return d, nil
}

// greeting is the first message of a page: everything, and what the page has to know of the exporter. Times in milliseconds.
type greeting struct {
	message
	Started    int64  `json:"started"` // when the exporter was made
	Step       int64  `json:"step"`
	History    int64  `json:"history"`
	LongStep   int64  `json:"long_step"`
	Long       int64  `json:"long_history"` // 0 where none is kept
	Window     int64  `json:"window"`
	Heartbeat  int64  `json:"heartbeat"`
	Charts     bool   `json:"charts"` // whether the chart library is in this binary
	MaxWorkers int    `json:"max_workers"`
	Version    string `json:"version"`
	Links      []Link `json:"links,omitempty"`
}

// consumeMetrics takes a batch. It never fails: a point that cannot be shown is counted and dropped.
func (d *dashboard) consumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	now := d.now()
	rejected := d.tracker.observe(md, now)
	d.register.observe(md, now, &rejected)
	d.advisory.observeMetrics(md, now)
	d.rejected.add(ctx, &rejected)
	return nil
}

// consumeLogs takes the events of the advice connector and passes over all other records. It never fails, like consumeMetrics.
func (d *dashboard) consumeLogs(ctx context.Context, ld plog.Logs) error {
	var rejected tally
	rejected[rejectMalformed], rejected[rejectFull] = d.advisory.observeLogs(ld, d.now())
	d.rejected.add(ctx, &rejected)
	return nil
}

// start listens and serves. It fails where the endpoint cannot be had.
func (d *dashboard) start(ctx context.Context, host component.Host) error {
	endpoint := d.config.ServerConfig.NetAddr.Endpoint
	listener, err := d.config.ServerConfig.ToListener(ctx)
	if err != nil {
		return fmt.Errorf("cannot listen on endpoint %q: %w", endpoint, err)
	}
	server, err := d.config.ServerConfig.ToServer(ctx, host.GetExtensions(), d.settings.TelemetrySettings,
		guard(d.api.handler(), endpoint))
	if err == nil {
		err = d.report()
	}
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	server.MaxHeaderBytes = maxHeader

	running, stop := context.WithCancel(context.Background())
	d.mu.Lock()
	d.server, d.addr, d.stop = server, listener.Addr(), stop
	d.mu.Unlock()
	d.done.Add(2)
	go func() {
		defer d.done.Done()
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			// The page is lost, the rest of the collector is not.
			componentstatus.ReportStatus(host, componentstatus.NewPermanentErrorEvent(fmt.Errorf("dashboard server: %w", err)))
		}
	}()
	go func() {
		defer d.done.Done()
		d.run(running)
	}()
	d.settings.Logger.Info("Dashboard is served", zap.String("address", listener.Addr().String()))
	return nil
}

// report begins to report the figures that are read on collection.
func (d *dashboard) report() error {
	return errors.Join(
		d.telemetry.RegisterInferenceDashboardWorkersCallback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(int64(d.tracker.len()))
			return nil
		}),
		d.telemetry.RegisterInferenceDashboardSubscribersCallback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(int64(d.hub.len()))
			return nil
		}),
	)
}

// run judges the fleets once per update until ctx ends.
func (d *dashboard) run(ctx context.Context) {
	ticker := time.NewTicker(d.config.UpdateInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			d.update(ctx)
		}
	}
}

// update judges the fleets, forgets workers that are gone and tells the pages.
func (d *dashboard) update(ctx context.Context) {
	now := d.now()
	if evicted := d.tracker.evict(now); evicted > 0 {
		d.telemetry.InferenceDashboardWorkersEvicted.Add(ctx, evicted)
	}
	d.register.evict(now)
	d.advisory.evict(now)
	shot := d.board.update(now)
	d.found.tell(shot, d.register, now)
	dropped, err := d.hub.publish(shot, now)
	if err != nil {
		d.settings.Logger.Error("Cannot encode the update", zap.Error(err))
	}
	if dropped > 0 {
		d.telemetry.InferenceDashboardSubscribersDropped.Add(ctx, dropped)
	}
}

// shutdown disconnects the pages, stops the server and waits for its goroutines. It may be called without start and more than
// once. When ctx ends first, open connections are cut.
func (d *dashboard) shutdown(ctx context.Context) error {
	d.mu.Lock()
	server, stop := d.server, d.stop
	d.server, d.stop = nil, nil
	d.mu.Unlock()
	d.hub.close()
	if server == nil {
		return nil
	}
	stop()
	err := server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, server.Close())
	}
	d.done.Wait()
	d.telemetry.Shutdown()
	return err
}
