package advice

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// TestWhatIsKeptAddsUp: windows that are kept without what stands still and without empty buckets add up to what they were.
func TestWhatIsKeptAddsUp(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	cfg := testConfig()
	s := newState(Identity{Ref: worker("a")}, &cfg, newKnown())
	const counters, windows = 12, 8
	bounds := []float64{1, 2, 5}
	for i := range counters {
		x := s.stream(Point{Metric: string(rune('a' + i)), Form: Total, Attributes: []Pair{{"k", "v"}}})
		require.EqualValues(t, i+1, x.counter)
	}
	want := make([]increase, counters+1)
	for i := range int64(windows) {
		w := window.Window{From: (100 + i) * 5 * second, To: (101 + i) * 5 * second, Totals: make([]window.Value, counters+1), Covered: make([]float64, counters+1)}
		for key := 1; key <= counters; key++ {
			w.Covered[key] = 5
			if random.IntN(4) == 0 {
				w.Covered[key] = random.Float64() * 5
			}
			switch random.IntN(3) {
			case 0:
				w.Totals[key] = window.Value{Sum: float64(random.IntN(100))}
			case 1:
				w.Totals[key] = window.Value{Sum: 7, Count: 3, Bounds: bounds, Counts: []float64{0, float64(random.IntN(9)), 0, float64(random.IntN(9))}}
			}
			to, v := &want[key], w.Totals[key]
			to.sum, to.count, to.covered = to.sum+v.Sum, to.count+v.Count, to.covered+w.Covered[key]
			for at, n := range v.Counts {
				if to.counts == nil {
					to.bounds, to.counts = bounds, make([]float64, len(bounds)+1)
				}
				to.counts[at] += n
			}
		}
		s.keep(w, windows*5*time.Second)
	}
	r := read(s, &cfg)
	for i := range s.streams {
		x := &s.streams[i]
		got := r.increaseOf(x)
		assert.InDelta(t, want[x.counter].covered, got.covered, 1e-9)
		assert.Equal(t, want[x.counter].sum, got.sum)
		assert.Equal(t, want[x.counter].count, got.count)
		assert.Equal(t, want[x.counter].counts, got.counts)
		assert.Equal(t, want[x.counter].bounds, got.bounds)
	}
}

// TestOtherBucketsBeginAnew: what was counted in other buckets is not added to those of now.
func TestOtherBucketsBeginAnew(t *testing.T) {
	cfg := testConfig()
	s := newState(Identity{Ref: worker("a")}, &cfg, newKnown())
	x := s.stream(Point{Metric: "h", Form: Total})
	for i, bounds := range [][]float64{{1, 2, 5, 10}, {1, 2, 5, 10}, {1}, {1}} {
		counts := make([]float64, len(bounds)+1)
		counts[len(bounds)] = float64(i + 1)
		at := int64(100+i) * 5 * second
		s.keep(window.Window{
			From: at, To: at + 5*second, Totals: []window.Value{{}, {Sum: 1, Count: float64(i + 1), Bounds: bounds, Counts: counts}}, Covered: []float64{0, 5},
		}, time.Minute)
	}
	assert.Equal(t, increase{sum: 2, count: 7, covered: 10, bounds: []float64{1}, counts: []float64{0, 7}}, read(s, &cfg).increaseOf(x))
}

// TestStreamsOfAMetricAreFoundAgain whatever others there are, and attributes are kept once.
func TestStreamsOfAMetricAreFoundAgain(t *testing.T) {
	cfg := testConfig()
	known := newKnown()
	a, b := newState(Identity{Ref: worker("a")}, &cfg, known), newState(Identity{Ref: worker("b")}, &cfg, known)
	for i := range 40 {
		for _, metric := range []string{"one", "two", "three"} {
			value := string(rune('0' + i))
			a.stream(Point{Metric: metric, Form: Level, Attributes: []Pair{{"k", value}}}).level.value = float64(i)
			b.stream(Point{Metric: metric, Form: Level, Attributes: []Pair{{"k", value}}})
		}
	}
	for _, metric := range []string{"one", "two", "three"} {
		i := 0
		for x := range a.of(metric) {
			assert.EqualValues(t, i, x.level.value)
			i++
		}
		assert.Equal(t, 40, i)
	}
	assert.False(t, a.told("four"))
	assert.Same(t, &a.streams[0].attributes[0], &b.streams[2].attributes[0])
	for i := range maxStreams {
		a.stream(Point{Metric: "many", Form: Level, Attributes: []Pair{{"n", string(rune('a' + i))}}})
	}
	assert.Len(t, a.streams, maxStreams)
	assert.Nil(t, a.stream(Point{Metric: "more", Form: Level}))
}

// TestOtherBoundsBeginACounterAnew also where there are as many.
func TestOtherBoundsBeginACounterAnew(t *testing.T) {
	cfg := testConfig()
	s := newState(Identity{Ref: worker("a")}, &cfg, newKnown())
	x := s.stream(Point{Metric: "a", Form: Total})
	for i, bounds := range [][]float64{{1, 2}, {1, 2}, {10, 20}} {
		from := int64(100+i) * 5 * second
		s.keep(window.Window{
			From: from, To: from + 5*second, Covered: []float64{5, 5},
			Totals: []window.Value{{}, {Sum: 3, Count: 2, Bounds: bounds, Counts: []float64{0, 2, 0}}},
		}, time.Minute)
	}
	r := read(s, &cfg)
	got := r.increaseOf(x)
	assert.Equal(t, []float64{10, 20}, got.bounds)
	assert.Equal(t, []float64{0, 2, 0}, got.counts)
	assert.InDelta(t, 2, got.count, 0)
}
