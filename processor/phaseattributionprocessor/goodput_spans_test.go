package phaseattributionprocessor

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-inference/otelcol-inference/internal/objectives"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

func TestSpansTellGoodputExactly(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.Objectives = objectives.Config{{TTFT: objectives.Bound{Quantile: 0.9, Max: time.Second}, ITL: objectives.Bound{Quantile: 0.9, Max: 50 * time.Millisecond}}}
	metrics, traces := new(consumertest.MetricsSink), new(consumertest.TracesSink)
	p, c := newTestProcessor(t, cfg, metrics)
	refuse := true
	next, err := consumer.NewTraces(func(ctx context.Context, td ptrace.Traces) error {
		if refuse {
			return errors.New("full")
		}
		return traces.ConsumeTraces(ctx, td)
	})
	require.NoError(t, err)
	s := newTestTraces(t, p.registry, next)
	e := newEngine("a:8000", spanTime)
	counted := uint64(0)
	for i := range 40 {
		play(t, p, c, 1, 5*time.Second, e)
		var total uint64
		for _, n := range e.histograms[signal.TPOT].counts {
			total += n
		}
		var spans []spanOf
		for n := counted; n < total; n++ {
			one := aSpan()
			one.end = e.now - 2*second
			one.prefill, one.queue, one.decode, one.output = 0.3, 0.1, 0.6, 21 // 30 ms a token: met
			if n%4 == 0 {
				one.decode = 2 // 100 ms a token
			}
			spans = append(spans, one)
		}
		counted = total
		refuse = true
		require.Error(t, s.ConsumeTraces(context.Background(), tracesOf(spans...)), i)
		refuse = false
		require.NoError(t, s.ConsumeTraces(context.Background(), tracesOf(spans...)))
	}
	bounds := map[string]float64{}
	for _, bound := range []string{signal.BoundLow, signal.BoundMid, signal.BoundHigh} {
		dp, ok := last(metrics, signal.Goodput, signal.AttrBound, bound)
		require.True(t, ok)
		bounds[bound] = dp.DoubleValue()
	}
	rate := bounds[signal.BoundMid] / 0.75
	assert.InEpsilon(t, float64(counted)/200, rate, 0.25, "the trailing minute of a rate that swings")
	assert.InDelta(t, 0, (bounds[signal.BoundHigh]-bounds[signal.BoundLow])/rate, 0.08, "bounds are one but for edges of windows")
	confidence, ok := last(metrics, signal.EstimateConfidence, signal.AttrEstimate, signal.EstimateGoodput)
	require.True(t, ok)
	method, _ := confidence.Attributes().Get(signal.AttrEstimateMethod)
	assert.Equal(t, methodSpans, method.Str())
	assert.Greater(t, confidence.DoubleValue(), 0.7)
}

// A span of a wrong clock neither stops the collector nor takes the place of those to come.
func TestSpansOfImpossibleTimesDoNoHarm(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	l := newSpanLedger(cfg)
	width := int64(cfg.Window)
	now := int64(1_700_000_000) * second
	now -= now % width
	for _, end := range []uint64{0, 1, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64} {
		l.add(pcommon.Timestamp(end), nil, true, true)
	}
	for i := range int64(len(l.cells)) { // a year ahead, in every cell
		l.add(pcommon.Timestamp(now+365*24*3600*second+i*width), nil, true, true)
	}
	judged, _ := l.between(now-width, now)
	assert.Zero(t, judged)
	l.add(pcommon.Timestamp(now+1), nil, true, true)
	judged, met := l.between(now, now+width)
	assert.InDelta(t, 1, judged, 0)
	assert.InDelta(t, 1, met, 0)
}

func latencyCounts(sink *consumertest.MetricsSink) map[string]uint64 {
	got := map[string]uint64{}
	for _, md := range sink.AllMetrics() {
		for _, rm := range md.ResourceMetrics().All() {
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					if m.Name() != signal.PhaseLatency {
						continue
					}
					for _, dp := range m.Histogram().DataPoints().All() {
						phase, _ := dp.Attributes().Get(signal.AttrPhase)
						got[phase.Str()] = dp.Count()
					}
				}
			}
		}
	}
	return got
}

func TestLatencyComesFromSpansWhereThePageDoesNotTell(t *testing.T) {
	for _, told := range []bool{true, false} {
		metrics, traces := new(consumertest.MetricsSink), new(consumertest.TracesSink)
		p, c := newTestProcessor(t, createDefaultConfig().(*Config), metrics)
		s := newTestTraces(t, p.registry, traces)
		e := newEngine("a:8000", spanTime)
		e.silentQueue = !told
		play(t, p, c, 3, 5*time.Second, e)
		one := aSpan()
		one.end = e.now
		require.NoError(t, s.ConsumeTraces(context.Background(), tracesOf(one, one, one)))
		play(t, p, c, 10, 5*time.Second, e)
		got := latencyCounts(metrics)
		assert.Greater(t, got[signal.PhasePrefill], uint64(10), "the page's, which has more than three")
		if told {
			assert.Greater(t, got[signal.PhaseQueue], uint64(10))
		} else {
			assert.Equal(t, uint64(3), got[signal.PhaseQueue])
		}
	}
}
