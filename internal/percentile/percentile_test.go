package percentile

import (
	"math"
	"math/rand"
	"sort"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestQuantile(t *testing.T) {
	tests := []struct {
		name  string
		parts []Distribution
		q     float64
		want  Estimate
		none  bool
	}{
		{name: "no parts", q: 0.9, none: true},
		{name: "no samples", parts: []Distribution{{Bounds: []float64{1, 2}, Counts: []float64{0, 0, 0}}}, q: 0.9, none: true},
		{
			name:  "counts that do not fit the bounds are no distribution",
			parts: []Distribution{{Bounds: []float64{1, 2}, Counts: []float64{1}}}, q: 0.5, none: true,
		},
		{
			name:  "one sample lies evenly in its bucket",
			parts: []Distribution{{Bounds: []float64{1, 2}, Counts: []float64{0, 1, 0}}}, q: 0.9,
			want: Estimate{Value: 1.9, Low: 1, High: 2},
		},
		{
			name:  "the first bucket begins at 0",
			parts: []Distribution{{Bounds: []float64{1, 2}, Counts: []float64{4, 0, 0}}}, q: 0.5,
			want: Estimate{Value: 0.5, Low: 0, High: 1},
		},
		{
			name:  "all above the last bound",
			parts: []Distribution{{Bounds: []float64{1, 10}, Counts: []float64{0, 0, 7}}}, q: 0.5,
			want: Estimate{Value: 10, Over: true, Low: 10, High: 10},
		},
		{
			name:  "no finite bound at all",
			parts: []Distribution{{Counts: []float64{7}}}, q: 0.5,
			want: Estimate{Value: 0, Over: true},
		},
		{
			name:  "a quantile below the tail is known",
			parts: []Distribution{{Bounds: []float64{1, 10}, Counts: []float64{8, 0, 2}}}, q: 0.5,
			want: Estimate{Value: 0.625, Low: 0, High: 1},
		},
		{
			name: "two bound sets add up on their union",
			parts: []Distribution{
				{Bounds: []float64{1, 2}, Counts: []float64{10, 0, 0}},
				{Bounds: []float64{4}, Counts: []float64{30, 0}},
			},
			// Up to 1 the sum is 10 + 7.5 samples; the 20th sample lies (20-17.5)/7.5 further.
			q: 0.5, want: Estimate{Value: 1 + 2.5/7.5, Low: 0, High: 4},
		},
		{
			name: "one worker's tail hides what lies above its last bound",
			parts: []Distribution{
				{Bounds: []float64{1, 100}, Counts: []float64{0, 10, 0}},
				{Bounds: []float64{5}, Counts: []float64{0, 10}},
			},
			q: 0.9, want: Estimate{Value: 5, Over: true, Low: 5, High: 5},
		},
		{
			name:  "a bucket without width",
			parts: []Distribution{{Bounds: []float64{0, 1}, Counts: []float64{9, 1, 0}}}, q: 0.5,
			want: Estimate{Value: 0, Low: 0, High: 0},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := Merge(tt.parts).Quantile(tt.q)
			require.Equal(t, !tt.none, ok)
			assert.InDelta(t, tt.want.Value, got.Value, 1e-9)
			assert.Equal(t, tt.want.Over, got.Over)
			assert.InDelta(t, tt.want.Low, got.Low, 1e-9)
			assert.InDelta(t, tt.want.High, got.High, 1e-9)
		})
	}
}

func TestAbove(t *testing.T) {
	m := Merge([]Distribution{{Bounds: []float64{1, 2, 4}, Counts: []float64{50, 30, 10, 10}}})
	for _, tt := range []struct{ x, want float64 }{{0, 1}, {0.5, 0.75}, {1, 0.5}, {3, 0.15}, {4, 0.1}} {
		got, ok := m.Above(tt.x)
		require.True(t, ok)
		assert.InDelta(t, tt.want, got, 1e-9)
	}
	_, ok := m.Above(5)
	assert.False(t, ok, "above the last bound nothing is known")
	_, ok = Merge(nil).Above(1)
	assert.False(t, ok)

	got, ok := Merge([]Distribution{{Bounds: []float64{1, 2}, Counts: []float64{1, 0, 0}}}).Above(9)
	require.True(t, ok, "with an empty tail all samples are known to lie below")
	assert.Zero(t, got)
}

// TestMergedQuantileHoldsTheTruth draws samples of workers with unlike loads and bounds: the true percentile of all samples lies
// within the stated bucket edges, which the mean of the workers' percentiles does not.
func TestMergedQuantileHoldsTheTruth(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	boundSets := [][]float64{{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}, {0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4}, {0.3, 3, 30}}
	var all []float64
	var parts []Distribution
	for w := 0; w < 9; w++ {
		d := Distribution{Bounds: boundSets[w%len(boundSets)]}
		d.Counts = make([]float64, len(d.Bounds)+1)
		for i := 0; i < 200*(w+1); i++ {
			x := math.Exp(random.NormFloat64()*0.5 - 1 + 0.1*float64(w))
			all = append(all, x)
			d.Counts[sort.SearchFloat64s(d.Bounds, x)]++
		}
		parts = append(parts, d)
	}
	sort.Float64s(all)
	for _, q := range []float64{0.5, 0.9, 0.99} {
		truth := all[int(q*float64(len(all)))]
		got, ok := Merge(parts).Quantile(q)
		require.True(t, ok)
		require.False(t, got.Over)
		assert.LessOrEqual(t, got.Low, truth)
		assert.GreaterOrEqual(t, got.High, truth)
	}
}

func BenchmarkMerge(b *testing.B) {
	parts := make([]Distribution, 200)
	for i := range parts {
		d := Distribution{Counts: make([]float64, 26)}
		for k := 0; k < 25; k++ {
			d.Bounds = append(d.Bounds, float64(k+1)*(1+float64(i%7)))
			d.Counts[k] = float64(k)
		}
		parts[i] = d
	}
	b.ReportAllocs()
	for b.Loop() {
		Merge(parts).Quantile(0.9)
	}
}
