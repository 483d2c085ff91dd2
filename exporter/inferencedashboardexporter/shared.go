package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
)

// shared holds the dashboards by the name of their exporter, for as long as one of its instances lives: metrics and logs meet on one page.
type shared struct {
	mu         sync.Mutex
	dashboards map[component.ID]*holding
}

// holding is a dashboard and how many exporters have it. It starts with the first and ends with the last.
type holding struct {
	*dashboard
	id component.ID

	mu      sync.Mutex
	holders int
	running int
}

func newShared() *shared { return &shared{dashboards: map[component.ID]*holding{}} }

// hold returns the dashboard of a name, a new one where there is none.
func (s *shared) hold(set exporter.Settings, cfg component.Config) (*holding, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, ok := s.dashboards[set.ID]
	if !ok {
		d, err := newDashboard(cfg.(*Config), set, time.Now)
		if err != nil {
			return nil, err
		}
		h = &holding{dashboard: d, id: set.ID}
		s.dashboards[set.ID] = h
	}
	h.holders++
	return h, nil
}

// options tie an exporter to its dashboard. There is neither queue nor retry: the next scrape replaces what one push would have shown.
func (s *shared) options(h *holding) []exporterhelper.Option {
	var end sync.Once
	return []exporterhelper.Option{
		exporterhelper.WithStart(h.begin),
		exporterhelper.WithShutdown(func(ctx context.Context) (err error) {
			end.Do(func() { err = s.release(ctx, h) })
			return err
		}),
		exporterhelper.WithTimeout(exporterhelper.TimeoutConfig{Timeout: 0}),
		exporterhelper.WithCapabilities(consumer.Capabilities{MutatesData: false}),
	}
}

// begin starts the dashboard for the first exporter that starts.
func (h *holding) begin(ctx context.Context, host component.Host) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running++
	if h.running > 1 {
		return nil
	}
	return h.start(ctx, host)
}

// release gives up one exporter's hold. The dashboard ends with the last: the collector ends exporters one by one, and the others may still
// have something to show.
func (s *shared) release(ctx context.Context, h *holding) error {
	s.mu.Lock()
	h.holders--
	last := h.holders == 0
	if last && s.dashboards[h.id] == h {
		delete(s.dashboards, h.id)
	}
	s.mu.Unlock()
	if !last {
		return nil
	}
	return h.shutdown(ctx)
}

func (s *shared) createMetrics(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Metrics, error) {
	h, err := s.hold(set, cfg)
	if err != nil {
		return nil, err
	}
	return exporterhelper.NewMetrics(ctx, set, cfg, h.consumeMetrics, s.options(h)...)
}

func (s *shared) createLogs(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Logs, error) {
	h, err := s.hold(set, cfg)
	if err != nil {
		return nil, err
	}
	return exporterhelper.NewLogs(ctx, set, cfg, h.consumeLogs, s.options(h)...)
}
