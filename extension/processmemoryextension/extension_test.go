package processmemoryextension

import (
	"errors"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// byHand is a clock that stands until it is moved.
type byHand struct {
	asked time.Duration
	due   chan time.Time
	ended bool
}

func (c *byHand) After(d time.Duration) (<-chan time.Time, func()) {
	c.asked = d
	return c.due, func() { c.ended = true }
}

func TestPagesAreGivenBackOnceAllHasStarted(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	clock, calls := &byHand{due: make(chan time.Time)}, make(chan struct{}, 2)
	m := &processMemory{cfg: &Config{GiveBackAfter: time.Minute}, log: zap.New(core), clock: clock, giveBack: func() (given, error) {
		calls <- struct{}{}
		return given{before: 3, after: 1}, errors.New("not allowed")
	}}
	require.NoError(t, m.Start(t.Context(), componenttest.NewNopHost()))
	assert.Zero(t, clock.asked, "the pipelines have not started")
	require.NoError(t, m.Ready())
	assert.Equal(t, time.Minute, clock.asked)
	assert.Empty(t, calls)

	clock.due <- time.Time{}
	<-calls
	require.NoError(t, m.NotReady())
	require.NoError(t, m.Shutdown(t.Context()))
	assert.Empty(t, calls, "once")
	assert.True(t, clock.ended)
	require.Equal(t, 1, logs.Len(), "an error is no fault of the collector, and still told")
	fields := logs.All()[0].ContextMap()
	assert.Equal(t, zap.DebugLevel, logs.All()[0].Level)
	assert.Equal(t, map[string]any{"bytes_before": int64(3), "bytes_after": int64(1), "error": "not allowed"}, fields)
}

func TestACollectorThatEndsEarlyWaitsForNothing(t *testing.T) {
	m := &processMemory{cfg: &Config{GiveBackAfter: time.Hour}, log: zap.NewNop(), clock: &byHand{}, giveBack: func() (given, error) {
		t.Error("given back by a collector that ends")
		return given{}, nil
	}}
	require.NoError(t, m.Start(t.Context(), componenttest.NewNopHost()))
	require.NoError(t, m.Ready())
	require.NoError(t, m.Shutdown(t.Context()))
	require.NoError(t, m.Shutdown(t.Context()))
}

func TestZeroGivesNothingBack(t *testing.T) {
	clock := &byHand{}
	m := &processMemory{cfg: &Config{}, log: zap.NewNop(), clock: clock}
	require.NoError(t, m.Start(t.Context(), componenttest.NewNopHost()))
	require.NoError(t, m.Ready())
	assert.Zero(t, clock.asked)
	require.NoError(t, m.Shutdown(t.Context()))
}

func TestGCPercentHoldsWhileTheCollectorRuns(t *testing.T) {
	percent := func() int {
		now := debug.SetGCPercent(100)
		debug.SetGCPercent(now)
		return now
	}
	before := percent()
	require.NotEqual(t, 40, before)
	for name, c := range map[string]struct {
		environment bool
		want        int
	}{
		"configured":                       {false, 40},
		"the environment goes before that": {true, before},
	} {
		t.Run(name, func(t *testing.T) {
			m := &processMemory{cfg: &Config{GCPercent: 40}, log: zap.NewNop(), gogc: c.environment}
			require.NoError(t, m.Start(t.Context(), componenttest.NewNopHost()))
			assert.Equal(t, c.want, percent())
			require.NoError(t, m.Shutdown(t.Context()))
			assert.Equal(t, before, percent())
		})
	}
}

func TestConfigurationNamesWhatIsWrong(t *testing.T) {
	assert.NoError(t, createDefaultConfig().(*Config).Validate())
	assert.NoError(t, (&Config{GCPercent: minGCPercent}).Validate())
	err := (&Config{GiveBackAfter: -time.Second, GCPercent: 9}).Validate()
	assert.ErrorContains(t, err, "give_back_after: must not be negative, got -1s")
	assert.ErrorContains(t, err, "gc_percent: must be 0 or 10 to 1000, got 9")
	assert.ErrorContains(t, (&Config{GCPercent: 1001}).Validate(), "got 1001")
}
