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

	"github.com/otelcol-inference/otelcol-inference/internal/objectives"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/wall/walltest"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// playGPUs is play for one engine with its GPUs, which are read two seconds after the engine.
func playGPUs(t *testing.T, p *phaseAttribution, c *walltest.Clock, scrapes int, e *engine, ids ...string) {
	t.Helper()
	const interval = 5 * second
	consume := func(md pmetric.Metrics) {
		md.MarkReadOnly()
		require.NoError(t, p.ConsumeMetrics(context.Background(), md))
	}
	for range scrapes {
		c.Add(5 * time.Second)
		e.advance(e.now - e.now%interval + interval)
		consume(e.page())
		e.advance(e.now + 2*second)
		for _, id := range ids {
			consume(e.gpu(id))
		}
	}
}

// phaseSum adds up a sum over the four phases.
func phaseSum(t *testing.T, sink *consumertest.MetricsSink, metric string) (total float64) {
	t.Helper()
	for _, phase := range phaseOrder() {
		dp, ok := last(sink, metric, signal.AttrPhase, phase)
		require.True(t, ok, "%s of %s", metric, phase)
		total += dp.DoubleValue()
	}
	return total
}

func value(t *testing.T, sink *consumertest.MetricsSink, metric, phase string) float64 {
	t.Helper()
	dp, ok := last(sink, metric, signal.AttrPhase, phase)
	require.True(t, ok, "%s of %s", metric, phase)
	return dp.DoubleValue()
}

func TestGPUTimeEnergyAndCostAddUp(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.GPUs = []GPURule{{Match: GPUMatch{Instance: "a:*"}, IDs: []string{"GPU-0", "GPU-1"}}}
	cfg.Prices = objectives.Prices{{GPU: "*H200", PerHour: 3.6, Currency: "USD"}}
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, cfg, sink)
	e := newEngine("a:8000", 1_700_000_000*second)
	e.passes = true
	playGPUs(t, p, c, 150, e, "GPU-0", "GPU-1", "GPU-2")

	idle, ok := last(sink, signal.PhaseGPUTime, signal.AttrPhase, signal.PhaseIdle)
	require.True(t, ok)
	elapsed := float64(idle.Timestamp()-idle.StartTimestamp()) / 1e9
	assert.InDelta(t, 2*elapsed, phaseSum(t, sink, signal.PhaseGPUTime), 1e-6, "two GPUs")
	assert.InDelta(t, 2*elapsed*3.6/3600, phaseSum(t, sink, signal.PhaseCost), 1e-9)
	// The engine draws 400 or 600 W; the sum is read off the counters of two GPUs, and the first window or two saw no increase.
	joules := phaseSum(t, sink, signal.PhaseEnergy)
	assert.InDelta(t, 2*e.joules, joules, 0.02*2*e.joules)
	truth := e.prefill / (e.prefill + e.decode)
	prefill, decode := value(t, sink, signal.PhaseGPUTime, signal.PhasePrefill), value(t, sink, signal.PhaseGPUTime, signal.PhaseDecode)
	assert.InEpsilon(t, truth, prefill/(prefill+decode), 0.06)
	assert.LessOrEqual(t, value(t, sink, signal.PhaseGPUTimeLow, signal.PhasePrefill), prefill)
	assert.GreaterOrEqual(t, value(t, sink, signal.PhaseGPUTimeHigh, signal.PhasePrefill), prefill)

	batch := value(t, sink, signal.PhaseBatch, signal.PhaseDecode)
	assert.InDelta(t, 34.5, batch, 1)
	perToken := value(t, sink, signal.PhaseEnergyPerToken, signal.PhaseDecode)
	assert.InDelta(t, 2*400*0.0235/34.5, perToken, 0.2, "two GPUs of 400 W for a step of 23.5 ms and 34.5 tokens")
	utilization := value(t, sink, signal.PhaseGPUUtilization, signal.PhaseDecode)
	assert.Positive(t, utilization)
}

// GPUs that are read less often than the engine are read for windows that were closed without them; what they were active for then is not
// of the window that the reading falls into.
func TestAGPUReadSeldomIsNotTakenForBusier(t *testing.T) {
	s := newSpending(nil)
	s.join(&gpu{id: "GPU-0"})
	a := window.NewAligner(window.Config{Width: 5 * time.Second, Lateness: 5 * time.Second, MaxGap: time.Minute}, inputCounters+gpuInputs, inputGauges)
	start, looked, joules := 1_700_000_000*second, 0, 0.0
	for at := int64(0); at <= 120; at += 5 {
		a.Observe(inGenerated, start+at*second, 0, window.Value{Sum: float64(at)})
		if at%15 == 0 {
			a.Observe(inputCounters+gpuGraphics, start+at*second, 0, window.Value{Sum: 0.4 * float64(at)})
			a.Observe(inputCounters+gpuEnergy, start+at*second, 0, window.Value{Sum: 300 * float64(at)})
		}
		win, ok := a.Close()
		if !ok {
			continue
		}
		sum, own, known := s.total(win, gpuEnergy)
		joules += sum
		if !known {
			assert.InDelta(t, -1, s.graphics(win), 0)
			continue
		}
		looked++
		assert.InDelta(t, 300*win.Seconds(), own, 1e-6)
		assert.InDelta(t, 0.4*win.Seconds(), s.graphics(win), 1e-9)
	}
	assert.Positive(t, looked)
	assert.InDelta(t, 300*120, joules, 1e-6, "nothing is lost")
}

// A GPU that comes back to a worker brings nothing of what it spent for another meanwhile.
func TestAGPUThatWasAnothersMeanwhile(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, cfg, sink)
	e := newEngine("a:8000", 1_700_000_000*second)
	playGPUs(t, p, c, 1, e, "GPU-0")
	var w *worker
	for _, w = range p.workers.All() {
		p.joins.inform(w, told{gpus: []string{"GPU-0"}})
	}
	playGPUs(t, p, c, 20, e, "GPU-0")
	p.joins.inform(w, told{gpus: []string{"GPU-1"}})
	before := e.joules
	playGPUs(t, p, c, 8, e, "GPU-0") // of somebody else
	others := e.joules - before
	p.joins.inform(w, told{gpus: []string{"GPU-0"}})
	playGPUs(t, p, c, 20, e, "GPU-0")
	got := phaseSum(t, sink, signal.PhaseEnergy)
	assert.LessOrEqual(t, got, e.joules-others)
	assert.Greater(t, got, 0.85*(e.joules-others), "less the readings before it was joined and at its return")
}

// The cost of a GPU whose price nobody gave is not known; it is not nothing.
func TestAGPUWithoutAPriceHasNoCost(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.GPUs = []GPURule{{IDs: []string{"GPU-0"}}}
	cfg.Prices = objectives.Prices{{GPU: "*A100*", PerHour: 3.6, Currency: "USD"}}
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, cfg, sink)
	playGPUs(t, p, c, 20, newEngine("a:8000", 1_700_000_000*second), "GPU-0")
	_, ok := last(sink, signal.PhaseGPUTime, signal.AttrPhase, signal.PhaseDecode)
	assert.True(t, ok)
	_, ok = last(sink, signal.PhaseCost, signal.AttrPhase, signal.PhaseDecode)
	assert.False(t, ok)
}

// Hardware of other types has energy, too, and a glob that means all GPUs does not mean it.
func TestOtherHardwareIsNoGPU(t *testing.T) {
	resource := pcommon.NewResource()
	resource.Attributes().PutStr(signal.AttrHWID, "psu-0")
	_, is := identify(resource)
	assert.Equal(t, aGPU, is)
	resource.Attributes().PutStr(signal.AttrHWType, "power_supply")
	_, is = identify(resource)
	assert.Equal(t, foreign, is)
}

func TestTiersChangeWithoutLoweringOrRestartingASum(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, createDefaultConfig().(*Config), sink)
	e := newEngine("a:8000", 1_700_000_000*second)
	for i := range 6 {
		e.passes = i%2 == 1
		play(t, p, c, 20, 5*time.Second, e)
	}
	methods := map[string]bool{}
	before := map[string]float64{}
	var start pcommon.Timestamp
	for _, md := range sink.AllMetrics() {
		one := new(consumertest.MetricsSink)
		require.NoError(t, one.ConsumeMetrics(context.Background(), md))
		for _, phase := range phaseOrder() {
			dp, ok := last(one, signal.PhaseWorkerTime, signal.AttrPhase, phase)
			if !ok {
				continue
			}
			require.GreaterOrEqual(t, dp.DoubleValue(), before[phase])
			before[phase] = dp.DoubleValue()
			require.True(t, start == 0 || start == dp.StartTimestamp())
			start = dp.StartTimestamp()
			assert.Equal(t, 1, dp.Attributes().Len(), "the method is no attribute of a sum")
		}
		if dp, ok := last(one, signal.EstimateConfidence, signal.AttrEstimate, signal.EstimatePhaseTime); ok {
			method, _ := dp.Attributes().Get(signal.AttrEstimateMethod)
			methods[method.Str()] = true
		}
	}
	assert.True(t, methods[serving.MethodForwardPasses] && methods[serving.MethodStepRegression], "%v", methods)
}

func TestIncompleteForwardPassesAreNotTrusted(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, createDefaultConfig().(*Config), sink)
	e := newEngine("a:8000", 1_700_000_000*second)
	e.passes = true
	for range 40 { // the publisher drops half of its messages
		c.Add(5 * time.Second)
		e.advance(e.now + 5*second)
		md := e.page()
		for _, m := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
			if stepFieldOf(m.Name()) >= 0 {
				for _, dp := range m.Sum().DataPoints().All() {
					dp.SetDoubleValue(dp.DoubleValue() / 2)
				}
			}
		}
		require.NoError(t, p.ConsumeMetrics(context.Background(), md))
	}
	dp, ok := last(sink, signal.EstimateConfidence, signal.AttrEstimate, signal.EstimatePhaseTime)
	require.True(t, ok)
	method, _ := dp.Attributes().Get(signal.AttrEstimateMethod)
	assert.Equal(t, serving.MethodStepRegression, method.Str())
}

func TestASharedGPUIsNotDivided(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.GPUs = []GPURule{{IDs: []string{"GPU-0"}}}
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, cfg, sink)
	e, other := newEngine("a:8000", 1_700_000_000*second), newEngine("b:8000", 1_700_000_000*second)
	other.advance(other.now + second)
	require.NoError(t, p.ConsumeMetrics(context.Background(), other.page()))
	playGPUs(t, p, c, 40, e, "GPU-0")
	assert.InDelta(t, phaseSum(t, sink, signal.PhaseEnergy), value(t, sink, signal.PhaseEnergy, signal.PhaseUnattributed), 1e-6)
	_, ok := last(sink, signal.EstimateWithheld, signal.AttrReason, serving.WithheldSharedGPU)
	assert.True(t, ok)
}

func TestAWorkerThatTellsItsGPUsNeedsNoRule(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.GPUs = []GPURule{{IDs: []string{"GPU-wrong"}}}
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, cfg, sink)
	e := newEngine("a:8000", 1_700_000_000*second)
	md := e.page()
	m := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().AppendEmpty()
	m.SetName(signal.EngineGPUInfo)
	m.SetEmptyGauge()
	for _, id := range []string{"GPU-1", "GPU-0", "GPU-1"} {
		dp := m.Gauge().DataPoints().AppendEmpty()
		dp.SetDoubleValue(1)
		dp.Attributes().PutStr(signal.AttrHWID, id)
	}
	require.NoError(t, p.ConsumeMetrics(context.Background(), md))
	playGPUs(t, p, c, 20, e, "GPU-wrong", "GPU-0", "GPU-1")
	idle, ok := last(sink, signal.PhaseGPUTime, signal.AttrPhase, signal.PhaseIdle)
	require.True(t, ok)
	assert.InDelta(t, 2*float64(idle.Timestamp()-idle.StartTimestamp())/1e9, phaseSum(t, sink, signal.PhaseGPUTime), 1e-6)
}

func TestGPUsOfAnotherHostAreNotJoined(t *testing.T) {
	rule := GPURule{IDs: []string{"00000000:1B:00.0"}}
	worker := pcommon.NewMap()
	g := &gpu{id: "GPU-x", bus: "00000000:1B:00.0", host: "one"}
	assert.True(t, rule.fits(worker, g), "no host is any host")
	worker.PutStr(signal.AttrHostName, "two")
	assert.False(t, rule.fits(worker, g))
	worker.PutStr(signal.AttrHostName, "one")
	assert.True(t, rule.fits(worker, g))
	rule.Match.Host = "t*"
	assert.False(t, rule.fits(worker, g))
}

// A prefill worker of a disaggregated fleet shows no inter-token latency; how long its GPUs ran tells its busy time.
func TestAPrefillWorkerIsBusyWhileItsGPUsAre(t *testing.T) {
	work := serving.Work{Elapsed: 5, Steps: 10, FirstTokens: 10, PrefillTokens: 9000}
	withheld := serving.Split{Unattributed: 5, Withheld: serving.WithheldBusyUnknown}
	got := pure(work, withheld, 3)
	assert.Equal(t, serving.MethodPureRole, got.Method)
	assert.InDelta(t, 3, got.Prefill, 1e-9)
	assert.InDelta(t, 2, got.Idle, 1e-9)
	assert.Equal(t, withheld, pure(work, withheld, -1), "without GPUs it stays unknown")

	// A decode worker computes the last token of each prompt: no fit is needed.
	decoding := serving.Work{Elapsed: 5, Steps: 200, FirstTokens: 10, PrefillTokens: 10, DecodeTokens: 4000}
	got = pure(decoding, serving.Split{Unattributed: 4, Idle: 1, Withheld: serving.WithheldConstantLoad}, -1)
	assert.InDelta(t, 4, got.Decode+got.Prefill, 1e-9)
	assert.Less(t, got.Prefill, 0.02)
}

func TestConfigOfGPUsNamesKeyBoundAndValue(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.GPUs = []GPURule{{}, {IDs: []string{""}}}
	cfg.Prices = objectives.Prices{{PerHour: 2}}
	assert.EqualError(t, cfg.Validate(), "gpus[0].ids must have at least 1 entry (got 0)\n"+
		"gpus[1].ids[0] must not be empty (got \"\")\n"+
		"prices[0].currency must be set (got \"\")")
}
