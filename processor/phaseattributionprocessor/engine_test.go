package phaseattributionprocessor

import (
	"math"
	"math/rand/v2"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

const second = int64(1e9)

// engine plays the exposition of one busy worker with step costs that are linear, at the canonical names. It exists to give
// the processor consistent input with a known answer; the simulator scores the estimate.
type engine struct {
	rng      *rand.Rand
	instance string
	start    int64 // ns
	now      int64
	prefill  float64 // truth, s
	decode   float64

	sums       map[string]float64
	histograms map[string]*pageHistogram
	running    int

	pod         string
	passes      bool // the page has sums over steps
	lengths     bool // the page has the lengths of finished requests
	silentQueue bool // it does not tell how long requests waited
	steps       [stepCompositions][stepFields]float64
	joules      float64 // of one GPU: 600 W in steps with prefill, 400 W in others
}

type pageHistogram struct {
	bounds []float64
	counts []uint64
	sum    float64
}

func (h *pageHistogram) add(v float64, n uint64) {
	i := 0
	for i < len(h.bounds) && v > h.bounds[i] {
		i++
	}
	h.counts[i] += n
	h.sum += v * float64(n)
}

func newEngine(instance string, start int64) *engine {
	e := &engine{
		rng: rand.New(rand.NewPCG(uint64(len(instance)), 11)), instance: instance, start: start, now: start,
		sums: map[string]float64{}, histograms: map[string]*pageHistogram{},
	}
	seconds := []float64{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5}
	tokens := []float64{1, 8, 16, 32, 64, 128, 512, 2048, 8192}
	for name, bounds := range map[string][]float64{
		signal.TTFT: seconds, signal.ITL: seconds, signal.QueueTime: seconds, signal.PhasePrefill: seconds,
		signal.PhaseDecode: seconds, signal.IterationTokens: tokens, signal.ComputedTokens: tokens, signal.TPOT: seconds,
		signal.StepDuration: seconds, signal.TokenTypeInput: tokens, signal.TokenTypeOutput: tokens,
	} {
		e.histograms[name] = &pageHistogram{bounds: bounds, counts: make([]uint64, len(bounds)+1)}
	}
	return e
}

// hiddenRow is the part of a row's cost that a decoding sequence pays beside prefill only.
const hiddenRow = 0.85

// advance runs steps until the given time.
func (e *engine) advance(to int64) {
	rate := 0.2 + 0.1*math.Sin(float64(e.now)/60e9)
	for e.now < to {
		n := 30 + e.rng.IntN(10)
		t, p := 0.02+1e-4*float64(n), 0.0
		e.decode += t
		if e.rng.Float64() < rate {
			p = float64(200 + e.rng.IntN(1600))
			hidden := 5e-5 * hiddenRow * float64(n) // neither's alone
			e.prefill += 0.01 + 5e-5*p + hidden/2
			e.decode -= 0.01 - hidden/2
			t += 5e-5*p + hidden
			e.histograms[signal.TTFT].add(t+0.02, 1)
			e.histograms[signal.QueueTime].add(0.02, 1)
			e.histograms[signal.PhasePrefill].add(t, 1)
			e.histograms[signal.PhaseDecode].add(3, 1)
			e.histograms[signal.ComputedTokens].add(p, 1)
			e.histograms[signal.TPOT].add(0.03, 1)
			e.histograms[signal.TokenTypeInput].add(p, 1)
			e.histograms[signal.TokenTypeOutput].add(150, 1)
			e.sums[signal.TokensGenerated]++
			e.sums[signal.TokensPrompt] += p
		}
		e.running = n
		e.step(t, p, float64(n))
		e.sums[signal.TokensGenerated] += float64(n)
		e.histograms[signal.ITL].add(t, uint64(n))
		e.histograms[signal.IterationTokens].add(p+float64(n), 1)
		e.now += int64(t * 1e9)
	}
}

// step counts a step as forward passes tell it.
func (e *engine) step(t, p, n float64) {
	composition, watts := stepsDecode, 400.0
	if p > 0 {
		composition, watts = stepsMixed, 600
		e.histograms[signal.StepDuration].add(t, 1)
	}
	e.joules += watts * t
	for field, v := range [stepFields]float64{stepCount: 1, stepTime: t, stepPrefillTokens: p, stepSequences: n, stepContext: 1000 * n} {
		e.steps[composition][field] += v
	}
}

// stepMetrics appends the sums over steps.
func (e *engine) stepMetrics(ms pmetric.MetricSlice) {
	names := [stepFields]string{signal.StepCount, signal.StepTime, signal.StepPrefillTokens, signal.StepPrefillKVTokens,
		signal.StepDecodeSequences, signal.StepDecodeKVTokens}
	for field, name := range names {
		m := ms.AppendEmpty()
		m.SetName(name)
		m.SetEmptySum().SetIsMonotonic(true)
		m.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		for composition, text := range []string{signal.PhasePrefill, signal.PhaseDecode, compositionMixed} {
			dp := m.Sum().DataPoints().AppendEmpty()
			e.stamp(dp)
			dp.Attributes().PutStr(signal.AttrComposition, text)
			dp.SetDoubleValue(e.steps[composition][field])
		}
	}
}

// gpu is a page of a GPU that runs the engine alone.
func (e *engine) gpu(id string) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr(signal.AttrHWID, id)
	rm.Resource().Attributes().PutStr(signal.AttrHWType, signal.HWTypeGPU)
	rm.Resource().Attributes().PutStr(signal.AttrHWName, "NVIDIA H200")
	ms := rm.ScopeMetrics().AppendEmpty().Metrics()
	for _, name := range []string{signal.HWEnergy, signal.GPUActivityTime} {
		m := ms.AppendEmpty()
		m.SetName(name)
		m.SetEmptySum().SetIsMonotonic(true)
		m.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	}
	dp := ms.At(0).Sum().DataPoints().AppendEmpty()
	e.stamp(dp)
	dp.SetDoubleValue(e.joules)
	busy := float64(e.now-e.start) / 1e9
	for unit, share := range map[string]float64{signal.UnitGraphics: 1, signal.UnitSM: 0.9, signal.UnitTensor: 0.3, signal.UnitDRAM: 0.4} {
		dp := ms.At(1).Sum().DataPoints().AppendEmpty()
		e.stamp(dp)
		dp.Attributes().PutStr(signal.AttrGPUUnit, unit)
		dp.SetDoubleValue(share * busy)
	}
	return md
}

// page is a scrape at the current time.
func (e *engine) page() pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr(signal.AttrEngineName, "vllm")
	rm.Resource().Attributes().PutStr(signal.AttrServiceInstanceID, e.instance)
	rm.Resource().Attributes().PutStr(signal.AttrModel, "m")
	if e.pod != "" {
		rm.Resource().Attributes().PutStr(signal.AttrK8sPodUID, e.pod)
	}
	ms := rm.ScopeMetrics().AppendEmpty().Metrics()
	if e.passes {
		e.stepMetrics(ms)
	}
	for name, h := range e.histograms {
		if name == signal.StepDuration && !e.passes || name == signal.QueueTime && e.silentQueue {
			continue
		}
		length := name == signal.TokenTypeInput || name == signal.TokenTypeOutput
		if length && !e.lengths {
			continue
		}
		m := ms.AppendEmpty()
		m.SetName(name)
		dp := m.SetEmptyHistogram().DataPoints().AppendEmpty()
		m.Histogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		if name == signal.PhasePrefill || name == signal.PhaseDecode {
			m.SetName(signal.PhaseTime)
			dp.Attributes().PutStr(signal.AttrPhase, name)
		}
		if length {
			m.SetName(signal.RequestTokens)
			dp.Attributes().PutStr(signal.AttrTokenType, name)
		}
		if name == signal.StepDuration {
			dp.Attributes().PutStr(signal.AttrComposition, compositionMixed)
		}
		e.stamp(dp)
		dp.ExplicitBounds().FromRaw(h.bounds)
		dp.BucketCounts().FromRaw(h.counts)
		var n uint64
		for _, c := range h.counts {
			n += c
		}
		dp.SetCount(n)
		dp.SetSum(h.sum)
	}
	for name, v := range e.sums {
		m := ms.AppendEmpty()
		m.SetName(name)
		sum := m.SetEmptySum()
		sum.SetIsMonotonic(true)
		sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		dp := sum.DataPoints().AppendEmpty()
		e.stamp(dp)
		dp.SetDoubleValue(v)
		if name == signal.TokensPrompt {
			dp.Attributes().PutStr(signal.AttrTokenSource, signal.TokenSourceLocalCompute)
		}
	}
	for name, v := range map[string]float64{signal.Running: float64(e.running), signal.KVUtilization: 0.3} {
		m := ms.AppendEmpty()
		m.SetName(name)
		dp := m.SetEmptyGauge().DataPoints().AppendEmpty()
		dp.SetTimestamp(pcommon.Timestamp(e.now))
		dp.SetDoubleValue(v)
	}
	return md
}

func (e *engine) stamp(dp interface {
	SetStartTimestamp(pcommon.Timestamp)
	SetTimestamp(pcommon.Timestamp)
}) {
	dp.SetStartTimestamp(pcommon.Timestamp(e.start))
	dp.SetTimestamp(pcommon.Timestamp(e.now))
}

// bump moves a metric's point to the given time.
func bump(m pmetric.Metric, at int64) {
	switch m.Type() {
	case pmetric.MetricTypeSum:
		m.Sum().DataPoints().At(0).SetTimestamp(pcommon.Timestamp(at))
	case pmetric.MetricTypeGauge:
		m.Gauge().DataPoints().At(0).SetTimestamp(pcommon.Timestamp(at))
	case pmetric.MetricTypeHistogram:
		m.Histogram().DataPoints().At(0).SetTimestamp(pcommon.Timestamp(at))
	}
}
