package exposition

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// checkSound holds what is true of any metrics that this package makes.
func checkSound(t *testing.T, md pmetric.Metrics) {
	require.Positive(t, md.ResourceMetrics().Len())
	for _, rm := range md.ResourceMetrics().All() {
		for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
			switch m.Type() {
			case pmetric.MetricTypeGauge:
				checkNumbers(t, m.Gauge().DataPoints())
			case pmetric.MetricTypeSum:
				checkNumbers(t, m.Sum().DataPoints())
			case pmetric.MetricTypeHistogram:
				for _, p := range m.Histogram().DataPoints().All() {
					checkHistogram(t, p)
				}
			}
		}
	}
}

func checkNumbers(t *testing.T, points pmetric.NumberDataPointSlice) {
	require.Positive(t, points.Len())
	for _, p := range points.All() {
		require.False(t, math.IsNaN(p.DoubleValue()) || math.IsInf(p.DoubleValue(), 0))
		require.LessOrEqual(t, p.StartTimestamp(), p.Timestamp())
	}
}

func checkHistogram(t *testing.T, p pmetric.HistogramDataPoint) {
	require.LessOrEqual(t, p.StartTimestamp(), p.Timestamp())
	bounds, counts := p.ExplicitBounds().AsRaw(), p.BucketCounts().AsRaw()
	require.Len(t, counts, len(bounds)+1)
	require.True(t, slices.IsSorted(bounds), "%v", bounds)
	require.Len(t, slices.Compact(bounds), len(counts)-1)
	total := uint64(0)
	for _, n := range counts {
		total += n
	}
	require.Equal(t, p.Count(), total)
}
