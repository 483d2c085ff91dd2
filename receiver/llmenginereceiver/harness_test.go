package llmenginereceiver

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver/internal/metadata"
)

const healthyPage = `# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 3
# TYPE vllm:generation_tokens_total counter
vllm:generation_tokens_total{engine="0",model_name="m"} 50
`

// patience bounds how long a test waits for something that must happen.
const patience = 10 * time.Second

// handClock is moved by the test: first scrapes begin at once, further ones when the test ticks.
type handClock struct {
	mu     sync.Mutex
	now    time.Time
	ticks  []chan time.Time
	delays []time.Duration
}

func newHandClock() *handClock { return &handClock{now: time.Unix(1_700_000_000, 0)} }

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) After(d time.Duration) (<-chan time.Time, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.delays = append(c.delays, d)
	fired := make(chan time.Time, 1)
	fired <- c.now
	return fired, func() {}
}

func (c *handClock) Ticks(time.Duration) (<-chan time.Time, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	tick := make(chan time.Time, 1)
	c.ticks = append(c.ticks, tick)
	return tick, func() {}
}

// tick lets every target that is not busy scrape once more, d later.
func (c *handClock) tick(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	for _, tick := range c.ticks {
		select {
		case tick <- c.now:
		default:
		}
	}
}

// engine is a server whose behaviour the test changes.
type engine struct {
	*httptest.Server
	metrics  atomic.Pointer[http.HandlerFunc]
	version  atomic.Pointer[http.HandlerFunc]
	versions atomic.Int32
}

func newEngine(t *testing.T) *engine {
	e := &engine{}
	e.metrics.Store(answer(healthyPage))
	e.version.Store(answer(`{"version":"0.32.0"}`))
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/version" {
			e.versions.Add(1)
			(*e.version.Load())(w, r)
			return
		}
		(*e.metrics.Load())(w, r)
	}))
	t.Cleanup(e.Close)
	return e
}

func answer(body string) *http.HandlerFunc {
	return handler(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write([]byte(body))
	})
}

func handler(f http.HandlerFunc) *http.HandlerFunc { return &f }

// rig is a running receiver and everything that it touches.
type rig struct {
	t         *testing.T
	clock     *handClock
	sink      *consumertest.MetricsSink
	logs      *observer.ObservedLogs
	telemetry *componenttest.Telemetry
	host      *statusHost
	receiver  receiver.Metrics
	set       receiver.Settings
}

// startRig runs a receiver of these endpoints until the test ends.
func startRig(t *testing.T, next consumer.Metrics, change func(*Config), endpoints ...string) *rig {
	t.Helper()
	return startRigWith(t, newShared(), next, change, endpoints...)
}

// startRigWith does so with what it shares with other receivers.
func startRigWith(t *testing.T, common shared, next consumer.Metrics, change func(*Config), endpoints ...string) *rig {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	r := &rig{
		t: t, clock: newHandClock(), sink: new(consumertest.MetricsSink), logs: logs, telemetry: componenttest.NewTelemetry(),
		host: &statusHost{Host: componenttest.NewNopHost()},
	}
	cfg := createDefaultConfig().(*Config)
	for _, e := range endpoints {
		cfg.Scrape.Endpoints = append(cfg.Scrape.Endpoints, EndpointConfig{Endpoint: e})
	}
	cfg.ClientConfig.Timeout = patience
	cfg.Scrape.ProcPath = "" // the test's own processes are no engine's
	if change != nil {
		change(cfg)
	}
	// The hand ticks; the interval only has to be no shorter than a timeout that slow machines do not reach.
	cfg.Scrape.CollectionInterval = max(cfg.Scrape.CollectionInterval, cfg.ClientConfig.Timeout)
	require.NoError(t, cfg.Validate())
	set := receivertest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = r.telemetry.NewTelemetrySettings()
	set.Logger = zap.New(core)
	r.set = set
	if next == nil {
		next = r.sink
	}
	made, err := newReceiver(set, cfg, next, r.clock, common)
	require.NoError(t, err)
	r.receiver = made
	require.NoError(t, made.Start(context.Background(), r.host))
	t.Cleanup(func() {
		require.NoError(t, made.Shutdown(context.Background()))
		require.NoError(t, r.telemetry.Shutdown(context.Background()))
	})
	return r
}

// until ticks until done.
func (r *rig) until(done func() bool, why string) {
	r.t.Helper()
	require.Eventually(r.t, func() bool {
		if done() {
			return true
		}
		r.clock.tick(5 * time.Second)
		return done()
	}, patience, time.Millisecond, why)
}

// last returns the newest value of up of an instance, and how many there were; -1 when there is none.
func (r *rig) last(instance string) (up float64, n int) {
	up = -1
	for _, md := range r.sink.AllMetrics() {
		for _, rm := range md.ResourceMetrics().All() {
			if id, _ := rm.Resource().Attributes().Get(signal.AttrServiceInstanceID); id.Str() != instance {
				continue
			}
			for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
				if m.Name() == signal.Up {
					up = m.Gauge().DataPoints().At(0).DoubleValue()
					n++
				}
			}
		}
	}
	return up, n
}

func (r *rig) waitUp(e *engine, want float64) {
	r.t.Helper()
	r.until(func() bool { up, _ := r.last(instance(e)); return up == want }, instance(e))
}

func instance(e *engine) string { return e.Listener.Addr().String() }

// scrapes returns how many scrapes ended so.
func (r *rig) scrapes(how outcome) (n int64) {
	m, err := r.telemetry.GetMetric("otelcol_receiver_llm_engine_scrapes")
	if err != nil {
		return 0 // not one yet
	}
	for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
		if v, _ := p.Attributes.Value("outcome"); v.AsString() == string(how) {
			n += p.Value
		}
	}
	return n
}

// statusHost keeps the statuses that a component reports.
type statusHost struct {
	component.Host
	mu     sync.Mutex
	events []componentstatus.Status
	last   error
}

func (h *statusHost) Report(e *componentstatus.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events, h.last = append(h.events, e.Status()), e.Err()
}

func (h *statusHost) all() []componentstatus.Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]componentstatus.Status(nil), h.events...)
}

// find returns the newest metric of a name.
func (r *rig) find(name string) (pmetric.Metric, bool) {
	all := r.sink.AllMetrics()
	for i := len(all) - 1; i >= 0; i-- {
		for _, rm := range all[i].ResourceMetrics().All() {
			for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
				if m.Name() == name {
					return m, true
				}
			}
		}
	}
	return pmetric.Metric{}, false
}

// startableReceiver makes a receiver that the test starts itself.
func startableReceiver(t *testing.T, cfg *Config) *engineReceiver {
	t.Helper()
	r, err := newReceiver(receivertest.NewNopSettings(metadata.Type), cfg, consumertest.NewNop(), newHandClock(), newShared())
	require.NoError(t, err)
	return r
}

// startShared starts a receiver that shares its fleets with others.
func startShared(t *testing.T, cfg *Config, next consumer.Metrics, c clock, common shared) *engineReceiver {
	t.Helper()
	return startUnder(t, componenttest.NewNopHost(), cfg, next, c, common)
}

// startUnder starts one that shares its host, too.
func startUnder(t *testing.T, host component.Host, cfg *Config, next consumer.Metrics, c clock, common shared) *engineReceiver {
	t.Helper()
	require.NoError(t, cfg.Validate())
	r, err := newReceiver(receivertest.NewNopSettings(metadata.Type), cfg, next, c, common)
	require.NoError(t, err)
	require.NoError(t, r.Start(context.Background(), host))
	return r
}
