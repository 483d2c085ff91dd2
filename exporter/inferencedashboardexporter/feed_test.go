package inferencedashboardexporter

import (
	"math"
	"math/rand"
	"sort"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// fakeWorker makes the batches of one worker: what its engine reports and what phase_attribution derives.
type fakeWorker struct {
	instance, host, fleet, model, engine, role string

	up               float64
	running, waiting float64
	kv               float64
	rate             float64 // requests per second
	ttft, itl        float64 // medians, seconds
	imbalance        float64
	confidence       float64
	withheld         string // instead of an estimate
	shares           [4]float64

	random       *rand.Rand
	start        time.Time
	ttftCounts   []uint64
	itlCounts    []uint64
	generated    float64
	phaseSeconds [4]float64
	withheldSum  float64
}

func ttftBounds() []float64 {
	return []float64{0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}
}

func itlBounds() []float64 {
	return []float64{0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5}
}

func newFakeWorker(instance string, start time.Time) *fakeWorker {
	return &fakeWorker{
		instance: instance, host: "node-1", fleet: "llama-70b", model: "llama-70b", engine: "vllm", role: signal.RoleAggregated,
		up: 1, running: 24, kv: 0.5, rate: 4, ttft: 0.3, itl: 0.03, confidence: 0.9, shares: [4]float64{0.5, 0.3, 0.15, 0.05},
		random: rand.New(rand.NewSource(int64(len(instance)))), start: start,
		ttftCounts: make([]uint64, len(ttftBounds())+1), itlCounts: make([]uint64, len(itlBounds())+1),
	}
}

// run lets the worker serve for a while.
func (f *fakeWorker) run(d time.Duration) {
	n := f.rate * d.Seconds()
	for i := 0; i < int(n+f.random.Float64()); i++ {
		f.ttftCounts[sort.SearchFloat64s(ttftBounds(), f.ttft*math.Exp(0.5*f.random.NormFloat64()))]++
		for k := 0; k < 20; k++ {
			f.itlCounts[sort.SearchFloat64s(itlBounds(), f.itl*math.Exp(0.3*f.random.NormFloat64()))]++
		}
		f.generated += 20
	}
	for i, s := range f.shares {
		f.phaseSeconds[i] += s * d.Seconds()
	}
	if f.withheld != "" {
		f.withheldSum++
	}
}

func (f *fakeWorker) resource(md pmetric.Metrics) pmetric.MetricSlice {
	rm := md.ResourceMetrics().AppendEmpty()
	a := rm.Resource().Attributes()
	for name, v := range map[string]string{
		signal.AttrServiceInstanceID: f.instance, signal.AttrHostName: f.host, signal.AttrFleetName: f.fleet,
		signal.AttrModel: f.model, signal.AttrEngineName: f.engine,
	} {
		if v != "" {
			a.PutStr(name, v)
		}
	}
	return rm.ScopeMetrics().AppendEmpty().Metrics()
}

// engineBatch is one scrape.
func (f *fakeWorker) engineBatch(at time.Time) pmetric.Metrics {
	md := pmetric.NewMetrics()
	ms := f.resource(md)
	addGauge(ms, signal.Up, at, f.up, nil)
	if f.up == 0 {
		return md
	}
	addGauge(ms, signal.EngineInfo, at, 1, map[string]any{
		signal.AttrEngineVersion: "0.11.0", signal.AttrRole: f.role, signal.AttrRoleSource: signal.RoleSourceEngine,
	})
	addGauge(ms, signal.Running, at, f.running, nil)
	addGauge(ms, signal.Waiting, at, f.waiting, map[string]any{signal.AttrWaitReason: "capacity"})
	addGauge(ms, signal.Waiting, at, 0, map[string]any{signal.AttrWaitReason: "deferred"})
	addGauge(ms, signal.KVUtilization, at, f.kv, nil)
	addSum(ms, signal.TokensGenerated, f.start, at, f.generated, nil)
	addHistogram(ms, signal.TTFT, f.start, at, ttftBounds(), f.ttftCounts)
	addHistogram(ms, signal.ITL, f.start, at, itlBounds(), f.itlCounts)
	return md
}

// derivedBatch is what the processor sends for one window.
func (f *fakeWorker) derivedBatch(at time.Time) pmetric.Metrics {
	md := pmetric.NewMetrics()
	ms := f.resource(md)
	for i, phase := range []string{signal.PhasePrefill, signal.PhaseDecode, signal.PhaseIdle, signal.PhaseUnattributed} {
		addSum(ms, signal.PhaseWorkerTime, f.start, at, f.phaseSeconds[i], map[string]any{signal.AttrPhase: phase})
	}
	addGauge(ms, signal.Objective, at, 0.5, map[string]any{signal.AttrObjective: "ttft", signal.AttrQuantile: 0.9, signal.AttrImplied: true})
	addGauge(ms, signal.Objective, at, 0.05, map[string]any{signal.AttrObjective: "itl", signal.AttrQuantile: "0.9", signal.AttrImplied: "true"})
	if f.withheld != "" {
		addSum(ms, signal.EstimateWithheld, f.start, at, f.withheldSum, map[string]any{
			signal.AttrEstimate: signal.EstimateImbalance, signal.AttrReason: f.withheld,
		})
		return md
	}
	addGauge(ms, signal.PhaseImbalance, at, f.imbalance, nil)
	addGauge(ms, signal.PhasePressure, at, math.Exp(f.imbalance), map[string]any{signal.AttrPhase: signal.PhasePrefill})
	addGauge(ms, signal.PhasePressure, at, 1, map[string]any{signal.AttrPhase: signal.PhaseDecode})
	addGauge(ms, signal.EstimateConfidence, at, f.confidence, map[string]any{
		signal.AttrEstimate: signal.EstimateImbalance, signal.AttrEstimateMethod: "calibrated",
	})
	return md
}

// find returns the metric with a name, a new one where there is none.
func find(ms pmetric.MetricSlice, name string) (pmetric.Metric, bool) {
	for i := 0; i < ms.Len(); i++ {
		if ms.At(i).Name() == name {
			return ms.At(i), true
		}
	}
	m := ms.AppendEmpty()
	m.SetName(name)
	return m, false
}

func addGauge(ms pmetric.MetricSlice, name string, at time.Time, v float64, attrs map[string]any) pmetric.NumberDataPoint {
	m, ok := find(ms, name)
	if !ok {
		m.SetEmptyGauge()
	}
	return number1(m.Gauge().DataPoints(), at, v, attrs)
}

func addSum(ms pmetric.MetricSlice, name string, start, at time.Time, v float64, attrs map[string]any) pmetric.NumberDataPoint {
	m, ok := find(ms, name)
	if !ok {
		s := m.SetEmptySum()
		s.SetIsMonotonic(true)
		s.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	}
	p := number1(m.Sum().DataPoints(), at, v, attrs)
	p.SetStartTimestamp(pcommon.NewTimestampFromTime(start))
	return p
}

func number1(ps pmetric.NumberDataPointSlice, at time.Time, v float64, attrs map[string]any) pmetric.NumberDataPoint {
	p := ps.AppendEmpty()
	p.SetTimestamp(pcommon.NewTimestampFromTime(at))
	p.SetDoubleValue(v)
	for name, a := range attrs {
		switch a := a.(type) {
		case string:
			p.Attributes().PutStr(name, a)
		case float64:
			p.Attributes().PutDouble(name, a)
		case bool:
			p.Attributes().PutBool(name, a)
		}
	}
	return p
}

func addHistogram(ms pmetric.MetricSlice, name string, start, at time.Time, bounds []float64, counts []uint64) pmetric.HistogramDataPoint {
	m, ok := find(ms, name)
	if !ok {
		m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	}
	p := m.Histogram().DataPoints().AppendEmpty()
	p.SetTimestamp(pcommon.NewTimestampFromTime(at))
	p.SetStartTimestamp(pcommon.NewTimestampFromTime(start))
	p.ExplicitBounds().FromRaw(bounds)
	p.BucketCounts().FromRaw(counts)
	return p
}
