package exposition

import (
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// maxPointsPerWorker is what an installation may count on.
const maxPointsPerWorker = 350

// TestEmittedIsInTheVocabulary checks what all pages of testdata and all recordings give against the table of signals.
func TestEmittedIsInTheVocabulary(t *testing.T) {
	pages, err := filepath.Glob("testdata/*.prom")
	require.NoError(t, err)
	recorded, err := filepath.Glob(filepath.Join(recordings, "*", "*.prom"))
	require.NoError(t, err)
	require.NotEmpty(t, recorded)
	emitted := make(map[string]bool)
	for _, page := range append(pages, recorded...) {
		md, _, err := newBook(t).Scrape(readPage(t, page), filepath.Base(page) == "rust.prom", start().Add(time.Minute), "1")
		require.NoError(t, err)
		for _, rm := range md.ResourceMetrics().All() {
			points, names := 0, make(map[string]bool)
			for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
				assert.False(t, names[m.Name()], "%s: %s is there twice", page, m.Name())
				names[m.Name()], emitted[m.Name()] = true, true
				points += checkMetric(t, m)
			}
			assert.LessOrEqual(t, points, maxPointsPerWorker, page)
		}
	}
	assert.Greater(t, len(emitted), 40, "%v", slices.Sorted(maps.Keys(emitted)))
}

// checkMetric compares a metric with its declaration and returns the number of its points.
func checkMetric(t *testing.T, m pmetric.Metric) int {
	want, ok := signal.Index(signal.EngineMetrics())[m.Name()]
	require.True(t, ok, m.Name())
	assert.Equal(t, want.Unit, m.Unit(), m.Name())
	assert.Equal(t, want.Description, m.Description(), m.Name())
	var got signal.Instrument
	var all []pcommon.Map
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		got = signal.Gauge
		for _, p := range m.Gauge().DataPoints().All() {
			all = append(all, p.Attributes())
		}
	case pmetric.MetricTypeSum:
		got = signal.UpDownCounter
		if m.Sum().IsMonotonic() {
			got = signal.Sum
		}
		assert.Equal(t, pmetric.AggregationTemporalityCumulative, m.Sum().AggregationTemporality(), m.Name())
		for _, p := range m.Sum().DataPoints().All() {
			all = append(all, p.Attributes())
		}
	case pmetric.MetricTypeHistogram:
		got = signal.Histogram
		assert.Equal(t, pmetric.AggregationTemporalityCumulative, m.Histogram().AggregationTemporality(), m.Name())
		for _, p := range m.Histogram().DataPoints().All() {
			all = append(all, p.Attributes())
		}
	}
	assert.Equal(t, want.Instrument, got, m.Name())
	seen := make(map[string]bool)
	for _, a := range all {
		for key := range a.All() {
			assert.Contains(t, want.Attributes, key, m.Name())
		}
		assert.False(t, seen[attributes(a)], "%s has two points %s", m.Name(), attributes(a))
		seen[attributes(a)] = true
	}
	return len(all)
}
