package phaseattributionprocessor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

func clockPoint(hz float64) pmetric.Metric {
	m := pmetric.NewMetric()
	m.SetName(signal.GPUClockFrequency)
	dp := m.SetEmptyGauge().DataPoints().AppendEmpty()
	dp.Attributes().PutStr(signal.AttrGPUClock, "sm")
	dp.SetDoubleValue(hz)
	return m
}

func TestTheClockMustChangeForLongBeforeItCounts(t *testing.T) {
	var c clockwatch
	for i := range 100 {
		c.see(clockPoint(1980e6*(1-0.04*float64(i%2))), 0) // breathing
		require.Zero(t, c.window(true))
	}
	for range clockWindows - 1 {
		c.see(clockPoint(1300e6), 0)
		require.Zero(t, c.window(true))
	}
	c.see(clockPoint(1980e6), 0)
	require.Zero(t, c.window(true), "it was a dip")
	for range 3 * clockWindows {
		c.see(clockPoint(345e6), 0)
		require.Zero(t, c.window(false), "idle GPUs lower their clock")
	}
	var slower float64
	for range clockWindows {
		c.see(clockPoint(1320e6), 0)
		slower = c.window(true)
	}
	assert.InDelta(t, 1.5, slower, 0.03)
	require.Zero(t, c.window(true), "it is the clock of the fit now")
}

// confidenceMethod is the method of the newest confidence of phase time, "" when withheld.
func confidenceMethod(sink *consumertest.MetricsSink) string {
	dp, ok := last(sink, signal.EstimateConfidence, signal.AttrEstimate, signal.EstimatePhaseTime)
	if !ok || dp.Flags().NoRecordedValue() {
		return ""
	}
	return derive.Text(dp.Attributes(), signal.AttrEstimateMethod)
}

func TestAnotherConfigurationResetsTheFit(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, createDefaultConfig().(*Config), sink)
	e := newEngine("a:1", 1_800_000_000*second)
	inform := func(version string) {
		md := e.page()
		m := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().AppendEmpty()
		m.SetName(signal.EngineInfo)
		m.SetEmptyGauge().DataPoints().AppendEmpty().Attributes().PutStr(signal.AttrEngineVersion, version)
		md.MarkReadOnly()
		require.NoError(t, p.ConsumeMetrics(t.Context(), md))
	}
	inform("0.11.0")
	play(t, p, c, 40, 5*time.Second, e)
	require.Equal(t, serving.MethodStepRegression, confidenceMethod(sink))
	inform("0.11.0")
	play(t, p, c, 2, 5*time.Second, e)
	require.Equal(t, serving.MethodStepRegression, confidenceMethod(sink), "nothing changed")
	before := value(t, sink, signal.PhaseWorkerTime, signal.PhasePrefill)
	inform("0.12.0")
	play(t, p, c, 3, 5*time.Second, e)
	require.Empty(t, confidenceMethod(sink), "it warms up")
	play(t, p, c, 40, 5*time.Second, e)
	require.Equal(t, serving.MethodStepRegression, confidenceMethod(sink))
	assert.Greater(t, value(t, sink, signal.PhaseWorkerTime, signal.PhasePrefill), before, "sums go on")
}

// An engine that counts its phases itself and nothing else that the other tiers need.
func TestAnEnginesOwnCountIsTaken(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.GPUs = []GPURule{{IDs: []string{"GPU-0"}}}
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, cfg, sink)
	e := newEngine("a:1", 1_800_000_000*second)
	for range 40 {
		c.Add(5 * time.Second)
		e.advance(e.now - e.now%(5*second) + 5*second)
		page := pmetric.NewMetrics()
		e.page().ResourceMetrics().At(0).Resource().CopyTo(page.ResourceMetrics().AppendEmpty().Resource())
		m := page.ResourceMetrics().At(0).ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
		m.SetName(signal.PhaseBusyTime)
		sum := m.SetEmptySum()
		sum.SetIsMonotonic(true)
		sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		for phase, v := range map[string]float64{signal.PhasePrefill: e.prefill, signal.PhaseDecode: e.decode} {
			dp := sum.DataPoints().AppendEmpty()
			dp.Attributes().PutStr(signal.AttrPhase, phase)
			dp.SetStartTimestamp(pcommon.Timestamp(e.start))
			dp.SetTimestamp(pcommon.Timestamp(e.now))
			dp.SetDoubleValue(v)
		}
		page.MarkReadOnly()
		require.NoError(t, p.ConsumeMetrics(t.Context(), page))
		require.NoError(t, p.ConsumeMetrics(t.Context(), e.gpu("GPU-0")))
	}
	require.Equal(t, serving.MethodDirect, confidenceMethod(sink))
	prefill, decode := value(t, sink, signal.PhaseGPUTime, signal.PhasePrefill), value(t, sink, signal.PhaseGPUTime, signal.PhaseDecode)
	assert.InDelta(t, e.prefill/(e.prefill+e.decode), prefill/(prefill+decode), 0.02)
	dp, ok := last(sink, signal.EstimateConfidence, signal.AttrEstimate, signal.EstimateEnergy)
	require.True(t, ok)
	assert.Equal(t, serving.MethodPricedSeconds, derive.Text(dp.Attributes(), signal.AttrEstimateMethod))
	assert.Positive(t, value(t, sink, signal.PhaseEnergy, signal.PhasePrefill))
}
