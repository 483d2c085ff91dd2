package phaseattributionprocessor

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-inference/otelcol-inference/internal/objectives"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/wall/walltest"
	"github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor/internal/metadata"
)

func newHandClock() *walltest.Clock { return walltest.NewClock(time.Unix(1_800_000_000, 0)) }

func newTestProcessor(t *testing.T, cfg *Config, next consumer.Metrics) (*phaseAttribution, *walltest.Clock) {
	t.Helper()
	c := newHandClock()
	p, err := newProcessor(processortest.NewNopSettings(metadata.Type), cfg, next, newRegistry(), c)
	require.NoError(t, err)
	require.NoError(t, p.Start(context.Background(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, p.Shutdown(context.Background())) })
	return p, c
}

// play feeds scrapes of the engines every interval for the given number of scrapes.
func play(t *testing.T, p *phaseAttribution, c *walltest.Clock, scrapes int, interval time.Duration, engines ...*engine) {
	t.Helper()
	for range scrapes {
		c.Add(interval)
		for _, e := range engines {
			e.advance(e.now - e.now%int64(interval) + int64(interval))
			md := e.page()
			md.MarkReadOnly()
			require.NoError(t, p.ConsumeMetrics(context.Background(), md))
		}
	}
}

// last returns the newest point of a metric with the given attribute value, over all batches.
func last(sink *consumertest.MetricsSink, metric, attribute, value string) (point pmetric.NumberDataPoint, ok bool) {
	for _, md := range sink.AllMetrics() {
		for _, rm := range md.ResourceMetrics().All() {
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					if m.Name() != metric {
						continue
					}
					points := pmetric.NewNumberDataPointSlice()
					switch m.Type() {
					case pmetric.MetricTypeGauge:
						points = m.Gauge().DataPoints()
					case pmetric.MetricTypeSum:
						points = m.Sum().DataPoints()
					}
					for _, dp := range points.All() {
						if v, _ := dp.Attributes().Get(attribute); attribute == "" || v.Str() == value {
							point, ok = dp, true
						}
					}
				}
			}
		}
	}
	return point, ok
}

func seconds(t *testing.T, sink *consumertest.MetricsSink, phase string) float64 {
	t.Helper()
	dp, ok := last(sink, signal.PhaseWorkerTime, signal.AttrPhase, phase)
	require.True(t, ok, phase)
	return dp.DoubleValue()
}

func TestPhaseTimeOfAKnownEngine(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, createDefaultConfig().(*Config), sink)
	e := newEngine("a:8000", 1_700_000_000*second)
	play(t, p, c, 300, 5*time.Second, e)

	prefill, decode := seconds(t, sink, signal.PhasePrefill), seconds(t, sink, signal.PhaseDecode)
	idle, rest := seconds(t, sink, signal.PhaseIdle), seconds(t, sink, signal.PhaseUnattributed)
	truth := e.prefill / (e.prefill + e.decode)
	assert.InEpsilon(t, truth, prefill/(prefill+decode), 0.05)
	dp, _ := last(sink, signal.PhaseWorkerTime, signal.AttrPhase, signal.PhaseIdle)
	elapsed := float64(dp.Timestamp()-dp.StartTimestamp()) / 1e9
	assert.InDelta(t, elapsed, prefill+decode+idle+rest, 1e-6, "the parts add up to elapsed time")
	assert.Less(t, rest, 80.0, "only the warm-up is unattributed")

	confidence, ok := last(sink, signal.EstimateConfidence, signal.AttrEstimate, signal.EstimatePhaseTime)
	require.True(t, ok)
	assert.Greater(t, confidence.DoubleValue(), 0.5)
	withheld, ok := last(sink, signal.EstimateWithheld, signal.AttrReason, "warming_up")
	require.True(t, ok)
	assert.Positive(t, withheld.IntValue())
}

func TestInputIsPassedThroughFirstAndUntouched(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	p, _ := newTestProcessor(t, createDefaultConfig().(*Config), sink)
	e := newEngine("a:8000", 1_700_000_000*second)
	var sent []string
	for i := range 4 {
		e.advance(1_700_000_000*second + int64(i+1)*5*second)
		md := e.page()
		sent = append(sent, asJSON(t, md))
		md.MarkReadOnly()
		require.NoError(t, p.ConsumeMetrics(context.Background(), md))
	}
	var got []string
	for _, md := range sink.AllMetrics() {
		got = append(got, asJSON(t, md))
	}
	assert.Equal(t, sent[0], got[0], "nothing follows from one scrape")
	assert.Subset(t, got, sent)
	assert.Greater(t, len(got), len(sent), "derived batches come on their own")
}

func asJSON(t *testing.T, md pmetric.Metrics) string {
	t.Helper()
	text, err := (&pmetric.JSONMarshaler{}).MarshalMetrics(md)
	require.NoError(t, err)
	return string(text)
}

func TestEveryDerivedMetricIsInTheVocabulary(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, createDefaultConfig().(*Config), sink)
	play(t, p, c, 40, 5*time.Second, newEngine("a:8000", 1_700_000_000*second))
	cfg := createDefaultConfig().(*Config)
	cfg.GPUs, cfg.Prices = []GPURule{{IDs: []string{"GPU-*"}}}, objectives.Prices{{PerHour: 3.6, Currency: "USD"}}
	p, c = newTestProcessor(t, cfg, sink)
	e := newEngine("b:8000", 1_700_000_000*second)
	e.passes = true
	playGPUs(t, p, c, 40, e, "GPU-0")
	declared := signal.Index(signal.PhaseMetrics())
	emitted := map[string]bool{}
	for _, md := range sink.AllMetrics() {
		for _, rm := range md.ResourceMetrics().All() {
			for _, sm := range rm.ScopeMetrics().All() {
				if sm.Scope().Name() != metadata.ScopeName {
					continue
				}
				for _, m := range sm.Metrics().All() {
					want, ok := declared[m.Name()]
					require.True(t, ok, m.Name())
					assert.Equal(t, want.Unit, m.Unit(), m.Name())
					assert.Equal(t, want.Description, m.Description(), m.Name())
					assert.Equal(t, string(want.Instrument), instrument(m), m.Name())
					emitted[m.Name()] = true
				}
			}
		}
	}
	for name := range declared {
		assert.True(t, emitted[name], "%s is declared and never emitted", name)
	}
}

func instrument(m pmetric.Metric) string {
	if m.Type() == pmetric.MetricTypeSum {
		return string(signal.Sum)
	}
	return map[pmetric.MetricType]string{
		pmetric.MetricTypeGauge: string(signal.Gauge), pmetric.MetricTypeHistogram: string(signal.Histogram),
	}[m.Type()]
}

func TestARestartNeverLowersASumOrCountsTwice(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, createDefaultConfig().(*Config), sink)
	e := newEngine("a:8000", 1_700_000_000*second)
	play(t, p, c, 30, 5*time.Second, e)
	again := newEngine("a:8000", e.now+second)
	play(t, p, c, 30, 5*time.Second, again)

	var before float64
	for _, md := range sink.AllMetrics() {
		one := new(consumertest.MetricsSink)
		require.NoError(t, one.ConsumeMetrics(context.Background(), md))
		if _, ok := last(one, signal.PhaseWorkerTime, signal.AttrPhase, signal.PhaseDecode); !ok {
			continue
		}
		now := seconds(t, one, signal.PhaseDecode)
		require.GreaterOrEqual(t, now, before)
		before = now
	}
	dp, _ := last(sink, signal.PhaseWorkerTime, signal.AttrPhase, signal.PhaseIdle)
	total := seconds(t, sink, signal.PhasePrefill) + seconds(t, sink, signal.PhaseDecode) +
		seconds(t, sink, signal.PhaseIdle) + seconds(t, sink, signal.PhaseUnattributed)
	assert.InDelta(t, float64(dp.Timestamp()-dp.StartTimestamp())/1e9, total, 1e-6)
}

func TestTheScrapePhaseDoesNotMatter(t *testing.T) {
	var first float64
	for _, offset := range []int64{0, 1 * second, 2*second + 300e6, 4 * second} {
		sink := new(consumertest.MetricsSink)
		p, c := newTestProcessor(t, createDefaultConfig().(*Config), sink)
		e := newEngine("a:8000", 1_700_000_000*second)
		for i := range int64(200) {
			c.Add(5 * time.Second)
			e.advance(1_700_000_000*second + offset + (i+1)*5*second)
			require.NoError(t, p.ConsumeMetrics(context.Background(), e.page()))
		}
		share := seconds(t, sink, signal.PhasePrefill) / (seconds(t, sink, signal.PhasePrefill) + seconds(t, sink, signal.PhaseDecode))
		assert.InEpsilon(t, e.prefill/(e.prefill+e.decode), share, 0.055, "scrapes %s after windows end", time.Duration(offset))
		if first == 0 {
			first = share
		}
		assert.InEpsilon(t, first, share, 0.03, "as with windows, %s after", time.Duration(offset))
	}
}

func TestImbalanceNamesThePhaseThatMissesItsObjective(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, cfg, sink)
	e := newEngine("a:8000", 1_700_000_000*second)
	play(t, p, c, 2, 5*time.Second, e)
	early, ok := last(sink, signal.EstimateConfidence, signal.AttrEstimate, signal.EstimateImbalance)
	require.True(t, ok, "a first word within ten seconds")
	assert.Less(t, early.DoubleValue(), 0.5, "and an honest one")
	play(t, p, c, 20, 5*time.Second, e)
	imbalance, ok := last(sink, signal.PhaseImbalance, "", "")
	require.True(t, ok)
	// TTFT p90 is about 0.15 s of 0.5 s, ITL p90 about 0.09 s of 0.05 s
	assert.Less(t, imbalance.DoubleValue(), -0.2)
	objective, ok := last(sink, signal.Objective, signal.AttrObjective, signal.ObjectiveTTFT)
	require.True(t, ok)
	implied, _ := objective.Attributes().Get(signal.AttrImplied)
	assert.True(t, implied.Bool())
}
