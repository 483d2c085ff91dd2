package nixl_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver"
)

// reading is a running receiver and, by metric, the sum of the points that it told last.
type reading struct {
	t        testing.TB
	receiver receiver.Metrics
	deaf     atomic.Bool // nothing is looked at, so that its cost is not in a measurement
	mu       sync.Mutex
	last     map[string]float64
}

func read(t testing.TB, dir string, more map[string]any) *reading {
	t.Helper()
	factory := nixlreceiver.NewFactory()
	cfg := factory.CreateDefaultConfig()
	values := map[string]any{"sources": map[string]any{
		"buffer":    map[string]any{"directories": []any{dir}, "mode": "consume"},
		"multiproc": map[string]any{"directories": []any{dir}},
	}}
	for k, v := range more {
		values[k] = v
	}
	require.NoError(t, confmap.NewFromStringMap(values).Unmarshal(cfg))
	require.NoError(t, confmap.Validate(cfg))
	r := &reading{t: t}
	next, err := consumer.NewMetrics(r.take)
	require.NoError(t, err)
	set := receiver.Settings{ID: component.NewID(factory.Type()), TelemetrySettings: componenttest.NewNopTelemetrySettings()}
	r.receiver, err = factory.CreateMetrics(t.Context(), set, cfg, next)
	require.NoError(t, err)
	require.NoError(t, r.receiver.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(r.stop)
	return r
}

func (r *reading) stop() { assert.NoError(r.t, r.receiver.Shutdown(context.Background())) }

func (r *reading) take(_ context.Context, m pmetric.Metrics) error {
	if r.deaf.Load() {
		return nil
	}
	sums := make(map[string]float64)
	add := func(name string, points pmetric.NumberDataPointSlice) {
		for _, p := range points.All() {
			sums[name] += p.DoubleValue() + float64(p.IntValue())
			if reason, ok := p.Attributes().Get(signal.AttrReason); ok {
				sums[name+"/"+reason.Str()] += float64(p.IntValue())
			}
		}
	}
	for _, rm := range m.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, metric := range sm.Metrics().All() {
				switch metric.Type() {
				case pmetric.MetricTypeGauge:
					add(metric.Name(), metric.Gauge().DataPoints())
				case pmetric.MetricTypeSum:
					add(metric.Name(), metric.Sum().DataPoints())
				case pmetric.MetricTypeHistogram:
					for _, p := range metric.Histogram().DataPoints().All() {
						sums[metric.Name()] += float64(p.Count())
					}
				}
			}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = sums
	return nil
}

// value is that of a metric, and whether it was told last.
func (r *reading) value(name string) (float64, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, ok := r.last[name]
	return v, ok
}

func (r *reading) eventually(condition func() bool, what string) {
	r.t.Helper()
	if !assert.Eventually(r.t, condition, 30*time.Second, 20*time.Millisecond, what) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.t.Fatalf("told last: %v", r.last)
	}
}

func (r *reading) is(name string, want float64) func() bool {
	return func() bool {
		v, ok := r.value(name)
		return ok && v == want
	}
}

// TestEightRingsWithoutLoss: 8 rings of 4096 events at 20,000 events a second each, polled every 50 ms, over a million events in all.
func TestEightRingsWithoutLoss(t *testing.T) {
	dir := t.TempDir()
	const agents, transfers = 8, 35_000
	p := start(t, order{Dir: dir, Agents: agents, Transfers: transfers, Rate: 5000, Patient: true})
	r := read(t, dir, map[string]any{"collection_interval": "200ms"})
	r.eventually(r.is(signal.NIXLAgentUp, agents), "the agents are found")
	p.begin()
	counts := p.done()
	require.Greater(t, counts.Offered, uint64(1_000_000))
	assert.Zero(t, counts.Lost+counts.StagingDropped)
	r.eventually(r.is(signal.NIXLTransferCount, agents*transfers), "every transfer is told")
	for name, want := range map[string]float64{
		signal.NIXLTransferIO: agents * transfers * 4096, signal.NIXLTransferTime: agents * transfers, signal.NIXLTransferPost: agents * transfers,
		signal.NIXLThroughput: agents * transfers, signal.NIXLEventsDropped: 0, signal.NIXLContention: 0,
	} {
		v, _ := r.value(name)
		assert.Equal(t, want, v, name)
	}
}

// TestAKilledProcessIsDrained: SIGKILL leaves unread events in the file; they are read, and then the agent is down and forgotten.
func TestAKilledProcessIsDrained(t *testing.T) {
	dir := t.TempDir()
	p := start(t, order{Dir: dir, Agents: 1, Transfers: 100, Rate: 100_000})
	p.begin()
	counts := p.done()
	p.kill()
	before, err := os.Stat(filepath.Join(dir, "agent-0"))
	require.NoError(t, err)
	r := read(t, dir, map[string]any{"collection_interval": "100ms", "rescan_interval": "1s", "stale_after": "2s"})
	r.eventually(r.is(signal.NIXLTransferCount, 100), "what it left is read")
	assert.Equal(t, uint64(400), counts.Written)
	r.eventually(func() bool { _, told := r.value(signal.NIXLTransferCount); return !told }, "it is forgotten")
	after, err := os.Stat(filepath.Join(dir, "agent-0"))
	require.NoError(t, err)
	assert.True(t, os.SameFile(before, after))
	assert.Equal(t, before.Size(), after.Size())
}

// TestALiveProcessIsUpUntilItDies goes by /proc/<pid>/maps for rings and by the lock for stores.
func TestALiveProcessIsUpUntilItDies(t *testing.T) {
	for name, store := range map[string]bool{"ring": false, "store": true} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			p := start(t, order{Dir: dir, Agents: 2, Store: store, Transfers: 10, Rate: 10_000})
			p.begin()
			p.done()
			r := read(t, dir, map[string]any{"collection_interval": "100ms", "rescan_interval": "1s"})
			r.eventually(r.is(signal.NIXLAgentUp, 2), "up")
			r.eventually(r.is(signal.NIXLTransferCount, 20), "told")
			p.kill()
			r.eventually(r.is(signal.NIXLAgentUp, 0), "down")
			files, err := filepath.Glob(filepath.Join(dir, "*"))
			require.NoError(t, err)
			assert.Len(t, files, 2, strings.Join(files, " "))
		})
	}
}

// cpu is the processor time of this process.
func cpu(t testing.TB) time.Duration {
	var u syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// share measures what the receiver takes of one core over some seconds, with its default configuration.
func share(b *testing.B, during time.Duration) {
	before, began := cpu(b), time.Now()
	time.Sleep(during)
	b.ReportMetric(100*(cpu(b)-before).Seconds()/time.Since(began).Seconds(), "%core")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkReceiver tells shares of a core: of a bare ticker of 50 ms, which is what waking up costs on this machine; of a receiver that finds nothing, of one with 8 rings that get 20,000 events a second
// each, and of one with 1000 agents that do nothing.
func BenchmarkReceiver(b *testing.B) {
	const during = 10 * time.Second
	b.Run("bare ticker", func(b *testing.B) {
		ticker, done := time.NewTicker(50*time.Millisecond), make(chan struct{})
		defer ticker.Stop()
		defer close(done)
		go func() {
			for {
				select {
				case <-ticker.C:
				case <-done:
					return
				}
			}
		}()
		share(b, during)
	})
	b.Run("nothing", func(b *testing.B) {
		read(b, b.TempDir(), nil)
		share(b, during)
	})
	b.Run("8 rings of 20000 events a second", func(b *testing.B) {
		dir := b.TempDir()
		p := start(b, order{Dir: dir, Agents: 8, Transfers: 5000 * 12, Rate: 5000})
		read(b, dir, nil).deaf.Store(true)
		p.begin()
		share(b, during)
		counts := p.done()
		lost := counts.Lost + counts.StagingDropped
		b.ReportMetric(float64(lost), "lost")
		if lost > 0 {
			b.Errorf("no event may be lost (got %d)", lost)
		}
	})
	b.Run("1000 idle agents", func(b *testing.B) {
		dir := b.TempDir()
		start(b, order{Dir: dir, Agents: 1000})
		r := read(b, dir, nil)
		r.eventually(r.is(signal.NIXLAgentUp, 1000), "the agents are found")
		r.deaf.Store(true)
		share(b, during)
	})
}
