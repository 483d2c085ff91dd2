package phaseattributionprocessor

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/objectives"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/wall/walltest"
)

// board of a GPU, as the nvml receiver tells it.
type testGPU struct {
	id, parent, name string
	start, now       int64
	joules           float64
	units            map[string]float64 // activity, s
	processes        map[string]float64 // SM utilisation by pod
	delta            bool
	told             float64 // joules told before, of delta input
}

func newTestGPU(id, parent, name string, start int64) *testGPU {
	return &testGPU{id: id, parent: parent, name: name, start: start, now: start, units: map[string]float64{}}
}

func (g *testGPU) page(energy bool) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	a := rm.Resource().Attributes()
	a.PutStr(signal.AttrHWID, g.id)
	a.PutStr(signal.AttrHWName, g.name)
	if g.parent != "" {
		a.PutStr(signal.AttrHWParent, g.parent)
	}
	ms := rm.ScopeMetrics().AppendEmpty().Metrics()
	sum := func(name string) pmetric.Sum {
		m := ms.AppendEmpty()
		m.SetName(name)
		s := m.SetEmptySum()
		s.SetIsMonotonic(true)
		s.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		return s
	}
	point := func(s pmetric.Sum, v float64) pmetric.NumberDataPoint {
		dp := s.DataPoints().AppendEmpty()
		dp.SetStartTimestamp(pcommon.Timestamp(g.start))
		dp.SetTimestamp(pcommon.Timestamp(g.now))
		dp.SetDoubleValue(v)
		return dp
	}
	if energy {
		s := sum(signal.HWEnergy)
		dp := point(s, g.joules)
		if g.delta {
			s.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
			dp.SetStartTimestamp(pcommon.Timestamp(g.now - 5*second))
			dp.SetDoubleValue(g.joules - g.told)
			g.told = g.joules
		}
	}
	activity := sum(signal.GPUActivityTime)
	for unit, v := range g.units {
		point(activity, v).Attributes().PutStr(signal.AttrGPUUnit, unit)
	}
	if len(g.processes) > 0 {
		m := ms.AppendEmpty()
		m.SetName(signal.GPUProcessActivity)
		m.SetEmptyGauge()
		for pod, v := range g.processes {
			dp := m.Gauge().DataPoints().AppendEmpty()
			dp.SetTimestamp(pcommon.Timestamp(g.now))
			dp.SetDoubleValue(v)
			dp.Attributes().PutStr(signal.AttrK8sPodUID, pod)
			dp.Attributes().PutStr(signal.AttrGPUUnit, signal.UnitSM)
		}
	}
	return md
}

// spend lets five seconds pass.
func (g *testGPU) spend(joules float64, active float64) {
	g.now += 5 * second
	g.joules += joules
	for _, unit := range []string{signal.UnitGraphics, signal.UnitSM, signal.UnitTensor, signal.UnitDRAM} {
		g.units[unit] += 5 * active
	}
}

// spentBy adds up a sum of a worker over the phases, and tells its parts by phase and when it was.
func spentBy(sink *consumertest.MetricsSink, instance, metric, unit string) (total float64, byPhase map[string]float64, at int64) {
	byPhase = map[string]float64{}
	for _, md := range sink.AllMetrics() {
		for _, rm := range md.ResourceMetrics().All() {
			if derive.Text(rm.Resource().Attributes(), signal.AttrServiceInstanceID) != instance {
				continue
			}
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					if m.Name() != metric || m.Type() != pmetric.MetricTypeSum {
						continue
					}
					for _, dp := range m.Sum().DataPoints().All() {
						if derive.Text(dp.Attributes(), signal.AttrGPUUnit) == unit {
							byPhase[derive.Text(dp.Attributes(), signal.AttrPhase)] = dp.DoubleValue()
							at = int64(dp.Timestamp())
						}
					}
				}
			}
		}
	}
	for _, v := range byPhase {
		total += v
	}
	return total, byPhase, at
}

func feed(t *testing.T, p *phaseAttribution, md pmetric.Metrics) {
	t.Helper()
	md.MarkReadOnly()
	require.NoError(t, p.ConsumeMetrics(context.Background(), md))
}

func sharedBy(t *testing.T, rules ...GPURule) (*phaseAttribution, *walltest.Clock, *consumertest.MetricsSink) {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	cfg.GPUs = rules
	cfg.Prices = objectives.Prices{{PerHour: 3600, Currency: "USD"}}
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, cfg, sink)
	return p, c, sink
}

// run plays scrapes of engines, each followed by the pages of GPUs that gpus writes.
func run(t *testing.T, p *phaseAttribution, c *walltest.Clock, scrapes int, engines []*engine, gpus func()) {
	t.Helper()
	for range scrapes {
		play(t, p, c, 1, 5*time.Second, engines...)
		gpus()
	}
}

// The parts of all workers by phase, with what is nobody's, are the counter, whatever processes do and whether they are told.
func TestASharedGPUIsDividedWithoutRest(t *testing.T) {
	for name, told := range map[string]struct {
		pods, delta bool
		method      string
		surest      float64
	}{
		"by processes":                 {true, false, "_by_process_utilization", 0.3},
		"by processes, increases only": {true, true, "_by_process_utilization", 0.3},
		"by busy time":                 {false, false, "_by_busy_time", 0.2},
	} {
		t.Run(name, func(t *testing.T) {
			p, c, sink := sharedBy(t, GPURule{IDs: []string{"GPU-0"}})
			start := 1_700_000_000 * second
			a, b := newEngine("a:8000", start), newEngine("bb:8001", start)
			a.passes, b.passes = true, true
			a.pod, b.pod = "A", "B"
			g := newTestGPU("GPU-0", "", "NVIDIA H200", start)
			g.delta = told.delta
			rng := rand.New(rand.NewPCG(3, 3))
			run(t, p, c, 120, []*engine{a, b}, func() {
				g.spend(1500+150*rng.Float64(), 0.5+0.05*rng.Float64())
				if told.pods {
					g.processes = map[string]float64{"A": 0.2 + 0.02*rng.Float64(), "B": 0.4 + 0.04*rng.Float64(), "": 0.06 * rng.Float64()}
				}
				feed(t, p, g.page(true))
			})
			g.spend(0, 0)
			feed(t, p, g.page(true))
			check := func(metric, unit string, spent float64) {
				ofA, phasesA, atA := spentBy(sink, "a:8000", metric, unit)
				ofB, phasesB, atB := spentBy(sink, "bb:8001", metric, unit)
				require.Equal(t, atA, atB)
				assert.Equal(t, g.now-5*second, atA)
				assert.InEpsilon(t, spent, ofA+ofB, 0.01, "%s %s", metric, unit) // the first increase is nobody's: there was nothing before
				assert.Positive(t, phasesA[signal.PhasePrefill])
				assert.Positive(t, phasesB[signal.PhaseDecode])
			}
			check(signal.PhaseEnergy, "", g.joules)
			check(signal.PhaseGPUActivity, signal.UnitTensor, g.units[signal.UnitTensor])
			if told.pods {
				_, ofA, _ := spentBy(sink, "a:8000", signal.PhaseEnergy, "")
				_, ofB, _ := spentBy(sink, "bb:8001", signal.PhaseEnergy, "")
				phases := func(of map[string]float64) float64 { return of[signal.PhasePrefill] + of[signal.PhaseDecode] }
				assert.InEpsilon(t, 2, phases(ofB)/phases(ofA), 0.1, "B was twice as busy")
			}
			for _, instance := range []string{"a:8000", "bb:8001"} {
				seconds, _, _ := spentBy(sink, instance, signal.PhaseGPUTime, "")
				elapsed := float64(g.now-5*second-start)/1e9 - 5
				assert.InDelta(t, elapsed/2, seconds, 3, "one GPU is no two")
				money, _, _ := spentBy(sink, instance, signal.PhaseCost, "")
				assert.InDelta(t, elapsed/2, money, 3)
			}
			dp, ok := last(sink, signal.EstimateConfidence, signal.AttrEstimate, signal.EstimateEnergy)
			require.True(t, ok)
			assert.Contains(t, derive.Text(dp.Attributes(), signal.AttrEstimateMethod), told.method)
			assert.LessOrEqual(t, dp.DoubleValue(), told.surest)
		})
	}
}

// A worker that comes and goes changes nothing of the sum.
func TestAGPUThatIsSharedForAWhile(t *testing.T) {
	p, c, sink := sharedBy(t, GPURule{IDs: []string{"GPU-0"}})
	start := 1_700_000_000 * second
	a, b := newEngine("a:8000", start), newEngine("bb:8001", start)
	a.passes, b.passes = true, true
	g := newTestGPU("GPU-0", "", "NVIDIA H200", start)
	rng := rand.New(rand.NewPCG(3, 4))
	gpus := func() {
		g.spend(2000*rng.Float64(), rng.Float64())
		feed(t, p, g.page(true))
	}
	run(t, p, c, 60, []*engine{a}, gpus)
	alone := g.joules
	b.now = a.now - a.now%(5*second)
	run(t, p, c, 40, []*engine{a, b}, gpus)
	shared := g.joules - alone
	ofB, _, _ := spentBy(sink, "bb:8001", signal.PhaseEnergy, "")
	assert.InEpsilon(t, shared/2, ofB, 0.1)
	// b falls silent and is forgotten; a has the GPU for itself again.
	c.Add(20 * time.Minute)
	p.workers.Each(func(w *worker) bool {
		if derive.Text(w.resource.Attributes(), signal.AttrServiceInstanceID) != "bb:8001" {
			return false
		}
		p.joins.remove(w)
		return true
	})
	run(t, p, c, 30, []*engine{a}, gpus)
	ofA, _, at := spentBy(sink, "a:8000", signal.PhaseEnergy, "")
	assert.LessOrEqual(t, at, g.now)
	assert.InEpsilon(t, g.joules, ofA+ofB, 0.03, "each joule is somebody's, and of one only")
}

// Workers of which nothing is known have even parts, none of it by phase.
func TestASharedGPUOfWhichNothingIsKnown(t *testing.T) {
	p, c, sink := sharedBy(t, GPURule{IDs: []string{"GPU-0"}})
	start := 1_700_000_000 * second
	a, b := newEngine("a:8000", start), newEngine("bb:8001", start)
	g := newTestGPU("GPU-0", "", "NVIDIA H200", start)
	run(t, p, c, 8, []*engine{a, b}, func() { // the first windows: no split is known yet
		g.spend(1000, 0.5)
		feed(t, p, g.page(true))
	})
	for _, instance := range []string{"a:8000", "bb:8001"} {
		_, phases, _ := spentBy(sink, instance, signal.PhaseEnergy, "")
		assert.Positive(t, phases[signal.PhaseUnattributed])
		assert.Zero(t, phases[signal.PhaseDecode])
	}
	dp, ok := last(sink, signal.EstimateWithheld, signal.AttrReason, serving.WithheldSharedGPU)
	require.True(t, ok)
	assert.Positive(t, dp.IntValue())
}

// The energy of a GPU is divided between its MIG devices by slices and activity; what nobody holds is unattributed.
func TestMIGDevicesShareTheEnergyOfTheirGPU(t *testing.T) {
	p, c, sink := sharedBy(t, GPURule{Match: GPUMatch{Instance: "a:*"}, IDs: []string{"MIG-a"}}, GPURule{Match: GPUMatch{Instance: "bb:*"}, IDs: []string{"MIG-b"}})
	start := 1_700_000_000 * second
	a, b := newEngine("a:8000", start), newEngine("bb:8001", start)
	a.passes, b.passes = true, true
	parent := newTestGPU("GPU-0", "", "NVIDIA H100 80GB HBM3", start)
	migs := []*testGPU{
		newTestGPU("MIG-a", "GPU-0", "NVIDIA H100 80GB HBM3 MIG 3g.40gb", start),
		newTestGPU("MIG-b", "GPU-0", "NVIDIA H100 80GB HBM3 MIG 2g.20gb", start),
		newTestGPU("MIG-c", "GPU-0", "NVIDIA H100 80GB HBM3 MIG 1g.10gb", start),
	}
	rng := rand.New(rand.NewPCG(3, 5))
	i := 0
	run(t, p, c, 120, []*engine{a, b}, func() {
		// Idle at first: 100 W. Then 60 W more for each slice that is active.
		i++
		watts := 100.0
		all := pmetric.NewMetrics()
		for m, slices := range []float64{3, 2, 1} {
			active := 0.5 + 0.2*rng.Float64()
			if i < 4 {
				active = 0
			}
			watts += 60 * slices * active
			migs[m].spend(0, active)
		}
		parent.spend(5*watts, 0)
		// The GPU before its parts, as the receiver has it.
		parent.page(true).ResourceMetrics().MoveAndAppendTo(all.ResourceMetrics())
		for _, m := range migs {
			m.page(false).ResourceMetrics().MoveAndAppendTo(all.ResourceMetrics())
		}
		feed(t, p, all)
	})
	parent.spend(0, 0)
	feed(t, p, parent.page(true))
	ofA, phasesA, _ := spentBy(sink, "a:8000", signal.PhaseEnergy, "")
	ofB, _, _ := spentBy(sink, "bb:8001", signal.PhaseEnergy, "")
	assert.InEpsilon(t, parent.joules, ofA+ofB, 0.02)
	assert.Positive(t, phasesA[signal.PhasePrefill])
	// 100 W by slices of seven, and 60 W a slice.
	elapsed := float64(parent.now-start)/1e9 - 5
	truthA := elapsed*100*3/7 + 60*3*migs[0].units[signal.UnitGraphics]
	truthB := elapsed*100*2/7 + 60*2*migs[1].units[signal.UnitGraphics]
	nobodys := parent.joules - truthA - truthB // accounted for by both alike
	assert.InEpsilon(t, truthA+nobodys/2, ofA, 0.02)
	assert.InEpsilon(t, truthB+nobodys/2, ofB, 0.02)
	seconds, _, _ := spentBy(sink, "a:8000", signal.PhaseGPUTime, "")
	assert.InDelta(t, elapsed, seconds, 6, "a MIG device counts as one")
	dp, ok := last(sink, signal.EstimateConfidence, signal.AttrEstimate, signal.EstimateEnergy)
	require.True(t, ok)
	assert.Contains(t, derive.Text(dp.Attributes(), signal.AttrEstimateMethod), "_by_mig_slices")
	activity, _, _ := spentBy(sink, "a:8000", signal.PhaseGPUActivity, signal.UnitTensor)
	assert.InEpsilon(t, migs[0].units[signal.UnitTensor], activity, 0.02, "a MIG device has its own activity")
}
