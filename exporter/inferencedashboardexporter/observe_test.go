package inferencedashboardexporter

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// at begins on a bin of the trailing window.
func at(s float64) time.Time {
	return time.Unix(1_000_000, 0).Add(time.Duration(s * float64(time.Second)))
}

func newTestTracker(workers int) *tracker {
	return newTracker(workers, func() *history { return newHistory(extent{5 * time.Second, 60}, extent{}) })
}

// engine returns a batch of one worker with the metrics that add puts into it.
func engine(add func(pmetric.MetricSlice)) pmetric.Metrics {
	md := pmetric.NewMetrics()
	add((&fakeWorker{instance: "a:1", engine: "vllm", fleet: "f"}).resource(md))
	return md
}

func only(t *tracker) *worker { return t.all()[0] }

func TestObserveGauges(t *testing.T) {
	tr := newTestTracker(10)
	send := func(s float64, add func(pmetric.MetricSlice)) tally {
		md := engine(add)
		md.MarkReadOnly()
		return tr.observe(md, at(s))
	}
	send(0, func(ms pmetric.MetricSlice) {
		addGauge(ms, signal.Waiting, at(0), 3, map[string]any{signal.AttrWaitReason: "capacity"})
		addGauge(ms, signal.Waiting, at(0), 4, map[string]any{signal.AttrWaitReason: "deferred"})
		addGauge(ms, signal.Waiting, at(-5), 9, map[string]any{signal.AttrWaitReason: "old"})
	})
	w := only(tr)
	assert.Equal(t, some(7), w.waiting.number, "reasons add up, a reason of an older time does not")

	send(5, func(ms pmetric.MetricSlice) { addGauge(ms, signal.Waiting, at(5), 2, nil) })
	assert.Equal(t, some(2), w.waiting.number, "one point without reason")

	got := send(6, func(ms pmetric.MetricSlice) { addGauge(ms, signal.Waiting, at(4), 8, nil) })
	assert.Equal(t, int64(1), got[rejectOutOfOrder])
	got = send(7, func(ms pmetric.MetricSlice) {
		addGauge(ms, signal.Waiting, at(7), math.NaN(), nil)
		addGauge(ms, signal.Running, at(7), math.Inf(1), nil)
	})
	assert.Equal(t, int64(2), got[rejectNotANumber])
	got = send(8, func(ms pmetric.MetricSlice) {
		addGauge(ms, signal.Waiting, at(-200), 1, nil)
		addGauge(ms, signal.Running, at(400), 1, nil)
	})
	assert.Equal(t, int64(2), got[rejectOutOfTime])
	assert.Equal(t, some(2), w.waiting.number)

	heard := w.engine.last
	send(9, func(ms pmetric.MetricSlice) { addGauge(ms, signal.Waiting, at(1), 1, nil) })
	assert.Equal(t, heard, w.engine.last, "a refused point is no sign of life")

	send(10, func(ms pmetric.MetricSlice) {
		p := addGauge(ms, signal.Waiting, at(10), math.NaN(), nil)
		p.SetFlags(p.Flags().WithNoRecordedValue(true))
	})
	assert.False(t, w.waiting.ok, "the stream ended")
}

func TestObserveHistograms(t *testing.T) {
	tr := newTestTracker(10)
	send := func(s float64, start time.Time, bounds []float64, counts []uint64) tally {
		return tr.observe(engine(func(ms pmetric.MetricSlice) { addHistogram(ms, signal.TTFT, start, at(s), bounds, counts) }), at(s))
	}
	bounds := []float64{1, 2}
	send(0, at(-100), bounds, []uint64{5, 5, 5})
	w := only(tr)
	counts := func(s float64) []float64 { return w.ttft.distribution(at(s)).Counts }
	assert.Nil(t, counts(0), "the first point has no increase")
	send(5, at(-100), bounds, []uint64{6, 7, 5})
	assert.Equal(t, []float64{1, 2, 0}, counts(5))
	send(10, at(8), bounds, []uint64{1, 0, 1})
	assert.Equal(t, []float64{2, 2, 1}, counts(10), "after a restart all was counted since")
	got := send(10, at(8), bounds, []uint64{9, 9, 9})
	assert.Equal(t, int64(1), got[rejectOutOfOrder])
	assert.Nil(t, counts(100), "the window has passed")

	for name, tt := range map[string]struct {
		bounds []float64
		counts []uint64
	}{
		"counts do not fit": {bounds, []uint64{1}},
		"bounds fall":       {[]float64{2, 1}, []uint64{1, 1, 1}},
		"bounds repeat":     {[]float64{1, 1}, []uint64{1, 1, 1}},
		"a bound is NaN":    {[]float64{1, math.NaN()}, []uint64{1, 1, 1}},
		"too many bounds":   {make([]float64, maxBounds+1), make([]uint64, maxBounds+2)},
		"none at all":       {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := send(15, at(8), tt.bounds, tt.counts)
			assert.Equal(t, int64(1), got[rejectMalformed])
		})
	}

	send(20, at(8), []float64{1, 2, 3}, []uint64{1, 1, 1, 1})
	send(25, at(8), []float64{1, 2, 3}, []uint64{1, 2, 1, 1})
	assert.Equal(t, []float64{0, 1, 0, 0}, counts(25), "another layout starts over")
	send(30, at(8), []float64{1, 2, 3, math.Inf(1)}, []uint64{1, 2, 1, 2, 1})
	assert.Equal(t, []float64{0, 1, 0, 2}, counts(30), "+Inf as a bound is no bound")
}

func TestObserveDeltaHistogram(t *testing.T) {
	tr := newTestTracker(10)
	md := engine(func(ms pmetric.MetricSlice) {
		addHistogram(ms, signal.ITL, at(0), at(5), []float64{1}, []uint64{2, 1})
		ms.At(0).Histogram().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	})
	tr.observe(md, at(5))
	assert.Equal(t, []float64{2, 1}, only(tr).itl.distribution(at(5)).Counts)
	got := tr.observe(md, at(6))
	assert.Equal(t, int64(1), got[rejectOutOfOrder], "the same delta twice counts once")
}

func TestObserveUnsupportedTypes(t *testing.T) {
	tr := newTestTracker(10)
	got := tr.observe(engine(func(ms pmetric.MetricSlice) {
		m := ms.AppendEmpty()
		m.SetName(signal.TTFT)
		m.SetEmptySummary().DataPoints().AppendEmpty()
		m = ms.AppendEmpty()
		m.SetName(signal.Running)
		m.SetEmptyExponentialHistogram().DataPoints().AppendEmpty()
		m = ms.AppendEmpty()
		m.SetName("llm.something.else")
		m.SetEmptyGauge().DataPoints().AppendEmpty()
	}), at(0))
	assert.Equal(t, int64(2), got[rejectUnsupported], "metrics that are not shown are no rejections")
}

func TestObserveDerived(t *testing.T) {
	tr := newTestTracker(10)
	f := newFakeWorker("a:1", at(0))
	f.imbalance, f.withheld = 0.7, ""
	f.run(5 * time.Second)
	tr.observe(f.engineBatch(at(5)), at(5))
	rejected := tr.observe(f.derivedBatch(at(5)), at(5))
	assert.Equal(t, tally{}, rejected)
	w := only(tr)
	assert.Equal(t, some(0.7), w.fresh(w.imbalance, at(6)))
	assert.False(t, w.fresh(w.imbalance, at(60)).ok, "the processor fell silent")
	assert.InDelta(t, 0.5, w.shares(at(5))[0].value, 1e-9, "the first windows count: their start time is exact")
	assert.Equal(t, 0.9, w.objectives[1].quantile, "a quantile written as text")
	assert.True(t, w.objectives[0].implied)
	assert.True(t, w.objectives[1].implied)
	assert.Equal(t, signal.RoleAggregated, w.identity.Role)

	f.withheld = "too_few_requests"
	f.run(5 * time.Second)
	tr.observe(f.derivedBatch(at(10)), at(10))
	assert.Equal(t, "too_few_requests", w.withheldReason(at(10)))
	assert.Empty(t, w.withheldReason(at(100)))

	rejected = tr.observe(engine(func(ms pmetric.MetricSlice) {
		addSum(ms, signal.PhaseWorkerTime, at(0), at(15), 1, map[string]any{signal.AttrPhase: "queue"})
		addGauge(ms, signal.PhasePressure, at(15), 1, nil)
		addGauge(ms, signal.Objective, at(15), 1, nil)
	}), at(15))
	assert.Zero(t, rejected[rejectFull])
	assert.Equal(t, int64(3), rejected[rejectMalformed])
}
