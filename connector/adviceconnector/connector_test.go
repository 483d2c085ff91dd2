package adviceconnector

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/connector/connectortest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/otelcol-inference/otelcol-inference/connector/adviceconnector/internal/metadatatest"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/snapshots/storagetest"
)

func TestOneAdviceIsToldOnceInBothOutputs(t *testing.T) {
	r := newRig(t)
	r.start(nop())
	r.windows(40, 2)
	names, records := r.events()
	assert.Equal(t, []string{"llm.advice.raised preemptions"}, names)

	event := records[0]
	assert.Equal(t, plog.SeverityNumberError, event.SeverityNumber(), "24 a minute")
	body := event.Body().Map().AsRaw()
	assert.Equal(t, "worker", body["subject"])
	assert.Equal(t, "--max-num-seqs 88", body["action"].(map[string]any)["change"])
	assert.Equal(t, "{preemption}/min", body["predicted"].(map[string]any)["unit"])
	assert.NotEmpty(t, body["evidence"])
	resource := r.logs.AllLogs()[len(r.logs.AllLogs())-1].ResourceLogs().At(0).Resource()
	port, ok := resource.Attributes().Get(signal.AttrServerPort)
	require.True(t, ok, "the subject's own resource")
	assert.Equal(t, int64(8000), port.Int())

	standing := 0
	eachGauge(r.metrics, func(rm pmetric.ResourceMetrics, m pmetric.Metric, dp pmetric.NumberDataPoint) {
		if m.Name() == signal.Advice {
			standing++
			assert.Equal(t, 1.0, dp.DoubleValue())
		}
	})
	assert.Greater(t, standing, 20, "at the end of every window")

	r.windows(30, 0)
	names, records = r.events()
	assert.Equal(t, []string{"llm.advice.raised preemptions", "llm.advice.cleared preemptions"}, names)
	reason, _ := records[1].Body().Map().Get("reason")
	assert.Equal(t, "condition_over", reason.Str())
	var last pmetric.NumberDataPoint
	eachGauge(r.metrics, func(_ pmetric.ResourceMetrics, m pmetric.Metric, dp pmetric.NumberDataPoint) {
		if m.Name() == signal.Advice {
			last = dp
		}
	})
	assert.True(t, last.Flags().NoRecordedValue())
}

func eachGauge(sink *consumertest.MetricsSink, visit func(pmetric.ResourceMetrics, pmetric.Metric, pmetric.NumberDataPoint)) {
	for _, md := range sink.AllMetrics() {
		for _, rm := range md.ResourceMetrics().All() {
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					for _, dp := range m.Gauge().DataPoints().All() {
						visit(rm, m, dp)
					}
				}
			}
		}
	}
}

// What is emitted is what the table declares: names, instrument, unit and attributes.
func TestEmittedMetricsAreTheVocabularys(t *testing.T) {
	r := newRig(t)
	r.cfg.CoolDown = 0
	r.start(nop())
	r.windows(40, 2)
	table := signal.Index(signal.AdviceMetrics())
	seen := map[string]bool{}
	eachGauge(r.metrics, func(_ pmetric.ResourceMetrics, m pmetric.Metric, dp pmetric.NumberDataPoint) {
		declared, ok := table[m.Name()]
		require.True(t, ok, m.Name())
		seen[m.Name()] = true
		assert.Equal(t, signal.Gauge, declared.Instrument)
		assert.Equal(t, declared.Unit, m.Unit())
		var names []string
		for name := range dp.Attributes().All() {
			names = append(names, name)
		}
		assert.ElementsMatch(t, declared.Attributes, names)
	})
	assert.True(t, seen[signal.Advice] && seen[signal.Verdict])
}

func TestAFleetHasAVerdict(t *testing.T) {
	r := newRig(t)
	r.start(nop())
	r.windows(5, 0)
	var code string
	eachGauge(r.metrics, func(rm pmetric.ResourceMetrics, m pmetric.Metric, dp pmetric.NumberDataPoint) {
		if m.Name() == signal.Verdict && !dp.Flags().NoRecordedValue() {
			v, _ := dp.Attributes().Get(signal.AttrVerdictCode)
			code = v.Str()
			assert.Equal(t, map[string]any{signal.AttrFleetName: "chat"}, rm.Resource().Attributes().AsRaw())
		}
	})
	assert.Equal(t, "prefill_bound", code, "requests wait, and there is room")
}

func TestARestartRaisesNothingTwice(t *testing.T) {
	id := component.MustNewID("file_storage")
	kept := storagetest.NewShelf(id)
	r := newRig(t)
	r.cfg.Storage = &id
	r.start(kept)
	r.windows(40, 2)
	r.stop()
	require.NotEmpty(t, kept.Values())
	r.start(kept)
	r.windows(40, 2)
	names, _ := r.events()
	assert.Equal(t, []string{"llm.advice.raised preemptions"}, names)
}

// TestACrashLosesAWindowAtMost: what was told is kept with the next sweep, one window later, and not only by an orderly end.
func TestACrashLosesAWindowAtMost(t *testing.T) {
	id := component.MustNewID("file_storage")
	kept := storagetest.NewShelf(id)
	r := newRig(t)
	r.cfg.Storage = &id
	r.start(kept)
	r.windows(40, 2)
	r.clock.Sweep()
	crashed := storagetest.NewShelf(id)
	for key, value := range kept.Values() {
		require.NoError(t, crashed.Set(context.Background(), key, value))
		require.NoError(t, kept.Delete(context.Background(), key))
	}
	require.NotEmpty(t, crashed.Values())
	r.clock.Sweep()
	assert.Empty(t, kept.Values(), "nothing is written while nothing changes")
	r.stop()
	names, _ := r.events()
	require.Equal(t, []string{"llm.advice.raised preemptions"}, names)

	r.start(crashed)
	r.windows(40, 2)
	names, _ = r.events()
	assert.Equal(t, []string{"llm.advice.raised preemptions"}, names)
}

func TestAStorageThatIsNoneIsAnError(t *testing.T) {
	id := component.MustNewID("file_storage")
	r := newRig(t)
	r.cfg.Storage = &id
	set := connectortest.NewNopSettings(r.factory.Type())
	c, err := r.factory.CreateMetricsToLogs(context.Background(), set, r.cfg, r.logs)
	require.NoError(t, err)
	assert.ErrorContains(t, c.Start(context.Background(), nop()), "storage must name an extension (got file_storage)")
	require.NoError(t, c.Shutdown(context.Background()))
}

func TestASilentWorkerIsSweptAndForgotten(t *testing.T) {
	r := newRig(t)
	r.start(nop())
	r.windows(40, 2)
	r.clock.Add(time.Minute)
	r.clock.Sweep()
	var last pmetric.NumberDataPoint
	eachGauge(r.metrics, func(_ pmetric.ResourceMetrics, m pmetric.Metric, dp pmetric.NumberDataPoint) {
		if m.Name() == signal.Advice {
			last = dp
		}
	})
	assert.True(t, last.Flags().NoRecordedValue())
	r.clock.Add(r.cfg.MaxStale)
	r.clock.Sweep()
	names, records := r.events()
	require.Len(t, names, 2)
	reason, _ := records[1].Body().Map().Get("reason")
	assert.Equal(t, "subject_gone", reason.Str())
}

func TestARefusalDownstreamFailsNothing(t *testing.T) {
	r := newRig(t)
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	set := metadatatest.NewSettings(tel)
	c, err := r.factory.CreateMetricsToMetrics(context.Background(), set, r.cfg, consumertest.NewErr(errors.New("full")))
	require.NoError(t, err)
	require.NoError(t, c.Start(context.Background(), nop()))
	r.instances = append(r.instances, c)
	r.windows(4, 2)
	got, err := tel.GetMetric("otelcol_connector_advice_failed")
	require.NoError(t, err)
	assert.NotNil(t, got)
	r.stop()
}

func TestLifecycleWithoutStart(t *testing.T) {
	r := newRig(t)
	set := connectortest.NewNopSettings(r.factory.Type())
	c, err := r.factory.CreateMetricsToLogs(context.Background(), set, r.cfg, r.logs)
	require.NoError(t, err)
	require.NoError(t, c.Shutdown(context.Background()))
	require.NoError(t, c.Shutdown(context.Background()))
	assert.False(t, c.Capabilities().MutatesData)
}

func TestPointsThatCannotBeTakenAreCounted(t *testing.T) {
	r := newRig(t)
	r.cfg.MaxSubjects = 1 // a fleet alone
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	c, err := r.factory.CreateMetricsToLogs(context.Background(), metadatatest.NewSettings(tel), r.cfg, r.logs)
	require.NoError(t, err)
	require.NoError(t, c.Start(context.Background(), nop()))
	r.instances = append(r.instances, c)
	r.windows(1, 0)
	far := r.batch()
	far.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().At(0).SetTimestamp(1 << 62)
	require.NoError(t, c.ConsumeMetrics(context.Background(), far))
	got, err := tel.GetMetric("otelcol_connector_advice_refused")
	require.NoError(t, err)
	assert.NotNil(t, got)
	r.stop()
}

func TestWhyThereIsNoAdviceIsCounted(t *testing.T) {
	r := newRig(t)
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	c, err := r.factory.CreateMetricsToLogs(context.Background(), metadatatest.NewSettings(tel), r.cfg, r.logs)
	require.NoError(t, err)
	require.NoError(t, c.Start(context.Background(), nop()))
	r.instances = append(r.instances, c)
	r.windows(4, 0)
	r.clock.Sweep()
	r.windows(2, 0)
	r.clock.Sweep()
	got, err := tel.GetMetric("otelcol_connector_advice_withheld")
	require.NoError(t, err)
	windows := map[string]int64{}
	for _, dp := range got.Data.(metricdata.Sum[int64]).DataPoints {
		rule, _ := dp.Attributes.Value("rule")
		reason, _ := dp.Attributes.Value("reason")
		windows[rule.AsString()+" "+reason.AsString()] = dp.Value
	}
	assert.Equal(t, int64(5), windows["prefill-bound less_than_a_minute"], "the first window is not complete before the second: %v", windows)
	r.stop()
}

func TestConfigNamesKeyBoundAndValue(t *testing.T) {
	for key, change := range map[string]func(*Config){
		"window must be between 100ms and 10m0s (got 0s)":         func(c *Config) { c.Window = 0 },
		"trailing_time must be between 5s and 10m0s (got 1h0m0s)": func(c *Config) { c.TrailingTime = time.Hour; c.VerifyAfter = time.Hour },
		"raise_after must be between 1 and 1000 (got 0)":          func(c *Config) { c.RaiseAfter = 0 },
		"verify_after must be between 1m0s and 24h0m0s (got 1s)":  func(c *Config) { c.VerifyAfter = time.Second },
		"max_stale must be between 15s and 24h0m0s (got 1s)":      func(c *Config) { c.MaxStale = time.Second },
		"max_subjects must be between 1 and 100000 (got 0)":       func(c *Config) { c.MaxSubjects = 0 },
		`(got "more-luck")`: func(c *Config) { c.Disabled = []string{"more-luck"} },
	} {
		cfg := createDefaultConfig().(*Config)
		require.NoError(t, cfg.Validate())
		change(cfg)
		assert.ErrorContains(t, cfg.Validate(), key)
	}
}

func TestADisabledRuleIsNotAsked(t *testing.T) {
	r := newRig(t)
	r.cfg.Disabled = []string{"preemptions"}
	r.start(nop())
	r.windows(40, 2)
	names, _ := r.events()
	assert.Empty(t, names)
}

// Batches of many workers may come at the same time, and sweeps between them.
func TestConcurrentBatches(t *testing.T) {
	r := newRig(t)
	r.start(nop())
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for scrape := range 20 {
				md := page(worker, r.clock.Now().Add(time.Duration(scrape)*5*time.Second), scrape)
				for _, i := range r.instances {
					assert.NoError(t, i.ConsumeMetrics(context.Background(), md))
				}
			}
		})
	}
	r.clock.Sweep()
	all.Wait()
	assert.NotEmpty(t, r.metrics.AllMetrics())
}
