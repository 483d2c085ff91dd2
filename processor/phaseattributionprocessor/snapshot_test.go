package phaseattributionprocessor

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/snapshots/storagetest"
	"github.com/otelcol-inference/otelcol-inference/internal/wall/walltest"
	"github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor/internal/metadata"
)

// life is one of the collector.
type life struct {
	p    *phaseAttribution
	c    *walltest.Clock
	sink *consumertest.MetricsSink
	logs *observer.ObservedLogs
}

func begin(t *testing.T, kept *storagetest.Shelf, cfg *Config, at time.Time) life {
	t.Helper()
	id := component.MustNewID("cupboard")
	cfg.Storage = &id
	core, logs := observer.New(zap.InfoLevel)
	set := processortest.NewNopSettings(metadata.Type)
	set.Logger = zap.New(core)
	l := life{c: newHandClock(), sink: new(consumertest.MetricsSink), logs: logs}
	l.c.Set(at)
	var err error
	l.p, err = newProcessor(set, cfg, l.sink, newRegistry(), l.c)
	require.NoError(t, err)
	require.NoError(t, l.p.Start(t.Context(), kept))
	t.Cleanup(func() { require.NoError(t, l.p.Shutdown(context.Background())) })
	return l
}

func TestARestartKeepsTheFitAndBeginsTheSumsAnew(t *testing.T) {
	for method, deployments := range map[string][]DeploymentRule{
		serving.MethodStepRegression: nil,
		serving.MethodRoofline:       {{Model: "llama-3-70b", GPU: "h200", TensorParallel: 4}},
	} {
		t.Run(method, func(t *testing.T) {
			kept := storagetest.NewShelf(component.MustNewID("cupboard"))
			cfg := createDefaultConfig().(*Config)
			cfg.Deployments = deployments
			first := begin(t, kept, cfg, time.Unix(1_800_000_000, 0))
			e := newEngine("a:1", 1_800_000_000*second)
			play(t, first.p, first.c, 60, 5*time.Second, e)
			require.Equal(t, method, confidenceMethod(first.sink))
			require.NoError(t, first.p.Shutdown(t.Context()))
			require.Len(t, kept.Values(), 2, "a worker and the index")

			second := begin(t, kept, cfg, first.c.Now())
			play(t, second.p, second.c, 3, 5*time.Second, e)
			require.Equal(t, method, confidenceMethod(second.sink), "it need not warm up")
			old, _ := last(first.sink, signal.PhaseWorkerTime, signal.AttrPhase, signal.PhasePrefill)
			now, _ := last(second.sink, signal.PhaseWorkerTime, signal.AttrPhase, signal.PhasePrefill)
			assert.Greater(t, now.StartTimestamp(), old.StartTimestamp())
			var total float64
			for _, phase := range phaseOrder() {
				total += value(t, second.sink, signal.PhaseWorkerTime, phase)
			}
			assert.InDelta(t, now.Timestamp().AsTime().Sub(now.StartTimestamp().AsTime()).Seconds(), total, 1e-6)
		})
	}
}

func TestAllThatWasLearntComesBack(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.GPUs = []GPURule{{IDs: []string{"GPU-0"}}}
	cfg.Deployments = []DeploymentRule{{Model: "llama-3-70b", GPU: "h200", TensorParallel: 4}}
	p, c := newTestProcessor(t, cfg, new(consumertest.MetricsSink))
	playGPUs(t, p, c, 60, newEngine("a:1", 1_800_000_000*second), "GPU-0")
	one := p.workers.All()
	require.Len(t, one, 1)
	for id, w := range one {
		text, err := w.snapshot()
		require.NoError(t, err)
		assert.Less(t, len(text), 16<<10, "bounded")
		again := newWorker(cfg, p.table, p.inputs, &p.book, p.hooks(t.Context(), id), w.resource)
		require.NoError(t, again.restore(text))
		written, err := again.snapshot()
		require.NoError(t, err)
		// The count of windows behind the roofline's constants is not kept.
		cut := func(b []byte) string { return strings.Split(string(b), `"Windows"`)[0] }
		assert.Equal(t, cut(text), cut(written))

		for _, damaged := range []string{"{", `{"Steps":null}`, `{"Steps":{"Fit":{"A":[1],"Q":[1]}}}`, `{"Pricers":[[{"Fit":null}]]}`} {
			fresh := newWorker(cfg, p.table, p.inputs, &p.book, p.hooks(t.Context(), id), w.resource)
			require.Error(t, fresh.restore([]byte(damaged)), damaged)
			require.NotNil(t, fresh.tiers.steps)
		}
	}
}

func TestAnotherSchemaIsDroppedWithOneLine(t *testing.T) {
	kept := storagetest.NewShelf(component.MustNewID("cupboard"))
	first := begin(t, kept, createDefaultConfig().(*Config), time.Unix(1_800_000_000, 0))
	a, b := newEngine("a:1", 1_800_000_000*second), newEngine("b:1", 1_800_000_000*second)
	play(t, first.p, first.c, 40, 5*time.Second, a, b)
	require.NoError(t, first.p.Shutdown(t.Context()))
	for key, text := range kept.Values() {
		require.NoError(t, kept.Set(t.Context(), key, []byte(strings.Replace(string(text), fmt.Sprintf(`"Schema":%d`, schema), `"Schema":0`, 1))))
	}
	second := begin(t, kept, createDefaultConfig().(*Config), first.c.Now())
	play(t, second.p, second.c, 3, 5*time.Second, a, b)
	assert.Empty(t, confidenceMethod(second.sink), "it warms up")
	assert.Equal(t, 1, second.logs.FilterMessageSnippet("dropped").Len())
}

func TestStorageMustBeAStorageExtension(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	id := component.MustNewID("nothing")
	cfg.Storage = &id
	p, err := newProcessor(processortest.NewNopSettings(metadata.Type), cfg, consumertest.NewNop(), newRegistry(), newHandClock())
	require.NoError(t, err)
	require.ErrorContains(t, p.Start(t.Context(), componenttest.NewNopHost()), "storage must name an extension (got nothing)")
	require.NoError(t, p.Shutdown(t.Context()))
}
