package phaseattributionprocessor

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// stamp sets the time of every point.
func stamp(md pmetric.Metrics, at pcommon.Timestamp) {
	for _, m := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		bump(m, int64(at))
	}
}

func TestOneBatchWithAWildTimeHarmsNothing(t *testing.T) {
	for name, at := range map[string]pcommon.Timestamp{
		"unset":         0,
		"a year ahead":  pcommon.NewTimestampFromTime(time.Unix(1_830_000_000, 0)),
		"the end of it": 1<<63 - 1,
		"before 1970":   1 << 63,
	} {
		t.Run(name, func(t *testing.T) {
			sink := new(consumertest.MetricsSink)
			p, c := newTestProcessor(t, createDefaultConfig().(*Config), sink)
			e := newEngine("a", 1_799_999_000*second)
			play(t, p, c, 20, 5*time.Second, e)
			wild := e.page()
			stamp(wild, at)
			require.NoError(t, p.ConsumeMetrics(context.Background(), wild))
			play(t, p, c, 40, 5*time.Second, e)

			dp, _ := last(sink, signal.PhaseWorkerTime, signal.AttrPhase, signal.PhaseIdle)
			assert.InDelta(t, 300, float64(dp.Timestamp()-dp.StartTimestamp())/1e9, 20)
			assert.Less(t, seconds(t, sink, signal.PhaseUnattributed), 80.0)
			assert.Greater(t, seconds(t, sink, signal.PhasePrefill), 20.0, "the points after it are not late")
		})
	}
}

// Deltas give what cumulative values give, whether or not they say since when.
func TestDeltasNeedNotSaySinceWhen(t *testing.T) {
	for name, withStart := range map[string]bool{"with start": true, "without start": false} {
		t.Run(name, func(t *testing.T) {
			deltas, sums := new(consumertest.MetricsSink), new(consumertest.MetricsSink)
			p, c := newTestProcessor(t, createDefaultConfig().(*Config), deltas)
			q, d := newTestProcessor(t, createDefaultConfig().(*Config), sums)
			e := newEngine("a", 1_799_999_000*second)
			e.advance(e.now + 10*second) // every counter is on the page
			before := e.page()
			require.NoError(t, q.ConsumeMetrics(context.Background(), e.page()))
			for range 100 {
				c.Add(5 * time.Second)
				d.Add(5 * time.Second)
				e.advance(e.now - e.now%(5*second) + 5*second)
				now := e.page()
				require.NoError(t, p.ConsumeMetrics(context.Background(), difference(now, before, withStart)))
				require.NoError(t, q.ConsumeMetrics(context.Background(), e.page()))
				before = now
			}
			for _, phase := range []string{signal.PhasePrefill, signal.PhaseDecode} {
				assert.InEpsilon(t, seconds(t, sums, phase), seconds(t, deltas, phase), 0.03, phase)
			}
			assert.InDelta(t, seconds(t, sums, signal.PhaseIdle), seconds(t, deltas, signal.PhaseIdle), 5)
		})
	}
}

// difference turns two cumulative pages into a delta page.
func difference(now, before pmetric.Metrics, withStart bool) pmetric.Metrics {
	old := map[string]pmetric.Metric{}
	name := func(m pmetric.Metric) string {
		if m.Type() == pmetric.MetricTypeHistogram {
			phase, _ := m.Histogram().DataPoints().At(0).Attributes().Get(signal.AttrPhase)
			return m.Name() + phase.Str()
		}
		return m.Name()
	}
	for _, m := range before.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		old[name(m)] = m
	}
	out := pmetric.NewMetrics()
	now.CopyTo(out)
	for _, m := range out.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		switch m.Type() {
		case pmetric.MetricTypeSum:
			m.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
			dp, was := m.Sum().DataPoints().At(0), old[name(m)]
			dp.SetDoubleValue(dp.DoubleValue() - was.Sum().DataPoints().At(0).DoubleValue())
			setStart(dp, was.Sum().DataPoints().At(0).Timestamp(), withStart)
		case pmetric.MetricTypeHistogram:
			m.Histogram().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
			dp, was := m.Histogram().DataPoints().At(0), old[name(m)].Histogram().DataPoints().At(0)
			for i := range dp.BucketCounts().Len() {
				dp.BucketCounts().SetAt(i, dp.BucketCounts().At(i)-was.BucketCounts().At(i))
			}
			dp.SetCount(dp.Count() - was.Count())
			dp.SetSum(dp.Sum() - was.Sum())
			setStart(dp, was.Timestamp(), withStart)
		}
	}
	return out
}

func setStart(dp interface{ SetStartTimestamp(pcommon.Timestamp) }, at pcommon.Timestamp, known bool) {
	if !known {
		at = 0
	}
	dp.SetStartTimestamp(at)
}

func TestPointsThatDifferInUnknownAttributesAddUp(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, createDefaultConfig().(*Config), sink)
	whole := new(consumertest.MetricsSink)
	q, d := newTestProcessor(t, createDefaultConfig().(*Config), whole)
	e := newEngine("a", 1_799_999_000*second)
	for range 60 {
		c.Add(5 * time.Second)
		d.Add(5 * time.Second)
		e.advance(e.now - e.now%(5*second) + 5*second)
		require.NoError(t, q.ConsumeMetrics(context.Background(), e.page()))
		md := e.page()
		for _, m := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
			if m.Type() != pmetric.MetricTypeSum {
				continue
			}
			one := m.Sum().DataPoints().At(0)
			other := m.Sum().DataPoints().AppendEmpty()
			one.CopyTo(other)
			other.Attributes().PutStr("lora", "x")
			other.SetDoubleValue(one.DoubleValue() / 4)
			one.SetDoubleValue(one.DoubleValue() * 3 / 4)
		}
		require.NoError(t, p.ConsumeMetrics(context.Background(), md))
	}
	assert.InEpsilon(t, seconds(t, whole, signal.PhasePrefill), seconds(t, sink, signal.PhasePrefill), 1e-6)
}

// A gauge that is withheld after it was given is marked as not recorded, once.
func TestAnEstimateThatIsWithheldIsMarkedGone(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, createDefaultConfig().(*Config), sink)
	e := newEngine("a", 1_799_999_000*second)
	play(t, p, c, 20, 5*time.Second, e)
	dp, ok := last(sink, signal.PhaseImbalance, "", "")
	require.True(t, ok)
	require.False(t, dp.Flags().NoRecordedValue())
	for range 20 { // the same page again and again: no request in the trailing minute
		c.Add(5 * time.Second)
		e.now += 5 * second
		require.NoError(t, p.ConsumeMetrics(context.Background(), e.page()))
	}
	dp, _ = last(sink, signal.PhaseImbalance, "", "")
	assert.True(t, dp.Flags().NoRecordedValue())
	confidence, _ := last(sink, signal.EstimateConfidence, signal.AttrEstimate, signal.EstimateImbalance)
	assert.True(t, confidence.Flags().NoRecordedValue())
}
