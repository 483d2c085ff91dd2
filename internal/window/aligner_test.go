package window

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const second = int64(time.Second)

func newTestAligner(counters, gauges int) *Aligner {
	return NewAligner(Config{Width: 5 * time.Second, Lateness: 5 * time.Second, MaxGap: time.Minute}, counters, gauges)
}

func TestBoundarySplitsAnIncreaseInProportion(t *testing.T) {
	a := newTestAligner(1, 0)
	assert.Equal(t, Baseline, a.Observe(0, 3*second, 1, Value{Sum: 100}))
	assert.Equal(t, Counted, a.Observe(0, 8*second, 1, Value{Sum: 200}))
	w, ok := a.Close()
	require.True(t, ok)
	assert.Equal(t, []int64{0, 5 * second}, []int64{w.From, w.To})
	assert.InDelta(t, 40, w.Totals[0].Sum, 1e-9)
	assert.InDelta(t, 2, w.Covered[0], 1e-9)

	a.Observe(0, 13*second, 1, Value{Sum: 250})
	w, ok = a.Close()
	require.True(t, ok)
	assert.InDelta(t, 60+50*2.0/5, w.Totals[0].Sum, 1e-9)
	assert.InDelta(t, 5, w.Covered[0], 1e-9)
}

func TestAfterARestartTimesMayBeEarlier(t *testing.T) {
	a := newTestAligner(1, 1)
	hour := 3600 * second
	a.Observe(0, hour, 1, Value{Sum: 100})
	a.ObserveGauge(0, hour, 1)
	assert.Equal(t, Late, a.Observe(0, 3*second, 1, Value{Sum: 110}))
	a.Restart()
	assert.Equal(t, Baseline, a.Observe(0, 3*second, 1, Value{Sum: 120}))
	assert.Equal(t, Counted, a.ObserveGauge(0, 3*second, 2))
	assert.Equal(t, Counted, a.Observe(0, 8*second, 1, Value{Sum: 220}))
	w, ok := a.Close()
	require.True(t, ok)
	assert.Equal(t, []int64{0, 5 * second}, []int64{w.From, w.To})
	assert.InDelta(t, 40, w.Totals[0].Sum, 1e-9, "nothing is counted over the step")
}

func TestWindowsBetweenTwoScrapesComeAsOne(t *testing.T) {
	a := newTestAligner(1, 0)
	a.Observe(0, 5*second, 1, Value{Sum: 0})
	a.Observe(0, 22*second, 1, Value{Sum: 170})
	w, ok := a.Close()
	require.True(t, ok)
	assert.InDelta(t, 15, w.Seconds(), 1e-9)
	assert.InDelta(t, 150, w.Totals[0].Sum, 1e-9)
	_, ok = a.Close()
	assert.False(t, ok)
}

func TestResets(t *testing.T) {
	for name, c := range map[string]struct {
		start int64
		value float64
		want  float64
	}{
		"a new start time, more than before": {start: 6 * second, value: 500, want: 500},
		"a decrease without a start time":    {start: 0, value: 30, want: 30},
		"a decrease with the old start time": {start: 1, value: 30, want: 30},
	} {
		t.Run(name, func(t *testing.T) {
			a := newTestAligner(1, 0)
			a.Observe(0, 5*second, min(c.start, 1), Value{Sum: 100})
			assert.Equal(t, Reset, a.Observe(0, 10*second, c.start, Value{Sum: c.value}))
			w, ok := a.Close()
			require.True(t, ok)
			assert.InDelta(t, c.want, w.Totals[0].Sum, 1e-9)
		})
	}
}

func TestOtherBucketsWithoutARestartAreABaseline(t *testing.T) {
	a := newTestAligner(1, 0)
	a.Observe(0, second, 1, Value{Count: 5, Bounds: []float64{1}, Counts: []float64{2, 3}})
	other := Value{Count: 4, Bounds: []float64{1, 2}, Counts: []float64{1, 1, 2}}
	assert.Equal(t, Baseline, a.Observe(0, 6*second, 1, other))
	assert.Equal(t, Reset, a.Observe(0, 11*second, 10*second, Value{Count: 1, Bounds: []float64{3}, Counts: []float64{1, 0}}),
		"a new start time is a restart, whatever the buckets")
}

func TestAGapIsNotBridgedAndInNoWindow(t *testing.T) {
	a := newTestAligner(1, 0)
	a.Observe(0, second, 1, Value{Sum: 1})
	assert.Equal(t, Baseline, a.Observe(0, 100*second, 1, Value{Sum: 1000}))
	_, ok := a.Close()
	assert.False(t, ok)
	a.Observe(0, 106*second, 1, Value{Sum: 1006})
	w, ok := a.Close()
	require.True(t, ok)
	assert.Equal(t, []int64{100 * second, 105 * second}, []int64{w.From, w.To})
	assert.InDelta(t, 5, w.Totals[0].Sum, 1e-9)
}

func TestTimesThatCannotBe(t *testing.T) {
	a := newTestAligner(1, 0)
	assert.Equal(t, Late, a.Observe(0, 0, 0, Value{Sum: 1}))
	assert.Equal(t, Late, a.ObserveDelta(0, 0, -5, Value{Sum: 1}))
	assert.Equal(t, Baseline, a.ObserveDelta(0, 0, 3*second, Value{Sum: 7}), "a first delta that does not say since when")
	assert.Equal(t, Counted, a.ObserveDelta(0, 0, 8*second, Value{Sum: 10}))
	w, ok := a.Close()
	require.True(t, ok)
	assert.InDelta(t, 4, w.Totals[0].Sum, 1e-9)
	assert.Equal(t, Baseline, a.Observe(0, 9*second, 1, Value{Sum: 1e9, Count: 1e9, Bounds: []float64{1}, Counts: []float64{0, 1e9}}),
		"from delta to cumulative")
}

func TestLateObservationsAreRefused(t *testing.T) {
	a := newTestAligner(1, 1)
	a.Observe(0, 10*second, 1, Value{Sum: 5})
	assert.Equal(t, Late, a.Observe(0, 10*second, 1, Value{Sum: 6}))
	assert.Equal(t, Late, a.ObserveDelta(0, 1*second, 9*second, Value{Sum: 6}))
	a.ObserveGauge(0, 10*second, 1)
	assert.Equal(t, Late, a.ObserveGauge(0, 9*second, 1))
}

func TestALaggingSeriesHoldsAWindowOnlyAsLongAsTheLateness(t *testing.T) {
	a := newTestAligner(2, 0)
	for key := range 2 {
		a.Observe(key, 5*second, 1, Value{})
	}
	a.Observe(0, 11*second, 1, Value{Sum: 6})
	_, ok := a.Close()
	assert.False(t, ok, "the other series has not passed the end")
	a.Observe(0, 16*second, 1, Value{Sum: 11})
	w, ok := a.Close()
	require.True(t, ok, "lateness ran out")
	assert.Equal(t, 10*second, w.To)
	assert.InDelta(t, 5, w.Totals[0].Sum, 1e-9)
	assert.Zero(t, w.Covered[1])
	for key := range 2 {
		a.Observe(key, 21*second, 1, Value{Sum: 16})
	}
	w, ok = a.Close()
	require.True(t, ok)
	assert.InDelta(t, 15, w.Totals[1].Sum, 1e-9, "nothing is lost")
	assert.InDelta(t, 10, w.Covered[1], 1e-9)
	assert.InDelta(t, 15, w.Spanned[1], 1e-9, "of which so much is told")
}

func TestDeltasNeedNoBaseline(t *testing.T) {
	a := newTestAligner(1, 0)
	a.ObserveDelta(0, 5*second, 10*second, Value{Sum: 10})
	a.ObserveDelta(0, 10*second, 15*second, Value{Sum: 20})
	w, ok := a.Close()
	require.True(t, ok)
	assert.InDelta(t, 30, w.Totals[0].Sum, 1e-9)
	assert.InDelta(t, 10, w.Covered[0], 1e-9)
}

func TestGaugesCoverTheLooksAroundTheWindow(t *testing.T) {
	a := newTestAligner(1, 1)
	for i, v := range []float64{4, 0, 2} {
		at := int64(i)*4*second + second
		a.Observe(0, at, 1, Value{Sum: float64(at)})
		a.ObserveGauge(0, at, v)
	}
	w, ok := a.Close()
	require.True(t, ok)
	assert.Equal(t, Level{Seen: true, Min: 0, Mean: 2}, w.Levels[0], "looks at 1 s and 5 s")
	a.Observe(0, 10*second, 1, Value{Sum: 1e12})
	w, _ = a.Close()
	assert.Equal(t, Level{Seen: true, Min: 0, Mean: 1}, w.Levels[0], "looks at 5 s and 9 s")
}

func TestAGaugeWithoutCountersIsBounded(t *testing.T) {
	a := newTestAligner(1, 1)
	for i := range int64(10_000) {
		a.ObserveGauge(0, i*second, 1)
	}
	assert.LessOrEqual(t, len(a.gauges[0].samples), maxGaugeSamples)
}

// Whatever the scrape times and restarts, every increase is counted once: the windows add up to what the counter counted.
func TestNothingIsLostOrCountedTwice(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		a := newTestAligner(1, 0)
		at, start, value, counted := second, second, 0.0, 0.0
		a.Observe(0, at, start, Value{})
		var total, covered float64
		take := func(w Window, ok bool) {
			if ok {
				total += w.Totals[0].Sum
				covered += w.Covered[0]
			}
		}
		for range 50 {
			at += 1 + rng.Int64N(12*second)
			if rng.Float64() < 0.1 { // a restart somewhere since the last look
				start, value = at-rng.Int64N(second)/2-1, 0
			}
			more := rng.Float64() * 100
			value += more
			counted += more
			a.Observe(0, at, start, Value{Sum: value})
			take(a.Close())
		}
		a.Observe(0, at+30*second, start, Value{Sum: value})
		take(a.Flush())
		require.InDelta(t, counted, total, 1e-6, "seed %d", seed)
		require.LessOrEqual(t, covered, float64(at+30*second)/1e9)
	}
}

func BenchmarkObserveAndClose(b *testing.B) {
	a := newTestAligner(1, 0)
	bounds := make([]float64, 20)
	counts := make([]float64, 21)
	for i := range bounds {
		bounds[i] = float64(i + 1)
	}
	b.ReportAllocs()
	for i := range int64(b.N) {
		counts[3]++
		a.Observe(0, i*5*second, 1, Value{Count: float64(i), Sum: float64(i), Bounds: bounds, Counts: counts})
		a.Close()
	}
}

func TestACounterMayJoinLater(t *testing.T) {
	a := newTestAligner(1, 0)
	a.Observe(0, 1*second, 1, Value{Sum: 0})
	a.Observe(0, 7*second, 1, Value{Sum: 6})
	_, ok := a.Close()
	require.True(t, ok)
	a.Grow(3)
	a.Grow(2) // never shrinks
	a.Observe(2, 8*second, 1, Value{Sum: 100})
	a.Observe(2, 11*second, 1, Value{Sum: 130})
	a.Observe(0, 11*second, 1, Value{Sum: 10})
	w, ok := a.Close()
	require.True(t, ok)
	require.Len(t, w.Totals, 3)
	assert.InDelta(t, 6-4+3, w.Totals[0].Sum, 1e-9)
	assert.InDelta(t, 20, w.Totals[2].Sum, 1e-9)
	assert.InDelta(t, 2, w.Covered[2], 1e-9)
}

// TestBetweenBoundariesNothingIsAllocated: observations of the same buckets are added up in place.
func TestBetweenBoundariesNothingIsAllocated(t *testing.T) {
	a := NewAligner(Config{Width: time.Hour, Lateness: time.Second, MaxGap: time.Minute}, 1, 0)
	at, v := int64(0), Value{Bounds: []float64{1, 2}, Counts: []float64{0, 0, 0}}
	observe := func() {
		at += second
		v.Sum, v.Count, v.Counts[1] = v.Sum+2, v.Count+1, v.Counts[1]+1
		a.Observe(0, at, 1, v)
	}
	observe()
	observe()
	assert.Zero(t, testing.AllocsPerRun(100, observe))
	a.Observe(0, 3601*second, 1, v) // MaxGap is far exceeded: a window begins anew
	assert.Empty(t, a.series[0].open)
}

// TestObservationsMayBeWrittenAgain: the slices of what is observed stay the caller's, and those of a window are its own.
func TestObservationsMayBeWrittenAgain(t *testing.T) {
	a := newTestAligner(1, 0)
	bounds, counts := []float64{1}, []float64{0, 0}
	var wins []Window
	for i := range int64(40) {
		bounds[0], counts[0], counts[1] = 1, float64(i), 0
		a.Observe(0, 700*int64(time.Millisecond)*(i+1), 1, Value{Count: float64(i), Bounds: bounds, Counts: counts})
		bounds[0], counts[0], counts[1] = -7, -7, -7
		if w, ok := a.Close(); ok {
			wins = append(wins, w)
		}
	}
	require.Len(t, wins, 5)
	for _, w := range wins[1:] {
		assert.Equal(t, []float64{1}, w.Totals[0].Bounds)
		assert.InDelta(t, 5/0.7, w.Totals[0].Counts[0], 1e-9, "a second has 1/0.7 of them")
		assert.InDelta(t, 5, w.Covered[0], 1e-9)
	}
}

func TestWhatFits(t *testing.T) {
	bounds := []float64{1, 2}
	of := func(bounds ...float64) Value { return Value{Bounds: bounds, Counts: make([]float64, len(bounds)+1)} }
	for name, c := range map[string]struct {
		v, d Value
		want bool
	}{
		"nothing yet":          {Value{}, of(1, 2), true},
		"no counts":            {of(1, 2), Value{Sum: 1}, true},
		"the very same":        {of(bounds...), of(bounds...), true},
		"as large":             {of(1, 2), of(1, 2), true},
		"as many, others":      {of(1, 2), of(1, 3), false},
		"more":                 {of(1, 2), of(1, 2, 3), false},
		"all in one, and some": {of(), of(1), false},
	} {
		assert.Equal(t, c.want, c.v.Fits(c.d), name)
	}
}
