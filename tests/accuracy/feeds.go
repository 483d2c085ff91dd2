package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/stream"
	"github.com/otelcol-inference/otelcol-inference/internal/passes"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// passFeed takes a worker's forward passes as the receiver does, message by message, and writes the points it would.
type passFeed struct {
	reducer *passes.Reducer
	message []byte
}

func newPassFeed() *passFeed { return &passFeed{reducer: passes.NewReducer()} }

func (f *passFeed) take(x fleetsim.Pass) {
	f.message = stream.AppendForwardPass(f.message[:0], stream.ForwardPass{
		Counter: x.Counter, WallTime: x.Seconds,
		Scheduled: stream.ScheduledRequests{
			Prefills: x.Scheduled.PrefillRequests, PrefillTokens: x.Scheduled.PrefillTokens, PrefillKVTokens: x.Scheduled.PrefillKVTokens,
			Decodes: x.Scheduled.DecodeRequests, DecodeKVTokens: x.Scheduled.DecodeKVTokens,
		},
	}, stream.VLLMPasses, false)
	f.reducer.Take(f.message)
}

// append adds the sums to the first resource of md.
func (f *passFeed) append(md pmetric.Metrics, start, now time.Time) {
	ms := md.ResourceMetrics().At(0).ScopeMetrics().AppendEmpty().Metrics()
	totals := f.reducer.Totals()
	for _, m := range []struct {
		name string
		of   func(*passes.Sums) float64
	}{
		{signal.StepCount, func(s *passes.Sums) float64 { return float64(s.Steps) }},
		{signal.StepTime, func(s *passes.Sums) float64 { return s.Time }},
		{signal.StepPrefillTokens, func(s *passes.Sums) float64 { return float64(s.PrefillTokens) }},
		{signal.StepPrefillKVTokens, func(s *passes.Sums) float64 { return float64(s.PrefillKVTokens) }},
		{signal.StepDecodeSequences, func(s *passes.Sums) float64 { return float64(s.DecodeSequences) }},
		{signal.StepDecodeKVTokens, func(s *passes.Sums) float64 { return float64(s.DecodeKVTokens) }},
	} {
		sum := newSum(ms, m.name)
		for c := range totals.Steps {
			dp := sumPoint(sum, m.of(&totals.Steps[c]), start, now)
			dp.Attributes().PutStr(signal.AttrComposition, passes.Composition(c).String())
		}
	}
	durations := ms.AppendEmpty()
	durations.SetName(signal.StepDuration)
	h := durations.SetEmptyHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	for c := range totals.Steps {
		dp := h.DataPoints().AppendEmpty()
		dp.Attributes().PutStr(signal.AttrComposition, passes.Composition(c).String())
		dp.SetStartTimestamp(pcommon.NewTimestampFromTime(start))
		dp.SetTimestamp(pcommon.NewTimestampFromTime(now))
		dp.ExplicitBounds().FromRaw(passes.DurationBounds())
		dp.BucketCounts().FromRaw(totals.Steps[c].Durations)
		dp.SetCount(totals.Steps[c].Steps)
		dp.SetSum(totals.Steps[c].Time)
	}
}

func newSum(ms pmetric.MetricSlice, name string) pmetric.Sum {
	m := ms.AppendEmpty()
	m.SetName(name)
	sum := m.SetEmptySum()
	sum.SetIsMonotonic(true)
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	return sum
}

func sumPoint(sum pmetric.Sum, v float64, start, now time.Time) pmetric.NumberDataPoint {
	dp := sum.DataPoints().AppendEmpty()
	dp.SetStartTimestamp(pcommon.NewTimestampFromTime(start))
	dp.SetTimestamp(pcommon.NewTimestampFromTime(now))
	dp.SetDoubleValue(v)
	return dp
}

// gpuFeed writes the points of a worker's GPUs. What the energy counter adds between two readings is wrong by a random factor, the
// same on all of them, whose noise would otherwise average out.
type gpuFeed struct {
	gpus         int
	random       *rand.Rand
	before, told float64 // J of one GPU
	history      []toldEnergy
}

// toldEnergy is a reading of an energy counter.
type toldEnergy struct {
	at     int64 // unix nanoseconds
	joules float64
}

// remembered bounds the readings kept: the processor's windows end at most this many scrapes ago.
const remembered = 16

// toldAt is what the counters of all GPUs together showed, in proportion to time between two readings.
func (f *gpuFeed) toldAt(at int64) float64 {
	for i := 1; i < len(f.history); i++ {
		a, b := f.history[i-1], f.history[i]
		if a.at <= at && at <= b.at {
			return float64(f.gpus) * (a.joules + (b.joules-a.joules)*float64(at-a.at)/float64(b.at-a.at))
		}
	}
	return 0
}

// energyNoise is the standard deviation of that factor.
const energyNoise = 0.05

func newGPUFeed(gpus int, seed uint64) *gpuFeed {
	return &gpuFeed{gpus: gpus, random: rand.New(rand.NewPCG(seed, 43))}
}

// append adds one resource per GPU to md.
func (f *gpuFeed) append(md pmetric.Metrics, g fleetsim.GPUTruth, start, now time.Time) {
	f.told += (g.EnergyJoules - f.before) * max(0, 1+energyNoise*f.random.NormFloat64())
	f.before = g.EnergyJoules
	if len(f.history) == remembered {
		f.history = append(f.history[:0], f.history[1:]...)
	}
	f.history = append(f.history, toldEnergy{now.UnixNano(), f.told})
	for i := range f.gpus {
		rm := md.ResourceMetrics().AppendEmpty()
		rm.Resource().Attributes().PutStr(signal.AttrHWID, fmt.Sprintf("GPU-%d", i))
		rm.Resource().Attributes().PutStr(signal.AttrHWType, signal.HWTypeGPU)
		ms := rm.ScopeMetrics().AppendEmpty().Metrics()
		sumPoint(newSum(ms, signal.HWEnergy), f.told, start, now)
		activity := newSum(ms, signal.GPUActivityTime)
		for _, u := range []struct {
			unit    string
			seconds float64
		}{
			{signal.UnitGraphics, g.BusySeconds}, {signal.UnitTensor, g.TensorSeconds},
			{signal.UnitSM, g.SMSeconds}, {signal.UnitDRAM, g.DRAMSeconds},
		} {
			sumPoint(activity, u.seconds, start, now).Attributes().PutStr(signal.AttrGPUUnit, u.unit)
		}
	}
}
