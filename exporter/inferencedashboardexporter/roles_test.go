package inferencedashboardexporter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// Decode workers see each request once more, a moment before its first token: what a split fleet's requests wait for is what they wait for at its
// prefill workers.
func TestASplitFleetIsAsLateAsItsPrefillWorkers(t *testing.T) {
	for third, split := range map[string]bool{signal.RoleDecode: true, signal.RoleEncode: true, signal.RoleAggregated: false} {
		tr := newTestTracker(10)
		ws := []*fakeWorker{newFakeWorker("p:1", at(0)), newFakeWorker("d:1", at(0)), newFakeWorker("d:2", at(0))}
		for i, role := range []string{signal.RolePrefill, signal.RoleDecode, third} {
			ws[i].role, ws[i].ttft = role, []float64{5, 0.02, 0.02}[i]
		}
		for s := 0.0; s <= 60; s += 5 {
			for _, w := range ws {
				tr.observe(w.engineBatch(at(s)), at(s))
				w.run(5 * time.Second)
			}
		}
		b := newBoard(tr, newRegister(10), newAdvisory(), func(int) *history { return tr.newHistory() })
		fleets := b.update(at(60)).Fleets
		require.Len(t, fleets, 1)
		p50 := fleets[0].TTFT.P50.Value
		require.True(t, p50.ok)
		if split {
			assert.InDelta(t, 5, p50.value, 2, third)
		} else {
			assert.Less(t, p50.value, 1.0, third)
		}
	}
}
