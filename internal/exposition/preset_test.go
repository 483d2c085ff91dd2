package exposition

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// TestPointsByPreset writes down how many points a worker gives under each preset, engine by engine with every option on, and holds
// the promise of the default.
func TestPointsByPreset(t *testing.T) {
	var table strings.Builder
	for _, p := range enginesPlayed() {
		page, openMetrics := writtenPage(t, p.page(t))
		fmt.Fprintf(&table, "%s", p)
		last := 0
		for _, preset := range []signal.Preset{signal.PresetMinimal, signal.PresetDefault, signal.PresetFull} {
			b := newBook(t, func(s *Settings) { s.Vocabulary = NewVocabulary(preset) })
			md, _, err := b.Scrape(body(string(page)), openMetrics, start().Add(100*time.Second), "")
			require.NoError(t, err)
			most := 0
			for _, rm := range md.ResourceMetrics().All() {
				points := 0
				for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
					assert.True(t, preset.Metrics()[m.Name()], "%s in %s", m.Name(), preset)
					points += checkMetric(t, m)
				}
				most = max(most, points)
			}
			if preset != signal.PresetFull {
				assert.LessOrEqual(t, most, maxPointsPerWorker, "%s %s", p, preset)
			}
			assert.GreaterOrEqual(t, most, last, "a larger preset has no less")
			last = most
			fmt.Fprintf(&table, " %s=%d", preset, most)
		}
		table.WriteByte('\n')
	}
	compareGolden(t, filepath.Join("testdata", "points.golden"), table.String())
}

// TestPresetsNest: the metrics of a preset are in the larger one, and all of them exist.
func TestPresetsNest(t *testing.T) {
	has := func(p signal.Preset) (names []string) {
		for name, ok := range p.Metrics() {
			if ok {
				names = append(names, name)
			}
		}
		return names
	}
	assert.Subset(t, has(signal.PresetDefault), has(signal.PresetMinimal))
	assert.Subset(t, has(signal.PresetFull), has(signal.PresetDefault))
	assert.ElementsMatch(t, slices.Collect(maps.Keys(signal.Index(signal.EngineMetrics()))), has(signal.PresetFull))
	assert.Equal(t, signal.PresetDefault.Metrics(), signal.Preset("").Metrics())
	assert.Less(t, len(has(signal.PresetMinimal)), len(has(signal.PresetDefault)))
}

// TestUnwantedSeriesCostNothing: what a preset leaves out is not remembered.
func TestUnwantedSeriesCostNothing(t *testing.T) {
	page := readPage(t, filepath.Join(recordings, "vllm-0.32.0-cpu", "metrics-006.prom"))
	remembered := func(p signal.Preset) int {
		_, report, err := newBook(t, func(s *Settings) { s.Vocabulary = NewVocabulary(p) }).Scrape(body(string(page)), false, start(), "")
		require.NoError(t, err)
		return report.SeriesRemembered
	}
	assert.Less(t, remembered(signal.PresetMinimal), remembered(signal.PresetFull))
}
