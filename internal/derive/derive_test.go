package derive

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

const second = int64(time.Second)

func newTestIntake() (*Intake, *window.Aligner) {
	a := window.NewAligner(window.Config{Width: 5 * time.Second, Lateness: 5 * time.Second, MaxGap: time.Minute}, 2, 1)
	counters := map[string]int{"sum": 0, "histogram": 1}
	in := Inputs{}
	for name, key := range counters {
		in[name] = &Input{name: name, Counter: Always(key)}
	}
	in["gauge"] = &Input{name: "gauge", Gauge: Always(0)}
	in["nothing"] = &Input{name: "nothing"}
	return &Intake{Into: a, Inputs: in}, a
}

func point(dp pmetric.NumberDataPoint, at int64, v float64) {
	dp.SetStartTimestamp(1)
	dp.SetTimestamp(pcommon.Timestamp(at))
	dp.SetDoubleValue(v)
}

func TestPointsOfOneInputAddUp(t *testing.T) {
	in, a := newTestIntake()
	for at := 5 * second; at <= 15*second; at += 5 * second {
		m := pmetric.NewMetric()
		m.SetName("sum")
		m.SetEmptySum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		for range 3 {
			point(m.Sum().DataPoints().AppendEmpty(), at, float64(at)/1e9)
		}
		h := pmetric.NewMetric()
		h.SetName("histogram")
		h.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		dp := h.Histogram().DataPoints().AppendEmpty()
		dp.SetStartTimestamp(1)
		dp.SetTimestamp(pcommon.Timestamp(at))
		dp.ExplicitBounds().FromRaw([]float64{1})
		dp.BucketCounts().FromRaw([]uint64{uint64(at / second), 0})
		dp.SetCount(uint64(at / second))
		g := pmetric.NewMetric()
		g.SetName("gauge")
		point(g.SetEmptyGauge().DataPoints().AppendEmpty(), at, 7)
		in.Begin(time.Unix(100, 0))
		for _, m := range []pmetric.Metric{m, h, g} {
			assert.Zero(t, in.Read(m))
		}
	}
	win, ok := a.Close()
	require.True(t, ok)
	assert.InDelta(t, 3*10, win.Totals[0].Sum, 1e-9)
	assert.InDelta(t, 10, win.Totals[1].Counts[0], 1e-9)
	assert.InDelta(t, 7, win.Levels[0].Mean, 1e-9)
}

// TestDeltasOfSeveralTimes: what a batch gathered of several intervals counts whole, in whichever order it has them, and is bounded.
func TestDeltasOfSeveralTimes(t *testing.T) {
	delta := func(in *Intake, intervals ...[2]int64) (late int) {
		m, h := pmetric.NewMetric(), pmetric.NewMetric()
		m.SetName("sum")
		m.SetEmptySum().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
		h.SetName("histogram")
		h.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
		for _, i := range intervals {
			dp := m.Sum().DataPoints().AppendEmpty()
			point(dp, i[1], 10)
			dp.SetStartTimestamp(pcommon.Timestamp(i[0]))
			hp := h.Histogram().DataPoints().AppendEmpty()
			hp.SetStartTimestamp(pcommon.Timestamp(i[0]))
			hp.SetTimestamp(pcommon.Timestamp(i[1]))
			hp.ExplicitBounds().FromRaw([]float64{1})
			hp.BucketCounts().FromRaw([]uint64{3, 1})
			hp.SetCount(4)
		}
		in.Begin(time.Unix(1000, 0))
		return in.Read(m) + in.Read(h)
	}
	one, two, three := [2]int64{5 * second, 7 * second}, [2]int64{7 * second, 9 * second}, [2]int64{9 * second, 12 * second}
	for name, intervals := range map[string][][2]int64{
		"in order":     {one, two, three},
		"the other":    {three, two, one},
		"two of each":  {two, one, three, three, one, two},
		"one the last": {three, one, two},
	} {
		in, a := newTestIntake()
		assert.Zero(t, delta(in, intervals...), name)
		win, ok := a.Close()
		require.True(t, ok, name)
		each := float64(len(intervals)) / 3
		assert.InDelta(t, each*(10+10+10/3.0), win.Totals[0].Sum, 1e-9, name)
		assert.InDeltaSlice(t, []float64{each * (3 + 3 + 1), each * (1 + 1 + 1/3.0)}, win.Totals[1].Counts, 1e-9, name)
	}

	in, _ := newTestIntake()
	many := make([][2]int64, 0, maxTotals+3)
	for i := range int64(maxTotals + 3) {
		many = append(many, [2]int64{5*second + i, 5*second + i + 1})
	}
	assert.Equal(t, 2*3, delta(in, many...), "of the sum and of the histogram")
	assert.Len(t, in.Room.totals, maxTotals)
}

// TestOfCumulativePointsTheNewestCount: what another series told at another time cannot be added to it.
func TestOfCumulativePointsTheNewestCount(t *testing.T) {
	in, a := newTestIntake()
	for _, times := range [][]int64{{5, 4}, {9, 10}, {12, 11}} {
		m := pmetric.NewMetric()
		m.SetName("sum")
		m.SetEmptySum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		for _, at := range times {
			point(m.Sum().DataPoints().AppendEmpty(), at*second, float64(10*at))
		}
		in.Begin(time.Unix(100, 0))
		assert.Zero(t, in.Read(m))
	}
	win, ok := a.Close()
	require.True(t, ok)
	assert.InDelta(t, 50, win.Totals[0].Sum, 1e-9)
}

func TestTimesThatCannotBeAreCounted(t *testing.T) {
	in, _ := newTestIntake()
	for name, at := range map[string]int64{"no time": 0, "the far future": 10_000 * second} {
		m := pmetric.NewMetric()
		m.SetName("sum")
		point(m.SetEmptySum().DataPoints().AppendEmpty(), at, 1)
		in.Begin(time.Unix(100, 0))
		assert.Equal(t, 1, in.Read(m), name)
	}
	other := pmetric.NewMetric()
	other.SetName("other")
	point(other.SetEmptySum().DataPoints().AppendEmpty(), 0, 1)
	assert.Zero(t, in.Read(other), "no input")
}

func TestGaugesThatGoAreMarked(t *testing.T) {
	table := map[string]signal.Metric{"a": {Name: "a", Unit: "By"}, "s": {Name: "s", Unit: "1"}}
	var gauges Gauges
	resource := pcommon.NewResource()
	resource.Attributes().PutStr("x", "y")
	build := func(values ...string) pmetric.MetricSlice {
		out := pmetric.NewMetrics()
		b := NewBuilder(table, "scope", resource, 1, 2, &gauges, out)
		for _, v := range values {
			b.Gauge("a", 1, "k", v)
		}
		b.Sum("s").SetIntValue(1)
		b.Finish()
		require.Equal(t, 1, out.ResourceMetrics().Len())
		return out.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics()
	}
	ms := build("one", "two")
	require.Equal(t, 2, ms.Len())
	assert.Equal(t, 2, ms.At(0).Gauge().DataPoints().Len())
	assert.Equal(t, "By", ms.At(0).Unit())
	assert.False(t, gauges.Empty())
	ms = build("two")
	require.Equal(t, 3, ms.Len())
	gone := ms.At(2).Gauge().DataPoints().At(0)
	assert.True(t, gone.Flags().NoRecordedValue())
	assert.Equal(t, "one", Text(gone.Attributes(), "k"))
	assert.Equal(t, 2, build("two").Len())
}

func TestRegistryAndChange(t *testing.T) {
	var r Registry
	id := component.MustNewID("p")
	require.NoError(t, r.Acquire(id))
	assert.ErrorContains(t, r.Acquire(id), `"p/2"`)
	r.Release(id)
	require.NoError(t, r.Acquire(id))
	var c Change
	assert.False(t, c.To(false))
	assert.True(t, c.To(true))
	assert.False(t, c.To(true))
	assert.True(t, c.To(false))
}

// TestPointsHaveTheirPlace: what a metric is is found again when a batch has another order, and a batch costs no allocation.
func TestPointsHaveTheirPlace(t *testing.T) {
	in, a := newTestIntake()
	at := 5 * second
	metrics := make([]pmetric.Metric, 0, 4)
	for _, name := range []string{"sum", "nothing", "not of the vocabulary", "gauge"} {
		m := pmetric.NewMetric()
		m.SetName(name)
		if name == "gauge" {
			m.SetEmptyGauge().DataPoints().AppendEmpty()
		} else {
			m.SetEmptySum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
			m.Sum().DataPoints().AppendEmpty()
		}
		metrics = append(metrics, m)
	}
	read := func(order ...int) {
		at += second / 1000
		in.Begin(time.Unix(100, 0))
		for _, i := range order {
			if m := metrics[i]; m.Type() == pmetric.MetricTypeGauge {
				point(m.Gauge().DataPoints().At(0), at, 7)
			} else {
				point(m.Sum().DataPoints().At(0), at, float64(at)/1e9)
			}
			assert.Zero(t, in.Read(metrics[i]))
		}
	}
	read(0, 1, 2, 3)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		at += second / 1000
		in.Begin(time.Unix(100, 0))
		for _, m := range metrics {
			if m.Type() == pmetric.MetricTypeGauge {
				m.Gauge().DataPoints().At(0).SetTimestamp(pcommon.Timestamp(at))
			} else {
				m.Sum().DataPoints().At(0).SetTimestamp(pcommon.Timestamp(at))
			}
			in.Read(m)
		}
	}))
	read(3, 2, 1, 0)
	read(3, 0)
	at = 11*second - second/1000
	read(0, 1, 2, 3)
	win, ok := a.Close()
	require.True(t, ok)
	assert.InDelta(t, 10-5.001, win.Totals[0].Sum, 1e-9)
	assert.InDelta(t, 7, win.Levels[0].Mean, 1e-9)
}

// TestGaugesThatMoveAreNotGone: a batch may have another order than the one before.
func TestGaugesThatMoveAreNotGone(t *testing.T) {
	var gauges Gauges
	build := func(values ...string) (gone []string) {
		out := pmetric.NewMetrics()
		b := NewBuilder(map[string]signal.Metric{}, "scope", pcommon.NewResource(), 1, 2, &gauges, out)
		for _, v := range values {
			b.Gauge("a", 1, "k", v)
		}
		b.Finish()
		for _, m := range out.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
			for _, dp := range m.Gauge().DataPoints().All() {
				if dp.Flags().NoRecordedValue() {
					gone = append(gone, Text(dp.Attributes(), "k"))
				}
			}
		}
		return gone
	}
	assert.Empty(t, build("1", "2", "3", "4"))
	assert.Empty(t, build("4", "2", "1", "3"))
	assert.Equal(t, []string{"2", "1"}, build("3", "5", "4"))
	assert.Equal(t, []string{"3", "5", "4"}, build())
	assert.Empty(t, build("6"))
}

func TestIntervalIsTheLongestGapLately(t *testing.T) {
	var i time.Duration
	gaps := func(all ...time.Duration) time.Duration {
		for _, gap := range all {
			i = Interval(i, gap*time.Second)
		}
		return i
	}
	assert.Equal(t, 30*time.Second, gaps(2, 28, 2, 28, 2, 30))
	for range 1000 {
		gaps(0)
	}
	assert.Equal(t, 30*time.Second, gaps(-1), "a thousand at once, one of them by an earlier look at the clock")
	for range 20 {
		gaps(5)
	}
	assert.Equal(t, 5*time.Second, gaps(5), "it is scraped more often now")
	assert.Equal(t, 60*time.Second, gaps(60))
}

// ticking is a clock that ticks when it is told to.
type ticking chan time.Time

func (ticking) Now() time.Time                                   { return time.Time{} }
func (c ticking) Ticks(time.Duration) (<-chan time.Time, func()) { return c, func() { close(c) } }

func TestSweeper(t *testing.T) {
	var s Sweeper
	assert.False(t, s.Stop())
	c, swept := make(ticking), 0
	s.Start(t.Context(), c, time.Second, func(context.Context) { swept++ })
	c <- time.Time{}
	c <- time.Time{}
	assert.True(t, s.Stop())
	assert.Equal(t, 2, swept)
	_, open := <-c
	assert.False(t, open, "the ticks are ended")
	assert.False(t, s.Stop())
}
