package disaggregationprocessor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"

	"github.com/otelcol-inference/otelcol-inference/internal/serving"
)

// TestAFleetThatStaysIsNotRehearsedAgain, for a while; what it then says is what a rehearsal would. Any change has it rehearsed at once.
func TestAFleetThatStaysIsNotRehearsedAgain(t *testing.T) {
	p, c := newTestProcessor(t, testConfig(), consumertest.NewNop())
	var f *fleet
	var inputs *serving.Situation
	fresh, reused, most, before := 0, 0, 0, 0
	for _, b := range scrapes(t, "pd-balanced", "chat", 14*time.Minute, 1) {
		feed(t, p, c, []batch{b})
		if f = p.fleets.byName["chat"]; f.rehearsed.inputs != inputs {
			inputs = f.rehearsed.inputs
			fresh++
		} else if f.rehearsed.reused > before {
			reused++
		}
		before = f.rehearsed.reused
		most = max(most, before)
	}
	t.Logf("%d rehearsed, %d not again", fresh, reused)
	assert.Greater(t, reused, fresh, "of a fleet that stays as it is")
	assert.LessOrEqual(t, most, mostReused)

	f.mu.Lock()
	defer f.mu.Unlock()
	situation := func() *serving.Situation {
		s, why := f.situation(f.topology())
		require.Empty(t, why)
		return s
	}
	now, old := f.closed, f.rehearsed
	f.forecast = f.consider(now, situation())
	said := f.forecast
	require.NotEmpty(t, said.current.Goodput)
	require.True(t, f.rehearsed.holds(f, situation()))
	f.again(now, situation())
	assert.Equal(t, said, f.forecast)
	assert.Equal(t, 1, f.rehearsed.reused)
	if old.inputs != nil {
		assert.InEpsilon(t, old.inputs.Rate, situation().Rate, 0.2)
	}

	f.rehearsed.reused = mostReused
	assert.False(t, f.rehearsed.holds(f, situation()), "once in a while it is all the same")
	f.rehearsed.reused = 0
	past := f.past
	f.past.seconds *= 0.85
	assert.False(t, f.rehearsed.holds(f, situation()), "demand")
	f.past = past
	f.rehearsed.share -= 0.05
	assert.False(t, f.rehearsed.holds(f, situation()), "requests in time")
	f.rehearsed.share += 0.05
	f.rehearsed.inputs.Current = serving.Topology{Prefill: 2, Decode: 2}
	assert.False(t, f.rehearsed.holds(f, situation()), "topology")
}
