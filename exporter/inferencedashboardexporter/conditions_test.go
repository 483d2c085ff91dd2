package inferencedashboardexporter

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter/internal/metadata"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// conditionBatch is what says of a worker that it thrashes and that prefill delays its decodes.
func conditionBatch(f *fakeWorker, at time.Time, thrash, storm, delay, wait float64) pmetric.Metrics {
	md := pmetric.NewMetrics()
	ms := f.resource(md)
	addGauge(ms, signal.KVThrash, at, thrash, nil)
	addGauge(ms, signal.KVStorm, at, storm, nil)
	addSum(ms, signal.InterferenceDelay, f.start, at, delay, nil)
	addSum(ms, signal.InterferenceWait, f.start, at, wait, nil)
	return md
}

// The history keeps what the sections say: of a fleet the worst worker, and the waiting of all of them.
func TestConditionsAreShownAndKept(t *testing.T) {
	now := at(0)
	d, err := newDashboard(createDefaultConfig().(*Config), exportertest.NewNopSettings(metadata.Type), func() time.Time { return now })
	require.NoError(t, err)
	a, b := newFakeWorker("10.0.0.1:8000", at(0)), newFakeWorker("10.0.0.2:8000", at(0))
	for i := 1; i <= 12; i++ {
		now = at(5 * float64(i))
		s := float64(5 * i)
		for _, w := range []*fakeWorker{a, b} {
			w.run(5 * time.Second)
			require.NoError(t, d.consumeMetrics(context.Background(), w.engineBatch(now)))
		}
		require.NoError(t, d.consumeMetrics(context.Background(), conditionBatch(a, now, 0.6, 1, 3*s, 4*s)))
		require.NoError(t, d.consumeMetrics(context.Background(), conditionBatch(b, now, 0.1, 0, 0, 2*s)))
		d.update(context.Background())
	}
	s := d.board.latest.Load()
	assert.Equal(t, &conditionsView{Thrash: some(0.6), Storm: some(1), Interference: some(0.75)}, s.Workers[0].Conditions)
	assert.Equal(t, &conditionsView{Thrash: some(0.1), Storm: some(0), Interference: some(0)}, s.Workers[1].Conditions)
	assert.Equal(t, &conditionsView{Thrash: some(0.6), Storm: some(1), Interference: some(0.5)}, s.Fleets[0].Conditions)
	past, ok := d.board.series("", s.Fleets[0].ID, false, []historyMetric{historyThrash, historyInterference, historyHiccup})
	require.True(t, ok)
	last := len(past.values[0]) - 1
	assert.Equal(t, []number{some(0.6), some(0.5), {}}, []number{past.values[0][last], past.values[1][last], past.values[2][last]})
}

// A section whose figures have all fallen silent says when it was last heard of, until they are forgotten.
func TestASectionThatFellSilentSaysSince(t *testing.T) {
	r := newRegister(10)
	w := newFakeWorker("10.0.0.1:8000", at(0))
	var rejected tally
	r.observe(conditionBatch(w, at(0), 0.6, 1, 0, 0), at(0), &rejected)
	fresh := r.views(at(5), nil)
	assert.Empty(t, fresh[0].Silent)
	silent := r.views(at(60), nil)
	assert.Empty(t, silent[0].Sections)
	assert.Equal(t, map[string]int64{sectionKV: at(0).UnixMilli(), sectionPhases: at(0).UnixMilli()}, silent[0].Silent)
	told, gone := subjectChanges(fresh, silent)
	assert.Empty(t, gone)
	assert.Equal(t, silent[0].Silent, told[0].Silent)
	r.evict(at(700))
	assert.Empty(t, r.views(at(700), nil))
}
