package inferencedashboardexporter

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter/internal/metadata"
	"github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter/internal/metadatatest"
)

func localConfig() *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.ServerConfig.NetAddr.Endpoint = "localhost:0"
	cfg.UpdateInterval = 100 * time.Millisecond
	return cfg
}

func TestFactory(t *testing.T) {
	f := NewFactory()
	assert.Equal(t, "inference_dashboard", f.Type().String())
	e, err := f.CreateMetrics(context.Background(), exportertest.NewNopSettings(f.Type()), localConfig())
	require.NoError(t, err)
	assert.Equal(t, consumer.Capabilities{MutatesData: false}, e.Capabilities())
	require.NoError(t, e.Shutdown(context.Background()), "without start")
	require.NoError(t, e.Shutdown(context.Background()), "twice")
}

func TestServesAndShutsDownPromptly(t *testing.T) {
	d, err := newDashboard(localConfig(), exportertest.NewNopSettings(metadata.Type), time.Now)
	require.NoError(t, err)
	require.NoError(t, d.start(context.Background(), componenttest.NewNopHost()))
	base := "http://" + d.addr.String()

	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	stream, err := client.Get(base + "/api/v1/stream")
	require.NoError(t, err)
	defer stream.Body.Close()
	events := bufio.NewScanner(stream.Body)
	events.Buffer(nil, 1<<20)
	name, _ := readEvent(t, events)
	assert.Equal(t, "snapshot", name)

	f := newFakeWorker("a:1", time.Now())
	require.NoError(t, d.consumeMetrics(context.Background(), f.engineBatch(time.Now())))
	name, data := readEvent(t, events)
	assert.Equal(t, "update", name)
	assert.Len(t, data["workers"], 1)

	begun := time.Now()
	require.NoError(t, d.shutdown(context.Background()))
	assert.Less(t, time.Since(begun), 3*time.Second, "an open stream must not hold shutdown up")
	require.NoError(t, d.shutdown(context.Background()))
	_, err = client.Get(base + "/healthz")
	assert.Error(t, err)
	assert.NoError(t, d.consumeMetrics(context.Background(), f.engineBatch(time.Now())), "late data does no harm")
}

func TestStartNamesATakenEndpoint(t *testing.T) {
	l, err := net.Listen("tcp", "localhost:0")
	require.NoError(t, err)
	defer l.Close()
	cfg := localConfig()
	cfg.ServerConfig.NetAddr.Endpoint = l.Addr().String()
	d, err := newDashboard(cfg, exportertest.NewNopSettings(metadata.Type), time.Now)
	require.NoError(t, err)
	err = d.start(context.Background(), componenttest.NewNopHost())
	assert.ErrorContains(t, err, fmt.Sprintf("cannot listen on endpoint %q", l.Addr().String()))
	assert.NoError(t, d.shutdown(context.Background()))
}

func TestConcurrentUse(t *testing.T) {
	d, ws, now := filled(t, 8, 2)
	var wg sync.WaitGroup
	for i, w := range ws {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for k := range 50 {
				when := now.Add(time.Duration(k) * 100 * time.Millisecond)
				assert.NoError(t, d.consumeMetrics(context.Background(), w.engineBatch(when)))
				assert.NoError(t, d.consumeMetrics(context.Background(), ws[(i+1)%len(ws)].derivedBatch(when)))
				get(t, d.api.handler(), "GET", "/api/v1/workers")
				get(t, d.api.handler(), "GET", "/api/v1/history?metric=kv&worker="+workerKey{w.host, w.instance, w.model}.id())
			}
		}()
	}
	for range 50 {
		d.update(context.Background())
	}
	wg.Wait()
	assert.Equal(t, 8, d.tracker.len())
}

func TestInternalTelemetry(t *testing.T) {
	tel := componenttest.NewTelemetry()
	defer func() { require.NoError(t, tel.Shutdown(context.Background())) }()
	cfg := localConfig()
	cfg.MaxWorkers = 1
	now := at(0)
	d, err := newDashboard(cfg, metadatatest.NewSettings(tel), func() time.Time { return now })
	require.NoError(t, err)
	require.NoError(t, d.report())
	for _, name := range []string{"a:1", "b:1"} {
		require.NoError(t, d.consumeMetrics(context.Background(), newFakeWorker(name, at(0)).engineBatch(now)))
	}
	metadatatest.AssertEqualInferenceDashboardWorkers(t, tel, []metricdata.DataPoint[int64]{{Value: 1}}, metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualInferenceDashboardSubscribers(t, tel, []metricdata.DataPoint[int64]{{Value: 0}}, metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualInferenceDashboardPointsRejected(t, tel, []metricdata.DataPoint[int64]{
		{Value: 9, Attributes: attribute.NewSet(attribute.String("reason", "full"))},
	}, metricdatatest.IgnoreTimestamp())
	now = now.Add(evictAfter + time.Second)
	d.update(context.Background())
	metadatatest.AssertEqualInferenceDashboardWorkersEvicted(t, tel, []metricdata.DataPoint[int64]{{Value: 1}}, metricdatatest.IgnoreTimestamp())
}

// BenchmarkConsumeMetrics takes batches of one worker that move on in time; ns/point is the cost of one data point.
func BenchmarkConsumeMetrics(b *testing.B) {
	const batches = 1000
	d, ws, now := filled(b, 1, 1)
	for name, batch := range map[string]func(time.Time) pmetric.Metrics{"engine": ws[0].engineBatch, "derived": ws[0].derivedBatch} {
		mds := make([]pmetric.Metrics, batches)
		for i := range mds {
			mds[i] = batch(now.Add(time.Duration(i+1) * 10 * time.Millisecond))
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				if i%batches == 0 { // time would stand still
					b.StopTimer()
					d.tracker.evict(now.Add(24 * time.Hour))
					_ = d.consumeMetrics(context.Background(), mds[0])
					b.StartTimer()
				}
				_ = d.consumeMetrics(context.Background(), mds[i%batches])
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(mds[0].DataPointCount()), "ns/point")
		})
	}
}

// BenchmarkUpdate judges a fleet of 200 workers once, as every update interval does.
func BenchmarkUpdate(b *testing.B) {
	d, _, now := filled(b, 200, 12)
	b.ReportAllocs()
	for b.Loop() {
		d.board.update(now)
	}
}
