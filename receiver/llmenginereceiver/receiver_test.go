package llmenginereceiver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

func failing() *http.HandlerFunc {
	return handler(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
}

// TestStatusOnChange: the status changes when the number of failing endpoints does, and at no other time.
func TestStatusOnChange(t *testing.T) {
	const bad, ok = componentstatus.StatusRecoverableError, componentstatus.StatusOK
	a, b := newEngine(t), newEngine(t)
	r := startRig(t, nil, nil, a.URL, b.URL)
	r.waitUp(a, 1)
	r.waitUp(b, 1)
	assert.Empty(t, r.host.all())
	a.metrics.Store(failing())
	r.waitUp(a, 0)
	assert.Equal(t, []componentstatus.Status{bad}, r.host.all(), "one of two")
	before := r.scrapes(outcomeHTTPStatus)
	r.until(func() bool { return r.scrapes(outcomeHTTPStatus) > before+5 }, "more failures")
	assert.Equal(t, []componentstatus.Status{bad}, r.host.all(), "said once")
	b.metrics.Store(failing())
	r.waitUp(b, 0)
	assert.Equal(t, []componentstatus.Status{bad, bad}, r.host.all(), "two of two")
	a.metrics.Store(answer(healthyPage))
	r.waitUp(a, 1)
	b.metrics.Store(answer(healthyPage))
	r.waitUp(b, 1)
	assert.Equal(t, []componentstatus.Status{bad, bad, bad, ok}, r.host.all())
}

// TestLogsOnChange: a target that goes up and down writes one line per quiet time, and no secret is in any.
func TestLogsOnChange(t *testing.T) {
	e := newEngine(t)
	e.metrics.Store(handler(reset))
	secret := strings.Replace(e.URL, "http://", "http://user:secret@", 1) + "/metrics?token=secret"
	r := startRig(t, nil, func(c *Config) {
		c.ClientConfig.Headers = configopaque.MapList{{Name: "Authorization", Value: "secret"}}
	}, secret)
	r.waitUp(e, 0)
	r.until(func() bool { return r.scrapes(outcomeConnection) >= 20 }, "twenty failures")
	assert.Equal(t, 1, r.logs.FilterMessage("The engine cannot be scraped").Len())
	e.metrics.Store(answer(healthyPage))
	r.until(func() bool { return r.logs.FilterMessage("The engine answers again").Len() == 1 }, "recovery is logged")
	for _, line := range r.logs.All() {
		assert.NotContains(t, fmt.Sprint(line.Message, line.ContextMap()), "secret")
	}
}

// TestAPageOfSomethingElseIsSaid once: the port is wrong, or the engine has not served a request yet.
func TestAPageOfSomethingElseIsSaid(t *testing.T) {
	const line = "The page has no metrics of an engine that this version knows"
	e, other := newEngine(t), newEngine(t)
	other.metrics.Store(answer("node_cpu_seconds_total 5\n"))
	r := startRig(t, nil, nil, e.URL, other.URL)
	r.until(func() bool { return r.scrapes(outcomeSuccess) >= 10 }, "scrapes")
	assert.Equal(t, 1, r.logs.FilterMessage(line).Len())
	assert.Equal(t, 1, r.logs.FilterMessage(line).FilterField(zap.String("endpoint", instance(other))).Len())
}

func TestFlappingIsNotLogged(t *testing.T) {
	var n atomic.Int32
	e := newEngine(t)
	e.metrics.Store(handler(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1)%2 == 0 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = w.Write([]byte(healthyPage))
	}))
	r := startRig(t, nil, nil, e.URL)
	require.Eventually(t, func() bool { r.clock.tick(time.Second); return r.scrapes(outcomeHTTPStatus) >= 10 }, patience, time.Millisecond)
	lines := r.logs.FilterMessage("The engine cannot be scraped").Len() + r.logs.FilterMessage("The engine answers again").Len()
	elapsed := r.clock.Now().Sub(newHandClock().now)
	assert.LessOrEqual(t, lines, 1+int(elapsed/quiet))
}

// TestVersion: asked for once, beside the scrapes, and again when the engine comes back.
func TestVersion(t *testing.T) {
	e := newEngine(t)
	r := startRig(t, nil, nil, e.URL)
	version := func() string {
		m, ok := r.find(signal.EngineInfo)
		if !ok {
			return ""
		}
		v, _ := m.Gauge().DataPoints().At(0).Attributes().Get(signal.AttrEngineVersion)
		return v.Str()
	}
	r.until(func() bool { return version() == "0.32.0" }, "the version")
	_, before := r.last(instance(e))
	r.until(func() bool { _, n := r.last(instance(e)); return n > before+5 }, "more scrapes")
	assert.Equal(t, int32(1), e.versions.Load())

	e.metrics.Store(failing())
	r.waitUp(e, 0)
	e.version.Store(answer(`{"version":"0.33.0"}`))
	e.metrics.Store(answer(healthyPage))
	r.until(func() bool { return version() == "0.33.0" }, "the new version")
	assert.Equal(t, int32(2), e.versions.Load())
}

func TestVersionNeverBlocks(t *testing.T) {
	for name, handle := range map[string]*http.HandlerFunc{
		"silent":     handler(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }),
		"absent":     handler(http.NotFound),
		"reset":      handler(reset),
		"not JSON":   answer("hello"),
		"very large": answer(`{"version":"` + strings.Repeat("9", 2*maxAboutBytes) + `"}`),
	} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t)
			e.version.Store(handle)
			r := startRig(t, nil, func(c *Config) { c.ClientConfig.Timeout = time.Hour }, e.URL)
			r.until(func() bool { _, n := r.last(instance(e)); return n >= 20 }, "twenty scrapes")
			if name != "reset" { // the client itself repeats a request when a connection that it kept turns out closed
				assert.LessOrEqual(t, e.versions.Load(), int32(maxAboutAttempts))
			}
			m, ok := r.find(signal.EngineInfo)
			require.True(t, ok)
			_, known := m.Gauge().DataPoints().At(0).Attributes().Get(signal.AttrEngineVersion)
			assert.False(t, known)
		})
	}
}

// refusing is a pipeline that takes nothing.
type refusing struct{ consumertest.MetricsSink }

func (*refusing) ConsumeMetrics(context.Context, pmetric.Metrics) error { return errors.New("full") }

func TestRefusedPointsAreDropped(t *testing.T) {
	e := newEngine(t)
	r := startRig(t, &refusing{}, nil, e.URL)
	r.until(func() bool { return r.scrapes(outcomeSuccess) >= 10 }, "it goes on")
	assert.Equal(t, 1, r.logs.FilterMessage("The pipeline refuses the points of an engine").Len())
	_, err := r.telemetry.GetMetric("otelcol_receiver_refused_metric_points")
	assert.NoError(t, err)
}

// Receivers that discovery starts and stops share an instrument: what one that is gone remembered must not stay in it.
func TestSeriesOfAReceiverThatStopsAreNotCounted(t *testing.T) {
	e := newEngine(t)
	r := startRig(t, nil, nil, e.URL)
	const name = "otelcol_receiver_llm_engine_series"
	count := func() int64 {
		m, err := r.telemetry.GetMetric(name)
		if err != nil {
			return 0
		}
		return m.Data.(metricdata.Sum[int64]).DataPoints[0].Value
	}
	r.until(func() bool { return count() > 0 }, "series")
	require.NoError(t, r.receiver.Shutdown(context.Background()))
	assert.Zero(t, count())
}

// Targets of several receivers begin at the same few moments, none of them before its turn.
func TestScrapesOfAHostBeginAtCommonMoments(t *testing.T) {
	interval := time.Second
	began := time.Date(2026, 1, 2, 3, 4, 5, 123_456_789, time.UTC)
	moments := map[time.Time]int{}
	for receiver := range 7 { // each started a little later than the one before
		now := began.Add(time.Duration(receiver) * 1_234_567 * time.Nanosecond)
		for i := range 200 {
			delay := phase(i, 200, interval)
			lengthened := untilCommon(now, delay, interval)
			assert.GreaterOrEqual(t, lengthened, delay)
			assert.Less(t, lengthened, delay+interval/commonMoments)
			moments[now.Add(lengthened).Truncate(0)]++
		}
	}
	assert.Len(t, moments, commonMoments+1) // the first of the second interval, too
	for at, n := range moments {
		assert.Equal(t, at.Truncate(interval/commonMoments), at)
		assert.LessOrEqual(t, n, 7*200/commonMoments)
	}
	assert.Equal(t, time.Duration(0), untilCommon(began, 0, 1))
	assert.Equal(t, interval, untilCommon(began.Truncate(interval), interval, interval))
}

// TestPhases: targets are spread over the interval, the same way each time.
func TestPhases(t *testing.T) {
	assert.Equal(t, time.Duration(0), phase(0, 1, 5*time.Second))
	assert.Equal(t, []time.Duration{0, time.Second, 2 * time.Second, 3 * time.Second, 4 * time.Second}, []time.Duration{
		phase(0, 5, 5*time.Second), phase(1, 5, 5*time.Second), phase(2, 5, 5*time.Second), phase(3, 5, 5*time.Second), phase(4, 5, 5*time.Second),
	})
	a, b := newEngine(t), newEngine(t)
	r := startRig(t, nil, func(c *Config) { c.Scrape.InitialDelay = time.Minute }, a.URL, b.URL)
	r.waitUp(b, 1)
	r.waitUp(a, 1)
	r.clock.mu.Lock()
	defer r.clock.mu.Unlock()
	assert.ElementsMatch(t, []time.Duration{time.Minute, time.Minute + patience/2}, r.clock.delays)
}

// TestTelemetry counts bytes, series, drift, broken lines and dropped points.
func TestTelemetry(t *testing.T) {
	e := newEngine(t)
	page := healthyPage + "broken {\nvllm:num_preemptions_total{engine=\"0\",model_name=\"m\"} NaN\nvllm:whatever 1\n"
	e.metrics.Store(answer(page))
	r := startRig(t, nil, nil, e.URL)
	r.waitUp(e, 1)
	for _, name := range []string{"body_size", "broken_lines", "points_dropped", "scrape_duration", "series", "scrapes"} {
		_, err := r.telemetry.GetMetric("otelcol_receiver_llm_engine_" + name)
		assert.NoError(t, err, name)
	}
	drift := r.logs.FilterMessage("The engine has metrics that this version does not know")
	require.Equal(t, 1, drift.Len())
	assert.Equal(t, []any{"vllm:whatever"}, drift.All()[0].ContextMap()["families"])
	assert.Equal(t, 1, r.logs.FilterMessage("Lines of the page cannot be parsed").Len())
}

func TestStartFails(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.ClientConfig.Endpoint = "localhost:8000"
	cfg.ClientConfig.TLS.CAFile = "testdata/absent.pem"
	r := startableReceiver(t, cfg)
	assert.ErrorContains(t, r.Start(context.Background(), &statusHost{Host: componenttest.NewNopHost()}), "absent.pem")
	assert.NoError(t, r.Shutdown(context.Background()))
	assert.NoError(t, r.Shutdown(context.Background()), "twice")
}

// TestUpEndsWithTheReceiver: whoever keeps the last point of an engine that is asked no more, must not take it for up.
// A receiver that receiver_creator takes down leaves no error behind in the status that it shared.
func TestStatusEndsWithTheReceiver(t *testing.T) {
	e := newEngine(t)
	r := startRig(t, nil, nil, e.URL)
	r.waitUp(e, 1)
	e.metrics.Store(failing())
	r.waitUp(e, 0)
	require.NoError(t, r.receiver.Shutdown(context.Background()))
	assert.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError, componentstatus.StatusOK}, r.host.all())
}

func TestUpEndsWithTheReceiver(t *testing.T) {
	e := newEngine(t)
	r := startRig(t, nil, nil, e.URL)
	r.waitUp(e, 1)
	require.NoError(t, r.receiver.Shutdown(context.Background()))
	batches := r.sink.AllMetrics()
	last := batches[len(batches)-1]
	require.Equal(t, 1, last.DataPointCount())
	rm := last.ResourceMetrics().At(0)
	up := rm.ScopeMetrics().At(0).Metrics().At(0)
	assert.Equal(t, signal.Up, up.Name())
	assert.True(t, up.Gauge().DataPoints().At(0).Flags().NoRecordedValue())
	assert.Equal(t, batches[0].ResourceMetrics().At(0).Resource().Attributes().AsRaw(), rm.Resource().Attributes().AsRaw())
}
