package kvfragmentationprocessor

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// TestTheScoreSaysWhyItIsWithheld: the score is withheld for what keeps the cached blocks from being divided.
func TestTheScoreSaysWhyItIsWithheld(t *testing.T) {
	for name, of := range map[string]struct {
		change  func(*engine)
		scrapes int
		reason  string
	}{
		"a minute after the start":      {func(*engine) {}, 12, reasonWarmingUp},
		"nothing tells of reuse":        {func(e *engine) { e.events, e.preemptions = false, 1 }, 60, reasonNoReuse},
		"what is resident is not known": {func(e *engine) { e.known = false }, 60, reasonEventsLost},
	} {
		t.Run(name, func(t *testing.T) {
			sink := new(consumertest.MetricsSink)
			p, c := newTestProcessor(t, testConfig(), sink)
			e := newEngine("a:8000")
			of.change(e)
			play(t, p, c, of.scrapes, e)
			_, scored := last(sink, signal.KVFragmentation)
			assert.False(t, scored)
			assert.Positive(t, withheld(sink, signal.KVFragmentation, of.reason))
		})
	}
}

// TestWasteWithoutAPriceHasNoTime: time and energy of what was wasted are absent until a price is known, and then of all tokens so far.
func TestWasteWithoutAPriceHasNoTime(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, testConfig(), sink)
	e := newEngine("a:8000")
	e.preemptions, e.unphased = 0.5, 60
	wasted := func(metric string) (float64, bool) {
		dp, ok := last(sink, metric, signal.AttrKVWaste, signal.WastePreemption)
		if !ok {
			return 0, false
		}
		return derive.Number(dp), true
	}
	play(t, p, c, 11, e)
	_, tokens := wasted(signal.KVWasteTokens)
	assert.True(t, tokens)
	for _, metric := range []string{signal.KVWasteTime, signal.KVWasteEnergy} {
		_, ok := wasted(metric)
		assert.False(t, ok, "%s before a price is known", metric)
	}
	play(t, p, c, 30, e)
	all, _ := wasted(signal.KVWasteTokens)
	seconds, timed := wasted(signal.KVWasteTime)
	joules, metered := wasted(signal.KVWasteEnergy)
	require.True(t, timed && metered)
	// A second of 140 computed prompt tokens takes 0.05 s and 20 J.
	assert.InEpsilon(t, all*0.05/140, seconds, 0.05)
	assert.InEpsilon(t, all*20/140, joules, 0.05)
}
