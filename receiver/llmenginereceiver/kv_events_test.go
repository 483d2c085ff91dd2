package llmenginereceiver

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/stream" //nolint:depguard // it publishes as engines do
	"github.com/otelcol-inference/otelcol-inference/internal/kvcache"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/zmqsub"
)

// outcomes are the messages of a stream as they are told.
func outcomes(k *kvStream) map[string]int64 {
	w := &pointWriter{table: signal.Index(signal.All()), metrics: pmetric.NewMetricSlice()}
	s := k.snapshot()
	s.points(w, true)
	found := make(map[string]int64)
	for _, p := range w.metric(signal.SourceMessages).Sum().DataPoints().All() {
		outcome, _ := p.Attributes().Get(signal.AttrOutcome)
		found[outcome.Str()] = p.IntValue()
	}
	return found
}

// TestOutcomesOfMessages: what the index leaves out shows, and each message has one outcome.
func TestOutcomesOfMessages(t *testing.T) {
	c := defaultStreams().KVEvents
	k := newKVStream(&c, kvcache.MinMemory, 7, newHandClock(), streamState{})
	payload := func(b stream.KVBatch) []byte { return stream.AppendKVBatch(nil, b, stream.Wire{}) }
	k.Message(payload(stored(epoch, 0, 1, 2)))
	assert.Equal(t, map[string]int64{"taken": 1}, outcomes(k))
	assert.True(t, k.snapshot().state.Known)

	k.Message(bytes.Replace(payload(cleared(epoch)), []byte("AllBlocksCleared"), []byte("SomeBlocksMoved."), 1))
	assert.Equal(t, map[string]int64{"taken": 1, "foreign": 1}, outcomes(k))
	assert.False(t, k.snapshot().state.Known, "an event that is not understood may have moved blocks")

	k.Note(zmqsub.ReplayFailed)
	many := make([]uint64, 60_000)
	for i := range many {
		many[i] = uint64(i) + 10
	}
	k.Message(payload(stored(epoch, 0, many...)))
	assert.Positive(t, k.snapshot().totals.Refused)
	assert.Equal(t, map[string]int64{"taken": 1, "foreign": 1, "replay_failed": 1, "refused": 1}, outcomes(k))
	k.Note(zmqsub.Replayed)
	k.Message(payload(cleared(epoch)))
	assert.Equal(t, map[string]int64{"taken": 1, "foreign": 1, "replay_failed": 1, "refused": 1, "replayed": 1}, outcomes(k))
	assert.True(t, k.snapshot().state.Known)
}

// TestTiersAreCalledAsOnPages: pages and events have one set of names.
func TestTiersAreCalledAsOnPages(t *testing.T) {
	for tier, name := range map[kvcache.Tier]string{
		kvcache.GPU: signal.TierDevice, kvcache.CPU: signal.TierHost, kvcache.Disk: signal.TierDisk, kvcache.External: signal.TierRemote,
	} {
		assert.Equal(t, name, tier.String())
	}
}
