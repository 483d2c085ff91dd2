package derive

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-inference/otelcol-inference/internal/wall/walltest"
)

// doubler derives a metric from each batch that has one, and one from each sweep.
type doubler struct {
	refusal      error
	begun, ended int
	swept        atomic.Int64
}

func (d *doubler) Begin(context.Context, component.Host) error {
	d.begun++
	return d.refusal
}

func (d *doubler) End(context.Context) error {
	d.ended++
	return errors.New("not kept")
}

func (d *doubler) Derive(_ context.Context, md pmetric.Metrics) (pmetric.Metrics, bool) {
	if md.MetricCount() == 0 {
		return pmetric.Metrics{}, false
	}
	return named("derived"), true
}

func (d *doubler) Sweep(_ context.Context, _ time.Time, derived pmetric.Metrics) {
	d.swept.Add(1)
	named("swept").ResourceMetrics().MoveAndAppendTo(derived.ResourceMetrics())
}

func named(name string) pmetric.Metrics {
	md := pmetric.NewMetrics()
	md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetName(name)
	return md
}

// counter counts what was added.
type counter struct {
	noop.Int64Counter
	n int64
}

func (c *counter) Add(_ context.Context, n int64, _ ...metric.AddOption) { c.n += n }

// downstream takes what a processor sends, and refuses what is named so.
type downstream struct {
	names  []string
	refuse string
}

func (d *downstream) ConsumeMetrics(_ context.Context, md pmetric.Metrics) error {
	name := ""
	if md.MetricCount() > 0 {
		name = md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Name()
	}
	d.names = append(d.names, name)
	if d.refuse != "" && name == d.refuse {
		return errors.New("refused " + name)
	}
	return nil
}

func (d *downstream) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

type shut struct{ times int }

func (s *shut) Shutdown() { s.times++ }

func TestABatchThenWhatIsDerivedOfIt(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	next, failed := &downstream{}, &counter{}
	p := NewProcessor(Parts{Deriver: &doubler{}, Next: next, Clock: walltest.NewClock(time.Now()), Every: time.Second, Logger: zap.New(core),
		Failed: failed, Telemetry: &shut{}})
	assert.False(t, p.Capabilities().MutatesData)
	require.NoError(t, p.ConsumeMetrics(t.Context(), named("input")))
	require.NoError(t, p.ConsumeMetrics(t.Context(), pmetric.NewMetrics()))
	assert.Equal(t, []string{"input", "derived", ""}, next.names)

	next.names, next.refuse = nil, "derived"
	require.NoError(t, p.ConsumeMetrics(t.Context(), named("input")), "what is derived never fails the input")
	require.NoError(t, p.ConsumeMetrics(t.Context(), named("input")))
	next.refuse = "input"
	require.ErrorContains(t, p.ConsumeMetrics(t.Context(), named("input")), "refused input")
	assert.Equal(t, []string{"input", "derived", "input", "derived", "input", "derived"}, next.names)
	assert.Equal(t, int64(2), failed.n)
	require.Equal(t, 2, logs.Len(), "said when it changes")
	assert.Equal(t, "derived metrics are refused downstream", logs.All()[0].Message)
	assert.Equal(t, "derived metrics are accepted again", logs.All()[1].Message)
}

func TestFromStartToShutdown(t *testing.T) {
	d, next, tells, clock := &doubler{}, &downstream{}, &shut{}, walltest.NewClock(time.Now())
	p := NewProcessor(Parts{Deriver: d, Next: next, Clock: clock, Every: time.Second, Logger: zap.NewNop(), Failed: noop.Int64Counter{}, Telemetry: tells})
	require.NoError(t, p.Shutdown(t.Context()), "without Start")
	assert.Zero(t, d.ended)

	require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
	clock.Sweep()
	assert.Positive(t, d.swept.Load())
	require.ErrorContains(t, p.Shutdown(t.Context()), "not kept")
	require.NoError(t, p.Shutdown(t.Context()), "twice")
	assert.Equal(t, []string{"swept", "swept"}, next.names)
	assert.Equal(t, 1, d.begun)
	assert.Equal(t, 1, d.ended)
	assert.Equal(t, 3, tells.times)
}

func TestWhatCannotBeginDoesNotSweep(t *testing.T) {
	d := &doubler{refusal: errors.New("runs already")}
	p := NewProcessor(Parts{Deriver: d, Clock: walltest.NewClock(time.Now()), Every: time.Second, Telemetry: &shut{}})
	require.ErrorContains(t, p.Start(t.Context(), componenttest.NewNopHost()), "runs already")
	require.NoError(t, p.Shutdown(t.Context()))
	assert.Zero(t, d.ended)
}
