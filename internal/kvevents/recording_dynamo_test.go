package kvevents

import (
	"encoding/binary"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/kvcache"
)

// TestRecordingOfDynamo holds what a mocker of Dynamo published in vLLM's form against what its clients were told.
func TestRecordingOfDynamo(t *testing.T) {
	r := readRecording(t, filepath.Dir(recordings)+"/dynamo-1.6.1-mocker")
	index := kvcache.NewIndex(kvcache.Settings{
		MemoryLimit: 4 << 20, Horizon: time.Minute, ExactBlocks: 1 << 16, SampledBlocks: 1 << 12, MaxDistance: 1 << 16,
	}, true)
	var decoder Decoder
	for i, message := range r.messages {
		assert.EqualValues(t, i, binary.BigEndian.Uint64(message[1]), "sequence number")
		report, err := decoder.Decode(message[2], index)
		require.NoError(t, err)
		assert.Zero(t, report.Malformed+report.Foreign)
		assert.Zero(t, report.Rank)
	}
	got := index.Totals()
	cached := 0
	for _, q := range r.requests {
		cached += q[2]
	}
	t.Logf("stored %v, removed %v, resident %v; hits %d tokens, clients %d; unknown removals %d", got.Stored, got.Removed, got.Resident, got.HitTokens, cached, got.UnknownRemovals)
	assert.EqualValues(t, cached, got.HitTokens)
	assert.EqualValues(t, got.Stored[kvcache.GPU]-got.Removed[kvcache.GPU], got.Resident[kvcache.GPU])
	assert.LessOrEqual(t, got.Resident[kvcache.GPU], int64(200), "blocks of the mocker")
	assert.Zero(t, got.UnknownRemovals)
}
