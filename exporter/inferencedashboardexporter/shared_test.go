package inferencedashboardexporter

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter/exportertest"

	"github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter/internal/metadata"
)

func TestMetricsAndLogsMeetOnOnePage(t *testing.T) {
	ctx := context.Background()
	s, set, cfg := newShared(), exportertest.NewNopSettings(metadata.Type), localConfig()
	metrics, err := s.createMetrics(ctx, set, cfg)
	require.NoError(t, err)
	logs, err := s.createLogs(ctx, set, cfg)
	require.NoError(t, err)
	require.Len(t, s.dashboards, 1)
	d := s.dashboards[set.ID]
	require.NoError(t, logs.Start(ctx, componenttest.NewNopHost()))
	require.NoError(t, metrics.Start(ctx, componenttest.NewNopHost()))

	now := time.Now()
	require.NoError(t, metrics.ConsumeMetrics(ctx, newFakeWorker("a:1", now).engineBatch(now)))
	require.NoError(t, logs.ConsumeLogs(ctx, told(eventRaised, "interference", now, adviceBody("x"))))
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	base := "http://" + d.addr.String()
	assert.Eventually(t, func() bool {
		latest := d.board.latest.Load()
		return len(latest.Workers) == 1 && len(latest.Advice) == 1
	}, 5*time.Second, 10*time.Millisecond)

	require.NoError(t, metrics.Shutdown(ctx))
	r, err := client.Get(base + "/healthz")
	require.NoError(t, err, "the page goes with the last of its exporters")
	_, _ = io.Copy(io.Discard, r.Body)
	require.NoError(t, r.Body.Close())
	require.NoError(t, logs.Shutdown(ctx))
	_, err = client.Get(base + "/healthz")
	assert.Error(t, err)
	assert.Empty(t, s.dashboards)
}

func TestOwnCost(t *testing.T) {
	c := newOwnCost()
	first := c.read(at(0))
	assert.Greater(t, first.Memory.orZero(), 1e6, "bytes")
	assert.False(t, first.CPU.ok, "a share needs two looks")
	assert.Equal(t, first, c.read(at(1)), "not more often than every few seconds")
	assert.True(t, c.read(at(10)).CPU.ok)
	assert.Equal(t, costView{}, (&ownCost{}).read(at(0)), "where the system does not tell")
}
