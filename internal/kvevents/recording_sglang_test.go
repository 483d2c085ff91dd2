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

// TestRecordingOfSGLang holds what a real SGLang published against what its clients were told and its page says.
func TestRecordingOfSGLang(t *testing.T) {
	r := readRecording(t, filepath.Dir(recordings)+"/sglang-0.5.23-cpu")
	index := kvcache.NewIndex(kvcache.Settings{
		MemoryLimit: 4 << 20, Horizon: time.Minute, ExactBlocks: 1 << 16, SampledBlocks: 1 << 12, MaxDistance: 1 << 16,
	}, true)
	var decoder Decoder
	for i, message := range r.messages {
		assert.EqualValues(t, i, binary.BigEndian.Uint64(message[1]), "sequence number")
		report, err := decoder.Decode(message[2], index)
		require.NoError(t, err)
		assert.Zero(t, report.Malformed+report.Foreign)
	}
	got := index.Totals()
	cached := 0
	for _, q := range r.requests {
		cached += q[2]
	}
	t.Logf("stored %v, removed %v, resident %v; hits %d tokens, clients %d; unknown removals %d", got.Stored, got.Removed, got.Resident, got.HitTokens, cached, got.UnknownRemovals)
}
