package inferencedashboardexporter

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// TestAWorkerWithJoinedGPUs has GPU time in place of worker time.
func TestAWorkerWithJoinedGPUs(t *testing.T) {
	tr := newTestTracker(10)
	tr.observe(newFakeWorker("a:1", at(0)).engineBatch(at(5)), at(5))
	rejected := tr.observe(engine(func(ms pmetric.MetricSlice) {
		for phase, seconds := range map[string]float64{signal.PhasePrefill: 3, signal.PhaseDecode: 6, signal.PhaseIdle: 1} {
			addSum(ms, signal.PhaseGPUTime, at(0), at(5), seconds, map[string]any{signal.AttrPhase: phase})
		}
	}), at(5))
	assert.Equal(t, tally{}, rejected)
	found := false
	for _, w := range tr.workers {
		if s := w.shares(at(5)); s[0].ok {
			found = true
			assert.InDelta(t, 0.3, s[0].value, 1e-9)
			assert.InDelta(t, 0.6, s[1].value, 1e-9)
		}
	}
	assert.True(t, found)
}
